"""How she leans towards each listener who agreed to it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "persona_leanings",
        sa.Column("persona", TEXT, primary_key=True),
        sa.Column("listener", TEXT, primary_key=True),
        sa.Column("leaning", TEXT, nullable=False),
        sa.Column("kept_s", sa.Double(), nullable=False),
        sa.Column("expires_s", sa.Double(), nullable=False),
    )
