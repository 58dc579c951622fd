"""What the frames before a photograph show: a head, or something flat."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_motion"
down_revision = "20261128_with_claim_times"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: it would copy the table, and leave the triggers that guard the evidence behind.
    op.add_column("exam", sa.Column("motion", sa.String(8), nullable=False, server_default="observe"))
    op.add_column("checkin", sa.Column("motion", sa.String(8)))


def downgrade() -> None:
    op.drop_column("checkin", "motion")
    op.drop_column("exam", "motion")
