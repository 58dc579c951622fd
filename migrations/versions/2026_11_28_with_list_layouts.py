"""Which heading is which column in lists of other offices."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_list_layouts"
down_revision = "20261128_names_searched"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "list_layout",
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_list_layout"),
    )


def downgrade() -> None:
    op.drop_table("list_layout")
