"""The sealed template of today's admission, for returns, where an exam keeps it."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_todays_template"
down_revision = "20261128_with_shadows"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "exam",
        sa.Column("keep_admission_template", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_table(
        "admission_template",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_admission_template")),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["admission.entry_id"],
            name=op.f("fk_admission_template_entry_id_admission"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name=op.f("fk_admission_template_session_id_exam_session")
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["template.id"],
            name=op.f("fk_admission_template_template_id_template"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f("ix_admission_template_session_id"), "admission_template", ["session_id"])
    op.create_index(op.f("ix_admission_template_template_id"), "admission_template", ["template_id"])


def downgrade() -> None:
    op.drop_table("admission_template")
    op.drop_column("exam", "keep_admission_template")
