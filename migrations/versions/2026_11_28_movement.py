"""Movement: who goes out, comes back and leaves; the rules of a session; extra time of a candidate."""

import sqlalchemy as sa
from alembic import op

revision = "20261128_with_movement"
down_revision = "20261128_without_faces"
branch_labels = None
depends_on = None

RULES = (
    "last_entry_minutes",
    "late_entry",
    "no_exit_first_minutes",
    "no_exit_last_minutes",
    "no_entry_after_exit",
)
ADMITTED, ADMITTED_AT_ENTRY = "outcome = 'admitted'", "outcome = 'admitted' AND kind = 'entry'"


def upgrade() -> None:
    none, no = sa.text("0"), sa.false()
    op.add_column("exam_session", sa.Column("last_entry_minutes", sa.Integer()))
    op.add_column(
        "exam_session", sa.Column("late_entry", sa.String(8), nullable=False, server_default="reason")
    )
    for name in ("no_exit_first_minutes", "no_exit_last_minutes"):
        op.add_column("exam_session", sa.Column(name, sa.Integer(), nullable=False, server_default=none))
    op.add_column(
        "exam_session", sa.Column("no_entry_after_exit", sa.Boolean(), nullable=False, server_default=no)
    )
    op.add_column(
        "roster_entry", sa.Column("extra_minutes", sa.Integer(), nullable=False, server_default=none)
    )
    op.add_column(
        "admission", sa.Column("movements_before", sa.Integer(), nullable=False, server_default=none)
    )
    # No batch: it would copy the table, and leave the triggers that guard the evidence behind.
    op.add_column("checkin", sa.Column("kind", sa.String(8), nullable=False, server_default="entry"))
    index_admitted(ADMITTED_AT_ENTRY)
    create_movement()
    guard_movement()


def index_admitted(condition: str) -> None:
    """Admitted once; whoever was out is admitted again with each return."""
    op.drop_index("uq_checkin_admitted", "checkin")
    where = sa.text(condition)
    op.create_index(
        "uq_checkin_admitted",
        "checkin",
        ["entry_id"],
        unique=True,
        sqlite_where=where,
        postgresql_where=where,
    )


def create_movement() -> None:
    op.create_table(
        "movement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("undoes", sa.Uuid()),
        sa.Column("checkin_id", sa.Uuid()),
        sa.Column("reason", sa.Text()),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("operator", sa.String(255)),
        sa.Column("kiosk", sa.String(64)),
        sa.Column("client_time", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_movement")),
        sa.ForeignKeyConstraint(["exam_id"], ["exam.id"], name=op.f("fk_movement_exam_id_exam")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name=op.f("fk_movement_session_id_exam_session")
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["roster_entry.id"], name=op.f("fk_movement_entry_id_roster_entry")
        ),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkin.id"], name=op.f("fk_movement_checkin_id_checkin")),
        sa.UniqueConstraint("entry_id", "number", name=op.f("uq_movement_entry_id_number")),
    )
    op.create_index("ix_movement_session_id", "movement", ["session_id"])


def guard_movement() -> None:
    """As for all evidence: written once."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER movement_is_written_once BEFORE UPDATE ON movement "
            "BEGIN SELECT RAISE(ABORT, 'movement is evidence and cannot be changed'); END"
        )
    else:
        op.execute(
            "CREATE TRIGGER movement_is_written_once BEFORE UPDATE ON movement "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("movement")
    # Returns mean nothing without the movements; the former index has room for one admission alone.
    op.execute(
        sa.text(
            "DELETE FROM probe_thumbnail WHERE checkin_id IN (SELECT id FROM checkin WHERE kind <> 'entry')"
        )
    )
    op.execute(
        sa.text(
            "DELETE FROM checkin_override WHERE checkin_id IN (SELECT id FROM checkin WHERE kind <> 'entry')"
        )
    )
    op.execute(sa.text("DELETE FROM checkin WHERE kind <> 'entry'"))
    index_admitted(ADMITTED)
    op.drop_column("checkin", "kind")
    op.drop_column("admission", "movements_before")
    op.drop_column("roster_entry", "extra_minutes")
    for name in RULES:
        op.drop_column("exam_session", name)
