"""An exam with an attempt is archived, not deleted."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_with_the_archive"
down_revision = "20261127_ids_compared"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exam", sa.Column("archived_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("exam", "archived_at")
