"""Alembic's way in. The connection comes open, in a transaction of whoever migrates."""

from alembic import context

from orchestrator.vault.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
