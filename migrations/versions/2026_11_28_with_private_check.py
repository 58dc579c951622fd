"""Candidates who are checked apart: no photograph is taken of them at a kiosk, and no reason is kept."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_private_check"
down_revision = "20261128_with_portraits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "roster_entry", sa.Column("private_check", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("roster_entry", "private_check")
