"""What keeps an exam or a subject from every sweep."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_retention_holds"
down_revision = "20261128_with_model_use"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention_hold",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid()),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("put_by", sa.String(255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.Column("lifted_by", sa.String(255)),
        sa.Column("lifted_because", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_retention_hold"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], ondelete="CASCADE", name="fk_retention_hold_subject_id_subject"
        ),
    )
    op.create_index("ix_retention_hold_exam_id", "retention_hold", ["exam_id"])
    op.create_index("ix_retention_hold_subject_id", "retention_hold", ["subject_id"])


def downgrade() -> None:
    op.drop_table("retention_hold")
