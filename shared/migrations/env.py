"""What Alembic runs: the connection and the tables come from `shared.migrations`."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    transactional_ddl=True,
)
context.run_migrations()
