"""From here on templates, crops and pictures of attempts are sealed for their owner.

The tables stay as they are. Whoever upgrades seals the rows of before in the same transaction
(`Database.upgrade`), and rows of before are refused afterwards.
"""

revision = "20261127_with_owners"
down_revision = "20261127_who_is_signed_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Mark the tables."""


def downgrade() -> None:
    """Take the mark away."""
