"""Stages of jobs, versions in force at a date, synced folders"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_JOB_COLUMNS = (("stage", sa.String(length=10)), ("steps_done", sa.Integer()), ("steps", sa.Integer()))


def upgrade() -> None:
    for name, kind in (*_JOB_COLUMNS, ("cancelled_by", sa.Integer())):
        op.add_column("job", sa.Column(name, kind, nullable=True))
    op.add_column("document_version", sa.Column("superseded_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_document_version_sha256"), "document_version", ["sha256"])
    op.execute(
        "UPDATE document_version SET superseded_at = (SELECT later.created_at FROM document_version AS later "
        "WHERE later.document_id = document_version.document_id AND later.version = document_version.version + 1)"
    )
    _make_past_chunks()
    _make_folders()


def downgrade() -> None:
    for table in ("synced_file", "synced_folder", "past_chunk"):
        op.drop_table(table)
    op.drop_index(op.f("ix_document_version_sha256"), "document_version")
    op.drop_column("document_version", "superseded_at")
    for name in ("cancelled_by", "steps", "steps_done", "stage"):
        op.drop_column("job", name)


def _make_past_chunks() -> None:
    op.create_table(
        "past_chunk",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), nullable=False),
        sa.Column("end", sa.Integer(), nullable=False),
        sa.Column("headings", _JSON, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("embedder", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["document_version.id"],
            name=op.f("fk_past_chunk_version_id_document_version"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_chunk")),
    )
    op.create_index(op.f("ix_past_chunk_version_id"), "past_chunk", ["version_id"])


def _make_folders() -> None:
    op.create_table(
        "synced_folder",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("prefix", sa.String(length=400), nullable=False),
        sa.Column("collection_id", sa.Integer(), nullable=False),
        sa.Column("watched", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["collection_id"], ["collection.id"], name=op.f("fk_synced_folder_collection_id_collection")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["user_account.id"], name=op.f("fk_synced_folder_created_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_synced_folder")),
        sa.UniqueConstraint("path", name=op.f("uq_synced_folder_path")),
        sa.UniqueConstraint("prefix", name=op.f("uq_synced_folder_prefix")),
    )
    op.create_table(
        "synced_file",
        sa.Column("folder_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.String(length=1000), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("modified_ns", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.String(length=2000), nullable=True),
        sa.ForeignKeyConstraint(
            ["document_id"], ["document.id"], name=op.f("fk_synced_file_document_id_document"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["folder_id"],
            ["synced_folder.id"],
            name=op.f("fk_synced_file_folder_id_synced_folder"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("folder_id", "path", name=op.f("pk_synced_file")),
        sa.UniqueConstraint("document_id", name=op.f("uq_synced_file_document_id")),
    )
