"""Complaints about check-ins, each with the day by which it is answered."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_complaints"
down_revision = "20261128_with_private_check"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid(), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("hold_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("taken_by", sa.String(255), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("answer", sa.Text()),
        sa.Column("answered_at", MOMENT),
        sa.Column("answered_by", sa.String(255)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.ForeignKeyConstraint(["exam_id"], ["exam.id"], name=op.f("fk_complaint_exam_id_exam")),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkin.id"], name=op.f("fk_complaint_checkin_id_checkin")),
    )
    op.create_index(op.f("ix_complaint_exam_id"), "complaint", ["exam_id"])


def downgrade() -> None:
    op.drop_table("complaint")
