"""Kiosks without network: what they took and when, how it is sealed, and what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_without_network"
down_revision = "20261128_with_webhooks"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = ("provisional", "time_estimated", "taken_at", "since_contact_ms", "contact_at")


def upgrade() -> None:
    op.add_column("exam", sa.Column("offline", sa.String(12), nullable=False, server_default="provisional"))
    # No batch: it would copy the table, and leave the triggers that guard the evidence behind.
    op.add_column("checkin", sa.Column("contact_at", MOMENT))
    op.add_column("checkin", sa.Column("since_contact_ms", sa.BigInteger()))
    op.add_column("checkin", sa.Column("taken_at", MOMENT))
    op.add_column(
        "checkin", sa.Column("time_estimated", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("checkin", sa.Column("provisional", sa.Boolean()))
    create_queue_key()
    create_queue_delivery()


def create_queue_key() -> None:
    op.create_table(
        "queue_key",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_queue_key")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name=op.f("fk_queue_key_session_id_exam_session")
        ),
    )


def create_queue_delivery() -> None:
    op.create_table(
        "queue_delivery",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("item", sa.String(32), nullable=False),
        sa.Column("checkin_id", sa.Uuid()),
        sa.Column("code", sa.String(64)),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "item", name=op.f("pk_queue_delivery")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name=op.f("fk_queue_delivery_session_id_exam_session")
        ),
        sa.ForeignKeyConstraint(
            ["checkin_id"], ["checkin.id"], name=op.f("fk_queue_delivery_checkin_id_checkin")
        ),
    )


def downgrade() -> None:
    op.drop_table("queue_delivery")
    op.drop_table("queue_key")
    for name in COLUMNS:
        op.drop_column("checkin", name)
    op.drop_column("exam", "offline")
