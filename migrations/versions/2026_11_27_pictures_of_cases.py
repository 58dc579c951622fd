"""Pictures for whoever decides on a case, and further attempts of one candidate.

Exams that are there promised their candidates that no picture is kept unless they said so: they keep none.
"""

import sqlalchemy as sa
from alembic import op

revision = "20261127_pictures_of_cases"
down_revision = "20261127_legal_bases_end"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("exam", sa.Column("case_pictures", sa.String(16), nullable=False, server_default="never"))
    op.add_column(
        "roster_entry", sa.Column("extra_attempts", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "probe_thumbnail",
        sa.Column("until_settled", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    # What was kept for a decision alone must not stay for longer than it was promised.
    op.execute(sa.text("DELETE FROM probe_thumbnail WHERE until_settled"))
    op.drop_column("probe_thumbnail", "until_settled")
    op.drop_column("roster_entry", "extra_attempts")
    op.drop_column("exam", "case_pictures")
