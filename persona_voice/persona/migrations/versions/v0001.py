"""The ledger of events, and snapshots."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

# Ordered by code point in every database, as Python does.
TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "persona_events",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("persona", TEXT, nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("listener", TEXT, nullable=False),
        sa.Column("values", TEXT, nullable=False),
    )
    op.create_index("persona_events_in_order", "persona_events", ["persona", "at_s", "id"])
    op.create_index("persona_events_by_listener", "persona_events", ["persona", "listener", "at_s"])
    op.create_table(
        "persona_snapshots",
        sa.Column("persona", TEXT, primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("state", TEXT, nullable=False),
    )
