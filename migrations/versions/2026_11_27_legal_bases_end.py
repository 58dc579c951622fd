"""When a legal basis ends, when consent was withdrawn, and the links by which a person withdraws it."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "20261127_legal_bases_end"
down_revision = "20261127_with_the_archive"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
SUBJECT = sa.table(
    "subject",
    sa.column("id", sa.Uuid()),
    sa.column("legal_basis", sa.JSON()),
    sa.column("basis_expires_at", MOMENT),
)


def upgrade() -> None:
    op.add_column("subject", sa.Column("basis_expires_at", MOMENT))
    op.add_column("subject", sa.Column("withdrawn_at", MOMENT))
    op.create_index("ix_subject_basis_expires_at", "subject", ["basis_expires_at"])
    op.create_table(
        "withdrawal_link",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawal_link"),
        sa.UniqueConstraint("token_digest", name="uq_withdrawal_link_token_digest"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_withdrawal_link_subject_id_subject", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_withdrawal_link_subject_id", "withdrawal_link", ["subject_id"])
    note_expiries()
    forget_pictures_of_the_withdrawn()


def forget_pictures_of_the_withdrawn() -> None:
    """Kept pictures of check-ins go with the consent, as they go with the person."""
    pictures = (
        "DELETE FROM probe_thumbnail WHERE checkin_id IN (SELECT id FROM checkin WHERE subject_id = NEW.id);"
    )
    fires = "AFTER UPDATE OF withdrawn_at ON subject"
    if op.get_bind().dialect.name == "sqlite":
        when = "FOR EACH ROW WHEN NEW.withdrawn_at IS NOT NULL"
        op.execute(f"CREATE TRIGGER subject_withdrawn {fires} {when} BEGIN {pictures} END")
        return
    op.execute(
        "CREATE FUNCTION forget_pictures() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{pictures} RETURN NEW; END $$"
    )
    when = "FOR EACH ROW WHEN (NEW.withdrawn_at IS NOT NULL)"
    op.execute(f"CREATE TRIGGER subject_withdrawn {fires} {when} EXECUTE FUNCTION forget_pictures()")


def note_expiries() -> None:
    """Bring the recorded ends, which nothing looked at before, to where they have an effect."""
    connection = op.get_bind()
    rows = connection.execute(sa.select(SUBJECT.c.id, SUBJECT.c.legal_basis)).all()
    for subject_id, basis in rows:
        if (moment := expiry_of(basis)) is not None:
            mine = sa.update(SUBJECT).where(SUBJECT.c.id == subject_id)
            connection.execute(mine.values(basis_expires_at=moment))


def expiry_of(basis: object) -> datetime | None:
    """The recorded end; None where there is none, or none that says which moment it means."""
    text = basis.get("expires_at") if isinstance(basis, dict) else None
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER subject_withdrawn")
    else:
        op.execute("DROP TRIGGER subject_withdrawn ON subject")
        op.execute("DROP FUNCTION forget_pictures()")
    op.drop_table("withdrawal_link")
    op.drop_index("ix_subject_basis_expires_at", "subject")
    op.drop_column("subject", "withdrawn_at")
    op.drop_column("subject", "basis_expires_at")
