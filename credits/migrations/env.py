"""Alembic's entry: runs inside the one database transaction that `server.migrate` has opened, so all of it or nothing."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
