"""Run by Alembic, on the connection and in the transaction of `persona.store`."""

from alembic import context

from persona_voice.persona.store import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
