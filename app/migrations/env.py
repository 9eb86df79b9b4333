"""Alembic's environment: the connection is given, already inside a transaction that `app.database` commits."""

from alembic import context

from app.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    include_name=lambda name, kind, _: kind != "table" or not (name or "").startswith("keyword"),
)
context.run_migrations()
