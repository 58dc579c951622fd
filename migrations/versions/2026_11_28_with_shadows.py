"""A candidate model in the shadow of the active one."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_shadows"
down_revision = "20261128_with_paper"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "model_shadow",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("active_id", sa.String(100), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_model_shadow"),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_model_shadow_model_id_model"),
        sa.ForeignKeyConstraint(["active_id"], ["model.id"], name="fk_model_shadow_active_id_model"),
    )
    shadow = ["shadow_id"], ["model_shadow.id"]
    op.create_table(
        "model_shadow_count",
        sa.Column("shadow_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("active", sa.String(16), nullable=False),
        sa.Column("candidate", sa.String(16), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("shadow_id", "kind", "active", "candidate", name="pk_model_shadow_count"),
        sa.ForeignKeyConstraint(*shadow, name="fk_model_shadow_count_shadow_id_model_shadow"),
    )
    op.create_table(
        "model_shadow_disagreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shadow_id", sa.Uuid(), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("active", sa.String(16), nullable=False),
        sa.Column("candidate", sa.String(16), nullable=False),
        sa.Column("d", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model_shadow_disagreement"),
        sa.ForeignKeyConstraint(*shadow, name="fk_model_shadow_disagreement_shadow_id_model_shadow"),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["subject.id"],
            name="fk_model_shadow_disagreement_subject_id_subject",
            ondelete="CASCADE",
        ),
    )
    for column in ("shadow_id", "checkin_id", "subject_id"):
        op.create_index(f"ix_model_shadow_disagreement_{column}", "model_shadow_disagreement", [column])


def downgrade() -> None:
    op.drop_table("model_shadow_disagreement")
    op.drop_table("model_shadow_count")
    op.drop_table("model_shadow")
