"""Kiosks that are paired by a code, and their last signs."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_kiosks"
down_revision = "20261128_with_list_layouts"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "kiosk_pairing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.String(64), nullable=False),
        sa.Column("secret_digest", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("agent", sa.String(255), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(255), nullable=True),
        sa.Column("confirmed_by", sa.String(255), nullable=True),
        sa.Column("collected_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kiosk_pairing"),
        sa.UniqueConstraint("code_digest", name="uq_kiosk_pairing_code_digest"),
    )
    op.create_index("ix_kiosk_pairing_expires_at", "kiosk_pairing", ["expires_at"])
    op.create_table(
        "kiosk_sign",
        sa.Column("key_id", sa.Uuid(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("camera", sa.String(16), nullable=False),
        sa.Column("battery", sa.Double(), nullable=True),
        sa.Column("charging", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_kiosk_sign"),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_key.id"], name="fk_kiosk_sign_key_id_api_key", ondelete="CASCADE"
        ),
    )


def downgrade() -> None:
    op.drop_table("kiosk_sign")
    op.drop_table("kiosk_pairing")
