"""Failed comparisons of the last hour, and who is signed in to a page."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_who_is_signed_in"
down_revision = "20261127_where_jobs_read"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "failed_comparison",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_failed_comparison"),
        sa.ForeignKeyConstraint(
            ["subject_id"],
            ["subject.id"],
            name="fk_failed_comparison_subject_id_subject",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_failed_comparison_subject_id_at", "failed_comparison", ["subject_id", "at"])
    op.create_table(
        "page_session",
        sa.Column("id_digest", sa.String(64), nullable=False),
        sa.Column("page", sa.String(16), nullable=False),
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id_digest", name="pk_page_session"),
        sa.ForeignKeyConstraint(
            ["api_key_id"], ["api_key.id"], name="fk_page_session_api_key_id_api_key", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_page_session_api_key_id", "page_session", ["api_key_id"])


def downgrade() -> None:
    op.drop_table("page_session")
    op.drop_table("failed_comparison")
