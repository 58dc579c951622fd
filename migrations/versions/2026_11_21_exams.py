"""Exams: sessions, rosters, check-ins, overrides, kept pictures; triggers that guard the evidence."""

import sqlalchemy as sa
from alembic import op

revision = "20261121_exams"
down_revision = "20261121_first_tables"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)
ADMITTED = sa.text("outcome = 'admitted'")
EVIDENCE = ("checkin", "checkin_override")


def upgrade() -> None:
    create_exam()
    create_exam_session()
    create_roster_entry()
    create_checkin()
    create_admission()
    create_checkin_override()
    create_probe_thumbnail()
    guard = guard_sqlite if op.get_bind().dialect.name == "sqlite" else guard_postgresql
    guard()


def create_exam() -> None:
    op.create_table(
        "exam",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("reference", sa.String(255)),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("match_fmr", sa.Double()),
        sa.Column("refer_fmr", sa.Double()),
        sa.Column("attempts_allowed", sa.Integer(), nullable=False),
        sa.Column("reason_codes", JSON, nullable=False),
        sa.Column("keep_probe_thumbnails", sa.Boolean(), nullable=False),
        sa.Column("thumbnail_retention_days", sa.Integer(), nullable=False),
        sa.Column("appeal_ends_at", MOMENT),
        sa.Column("retention_days", sa.Integer()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("purged_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_exam"),
    )


def create_exam_session() -> None:
    op.create_table(
        "exam_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid(), nullable=False),
        sa.Column("room", sa.String(255), nullable=False),
        sa.Column("opens_at", MOMENT, nullable=False),
        sa.Column("closes_at", MOMENT, nullable=False),
        sa.Column("match_fmr", sa.Double()),
        sa.Column("refer_fmr", sa.Double()),
        sa.Column("attempts_allowed", sa.Integer()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("tally", JSON),
        sa.ForeignKeyConstraint(["exam_id"], ["exam.id"], name="fk_exam_session_exam_id_exam"),
        sa.PrimaryKeyConstraint("id", name="pk_exam_session"),
    )
    op.create_index("ix_exam_session_exam_id", "exam_session", ["exam_id"])


def create_roster_entry() -> None:
    op.create_table(
        "roster_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("external_id", sa.String(255), nullable=False),
        sa.Column("display_name", sa.String(255)),
        sa.Column("seat", sa.String(64)),
        sa.Column("manual_identification", sa.Boolean(), nullable=False),
        sa.Column("twin", sa.Boolean(), nullable=False),
        sa.Column("accommodation", sa.String(255)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name="fk_roster_entry_session_id_exam_session"
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_roster_entry_subject_id_subject", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_roster_entry"),
        sa.UniqueConstraint("session_id", "external_id", name="uq_roster_entry_session_id_external_id"),
        sa.UniqueConstraint("session_id", "seat", name="uq_roster_entry_session_id_seat"),
    )
    op.create_index("ix_roster_entry_subject_id", "roster_entry", ["subject_id"])


def create_checkin() -> None:
    op.create_table(
        "checkin",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("exam_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid()),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("external_id", sa.String(255)),
        sa.Column("seat", sa.String(64)),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("attempt", sa.Integer()),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("decision", sa.String(8)),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("conflicts", JSON, nullable=False),
        *(
            sa.Column(name, sa.Double())
            for name in ("d", "match_d", "refer_d", "match_fmr", "refer_fmr", "fmr_at_d")
        ),
        sa.Column("template_id", sa.Uuid()),
        sa.Column("model_id", sa.String(100)),
        sa.Column("calibration", JSON),
        sa.Column("probe_quality", JSON),
        sa.Column("timings_ms", JSON),
        sa.Column("document_type", sa.String(32)),
        sa.Column("note", sa.Text()),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("operator", sa.String(255)),
        sa.Column("kiosk", sa.String(64)),
        sa.Column("client_time", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.ForeignKeyConstraint(["exam_id"], ["exam.id"], name="fk_checkin_exam_id_exam"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name="fk_checkin_session_id_exam_session"
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["roster_entry.id"], name="fk_checkin_entry_id_roster_entry"),
        sa.PrimaryKeyConstraint("id", name="pk_checkin"),
        sa.UniqueConstraint("entry_id", "attempt", name="uq_checkin_entry_id_attempt"),
    )
    op.create_index("ix_checkin_exam_id", "checkin", ["exam_id"])
    op.create_index("ix_checkin_session_id", "checkin", ["session_id"])
    op.create_index("ix_checkin_subject_id", "checkin", ["subject_id"])
    op.create_index(
        "uq_checkin_admitted",
        "checkin",
        ["entry_id"],
        unique=True,
        sqlite_where=ADMITTED,
        postgresql_where=ADMITTED,
    )


def create_admission() -> None:
    op.create_table(
        "admission",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("seat", sa.String(64)),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["entry_id"], ["roster_entry.id"], name="fk_admission_entry_id_roster_entry"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["exam_session.id"], name="fk_admission_session_id_exam_session"
        ),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkin.id"], name="fk_admission_checkin_id_checkin"),
        sa.PrimaryKeyConstraint("entry_id", name="pk_admission"),
        sa.UniqueConstraint("session_id", "seat", name="uq_admission_session_id_seat"),
    )


def create_checkin_override() -> None:
    op.create_table(
        "checkin_override",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("entry_id", sa.Uuid()),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("previous_outcome", sa.String(24), nullable=False),
        sa.Column("reason_code", sa.String(64), nullable=False),
        sa.Column("note", sa.Text()),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("operator", sa.String(255)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.ForeignKeyConstraint(
            ["checkin_id"], ["checkin.id"], name="fk_checkin_override_checkin_id_checkin"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["roster_entry.id"], name="fk_checkin_override_entry_id_roster_entry"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_checkin_override"),
        sa.UniqueConstraint("checkin_id", "number", name="uq_checkin_override_checkin_id_number"),
    )


def create_probe_thumbnail() -> None:
    op.create_table(
        "probe_thumbnail",
        sa.Column("checkin_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["checkin_id"], ["checkin.id"], name="fk_probe_thumbnail_checkin_id_checkin"),
        sa.PrimaryKeyConstraint("checkin_id", name="pk_probe_thumbnail"),
    )
    op.create_index("ix_probe_thumbnail_expires_at", "probe_thumbnail", ["expires_at"])


# Evidence is written once. It leaves only as a whole row, when its retention ends.
#
# At the erasure of a subject, the names on rosters and the kept pictures go in the same transaction: the
# erasure belongs to the enrolment database, which knows nothing of exams.


def guard_sqlite() -> None:
    for table in EVIDENCE:
        op.execute(
            f"CREATE TRIGGER {table}_is_written_once BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is evidence and cannot be changed'); END"
        )
    op.execute(
        "CREATE TRIGGER subject_erased BEFORE DELETE ON subject BEGIN "
        "UPDATE roster_entry SET display_name = NULL WHERE subject_id = OLD.id; "
        "DELETE FROM probe_thumbnail WHERE checkin_id IN "
        "(SELECT id FROM checkin WHERE subject_id = OLD.id); END"
    )


def guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION '% is evidence and cannot be changed', TG_TABLE_NAME; END $$"
    )
    for table in EVIDENCE:
        op.execute(
            f"CREATE TRIGGER {table}_is_written_once BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION forget_subject() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "UPDATE roster_entry SET display_name = NULL WHERE subject_id = OLD.id; "
        "DELETE FROM probe_thumbnail WHERE checkin_id IN (SELECT id FROM checkin WHERE subject_id = OLD.id); "
        "RETURN OLD; END $$"
    )
    op.execute(
        "CREATE TRIGGER subject_erased BEFORE DELETE ON subject "
        "FOR EACH ROW EXECUTE FUNCTION forget_subject()"
    )
