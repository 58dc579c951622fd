"""Further numbers of a subject."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_subject_cards"
down_revision = "20261128_kiosks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "card",
        sa.Column("number_key", sa.String(512), nullable=False),
        sa.Column("number", sa.String(255), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("number_key", name="pk_card"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_card_subject_id_subject", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_card_subject_id", "card", ["subject_id"])


def downgrade() -> None:
    op.drop_table("card")
