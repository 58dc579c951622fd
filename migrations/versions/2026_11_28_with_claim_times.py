"""How long a candidate stood at the kiosk before the picture that an attempt rests on."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_claim_times"
down_revision = "20261128_with_complaints"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # No batch: it would copy the table, and leave the triggers that guard the evidence behind.
    op.add_column("checkin", sa.Column("since_claim_ms", sa.Integer()))


def downgrade() -> None:
    op.drop_column("checkin", "since_claim_ms")
