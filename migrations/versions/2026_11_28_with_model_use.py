"""What became of a model's attempts, by week and kiosk."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_model_use"
down_revision = "20261128_without_network"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_use",
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("kiosk", sa.String(255), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "week", "kiosk", name="pk_model_use"),
    )
    op.create_index("ix_checkin_model_id_created_at", "checkin", ["model_id", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_checkin_model_id_created_at", "checkin")
    op.drop_table("model_use")
