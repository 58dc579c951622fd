"""Jobs that were asked for over HTTP read nothing outside the folders that the operator allows."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_where_jobs_read"
down_revision = "20261127_twins"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("job") as table:
        # Who asked for the jobs that wait is not known: they are held to the folders, too.
        table.add_column(sa.Column("confined", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("job") as table:
        table.alter_column("confined", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("job") as table:
        table.drop_column("confined")
