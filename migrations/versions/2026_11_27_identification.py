"""Exams say whether a face may be looked for among all their candidates; those that are there do not."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_identification"
down_revision = "20261121_jobs"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "exam", sa.Column("identification", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    op.drop_column("exam", "identification")
