"""Portraits that an office keeps, and links that are direct where one is kept."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_portraits"
down_revision = "20261128_with_todays_template"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portrait",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", name="pk_portrait"),
        sa.UniqueConstraint("id", name="uq_portrait_id"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], ondelete="CASCADE", name="fk_portrait_subject_id_subject"
        ),
    )
    with op.batch_alter_table("enrolment_link") as table:
        table.add_column(sa.Column("direct", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("enrolment_link") as table:
        table.drop_column("direct")
    op.drop_table("portrait")
