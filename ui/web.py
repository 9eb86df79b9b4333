"""The web application: the API, the doors, the documents and the pages, behind one guard."""

import os

from fastapi import Request

from app.api import create_api
from app.services import Services
from ui.document_page import document_pages
from ui.live_answers import LiveAnswers
from ui.shell import Guard, session_token
from ui.sign_in import door_pages
from ui.theme import chat_css, gradio_theme, page_head

QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
"""What Gradio reads when it is imported: no telemetry, no version check, no hub, nothing kept in the browser."""


def web_application(services: Services) -> Guard:
    """Mount every page on the API and put the guard in front."""
    os.environ.update(QUIET, GRADIO_TEMP_DIR=str(services.settings.folder / "gradio"))
    import gradio as gr  # noqa: PLC0415 - after the environment, and only for `serve`

    from ui.chat_handlers import ChatHandlers  # noqa: PLC0415
    from ui.chat_page import ChatPage  # noqa: PLC0415

    def signed_in_as(request: Request) -> str | None:
        """Synchronous on purpose: an unawaited coroutine would let everybody in."""
        user = services.identity.user_of(session_token(request.headers.get("cookie", "")))
        return user.email if user else None

    api = create_api(services)
    api.include_router(door_pages(services))
    api.include_router(document_pages(services))
    handlers = ChatHandlers(services, LiveAnswers(services.chat))
    gr.mount_gradio_app(
        api,
        ChatPage(handlers).build(),
        "/chat",
        auth_dependency=signed_in_as,
        theme=gradio_theme(),
        css=chat_css(),
        head=page_head(),
        footer_links=[],
        run_history=False,
        show_error=False,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        max_file_size="1mb",
        allowed_paths=[],
        app_kwargs={"openapi_url": None},
    )
    return Guard(api, lambda token: services.identity.user_of(token) is not None)
