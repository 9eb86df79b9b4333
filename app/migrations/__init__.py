"""Alembic's scripts; `app.database.migrate` runs them at start."""
