"""Exams without any comparison of faces."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_without_faces"
down_revision = "20261128_with_self_enrolment"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("exam") as exam:
        exam.add_column(sa.Column("faces", sa.String(8), nullable=False, server_default="on"))


def downgrade() -> None:
    with op.batch_alter_table("exam") as exam:
        exam.drop_column("faces")
