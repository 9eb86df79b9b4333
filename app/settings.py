"""The settings of one home: command line, then environment (`PRECEPT_PORT`), then `precept.toml`, then defaults."""

import os
import tempfile
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from app.errors import InvalidRequest

SETTINGS_FILE = "precept.toml"
_DEFAULT_HOME = Path("~/.precept")


class Settings(BaseSettings):
    """Everything an operator may choose; `home` holds everything that Precept writes."""

    model_config = SettingsConfigDict(env_prefix="PRECEPT_", frozen=True, extra="forbid")

    home: Path = _DEFAULT_HOME
    host: str = "127.0.0.1"
    port: int = Field(default=7860, ge=0, le=65535)
    database_url: SecretStr | None = None
    database_wait_s: float = Field(default=10.0, gt=0)
    embedder_folder: Path | None = None
    allow_hub: bool = False
    reranker_folder: Path | None = None
    lease_s: float = Field(default=30.0, gt=0)
    session_idle_h: float = Field(default=8.0, gt=0)
    session_days: float = Field(default=7.0, gt=0)
    password_memory_kib: int = Field(default=65536, ge=64)
    question_chars: int = Field(default=2000, ge=1)
    passages_per_question: int = Field(default=3, ge=1, le=20)
    window_chars: int = Field(default=240, ge=40)
    history_chars: int = Field(default=3600, ge=0)
    metrics_token: SecretStr | None = None
    core_url: str | None = None
    core_key: SecretStr | None = None
    core_model: str | None = None
    core_folder: Path | None = None
    core_deadline_s: float = Field(default=120.0, gt=0)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        given = init_settings.init_kwargs if isinstance(init_settings, InitSettingsSource) else {}
        home = Path(given.get("home") or os.environ.get("PRECEPT_HOME") or _DEFAULT_HOME).expanduser()
        toml = TomlConfigSettingsSource(settings_cls, toml_file=home / SETTINGS_FILE)
        return init_settings, env_settings, toml

    @property
    def folder(self) -> Path:
        """The home as an absolute path."""
        return self.home.expanduser().absolute()


def prepare_home(settings: Settings) -> Path:
    """Make the home, readable by its owner alone, and return it.

    Raises:
        InvalidRequest: it cannot be made or written.
    """
    home = settings.folder
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidRequest(
            f"The home {home} cannot be written ({reason}): choose another with --home or PRECEPT_HOME."
        ) from error
    return home
