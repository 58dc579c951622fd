"""What was written on paper and typed in afterwards, with its own times."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_paper"
down_revision = "20261128_with_retention_holds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: it would copy the table, and leave the triggers that guard the evidence behind.
    for table in ("checkin", "movement"):
        op.add_column(table, sa.Column("source", sa.String(8), nullable=False, server_default="live"))
    op.add_column("movement", sa.Column("taken_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("movement", "taken_at")
    for table in ("movement", "checkin"):
        op.drop_column(table, "source")
