"""Links by which people send a picture for their own enrolment, and the pictures that wait for a person."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_self_enrolment"
down_revision = "20261128_subject_cards"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "enrolment_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("pictures", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment_link"),
        sa.UniqueConstraint("token_digest", name="uq_enrolment_link_token_digest"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], ondelete="CASCADE", name="fk_enrolment_link_subject_id_subject"
        ),
    )
    op.create_index("ix_enrolment_link_subject_id", "enrolment_link", ["subject_id"])
    op.create_table(
        "enrolment_proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("consent", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_enrolment_proposal"),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["subject.id"],
            ondelete="CASCADE",
            name="fk_enrolment_proposal_subject_id_subject",
        ),
    )
    op.create_index("ix_enrolment_proposal_subject_id", "enrolment_proposal", ["subject_id"])
    op.create_index("ix_enrolment_proposal_expires_at", "enrolment_proposal", ["expires_at"])


def downgrade() -> None:
    op.drop_table("enrolment_proposal")
    op.drop_table("enrolment_link")
