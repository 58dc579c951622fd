"""Twins: subjects with one face, enrolled with a reason; those of before are read from the audit chain."""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "20261127_twins"
down_revision = "20261127_identification"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
TWIN = sa.table(
    "twin",
    sa.column("subject_id", sa.Uuid()),
    sa.column("other_id", sa.Uuid()),
    sa.column("template_id", sa.Uuid()),
    sa.column("reason", sa.Text()),
    sa.column("created_at", MOMENT),
)
EVENT = sa.table(
    "audit_event",
    sa.column("seq", sa.BigInteger()),
    sa.column("at", MOMENT),
    sa.column("action", sa.String()),
    sa.column("subject_id", sa.Uuid()),
    sa.column("details", sa.JSON()),
)
TEMPLATE = sa.table("template", sa.column("subject_id", sa.Uuid()))


def upgrade() -> None:
    op.create_table(
        "twin",
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_twin_subject_id_subject", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["subject.id"], name="fk_twin_other_id_subject", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("subject_id", "other_id", name="pk_twin"),
    )
    op.create_index("ix_twin_other_id", "twin", ["other_id"])
    note_those_of_before()


def note_those_of_before() -> None:
    """Pairs of people who both still have templates; whoever is erased stays erased."""
    connection = op.get_bind()
    forced = sa.select(EVENT.c.at, EVENT.c.subject_id, EVENT.c.details)
    forced = forced.where(EVENT.c.action == "template.enrolled", EVENT.c.subject_id.is_not(None))
    enrolled = set(connection.scalars(sa.select(TEMPLATE.c.subject_id).distinct()))
    pairs = {}
    for at, subject_id, details in connection.execute(forced.order_by(EVENT.c.seq)):
        if "duplicate_of" not in details:
            continue
        pair = tuple(sorted((subject_id, UUID(details["duplicate_of"]))))
        if enrolled.issuperset(pair) and pair not in pairs:
            pairs[pair] = {
                "subject_id": pair[0],
                "other_id": pair[1],
                "template_id": UUID(details["template_id"]),
                "reason": details.get("reason") or "",
                "created_at": at,
            }
    if pairs:
        op.bulk_insert(TWIN, list(pairs.values()))


def downgrade() -> None:
    op.drop_table("twin")
