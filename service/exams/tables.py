"""The tables of the exam domain.

`checkin`, `checkin_override` and `movement` are evidence: triggers refuse every UPDATE, and rows leave only
when their retention ends. They hold no foreign key to a subject: evidence outlives an erasure, by number, not
by face.
`admission` is a lock and no evidence: its primary key lets a candidate into a session once, whoever asks.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, false, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from index.ids import uuid7
from index.tables import FOR_THE_MOMENT, Base, build_form_default, utc_now

OUTCOME_LENGTH = 24


class ExamRow(Base):
    """An exam and the rules for all its sessions. A rate that is None is the installation's."""

    __tablename__ = "exam"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(255))
    reference: Mapped[str | None] = mapped_column(String(255))
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    match_fmr: Mapped[float | None]
    refer_fmr: Mapped[float | None]
    attempts_allowed: Mapped[int]
    reason_codes: Mapped[list[Any]]
    keep_probe_thumbnails: Mapped[bool]
    thumbnail_retention_days: Mapped[int]
    case_pictures: Mapped[str] = mapped_column(String(16), default="until_settled")
    """What is kept of a referred attempt, for whoever decides on it."""
    appeal_ends_at: Mapped[datetime | None]
    retention_days: Mapped[int | None]
    identification: Mapped[bool] = mapped_column(default=False)
    """Whether a face may be looked for among all candidates of a session, without a claim."""
    faces: Mapped[str] = mapped_column(String(8), default="on", server_default="on")
    """Whether photographs are compared: `on`; `pilot`, where they decide nothing; or `off`."""
    offline: Mapped[str] = mapped_column(String(12), default="provisional", server_default="provisional")
    """What a kiosk without network does with whoever comes: lets in (`provisional`), or sends to a person."""
    motion: Mapped[str] = mapped_column(String(8), default="observe", server_default="observe")
    """What frames of the moments before a photograph are for: recorded, a reason to `refer`, or `off`."""
    keep_admission_template: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the template of today's admission is kept until the session closes, for returns."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    purged_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    """From then on it is evidence alone: readable, and closed to every change."""


class SessionRow(Base):
    """One room and one window of time. What is None is the exam's."""

    __tablename__ = "exam_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    exam_id: Mapped[UUID] = mapped_column(ForeignKey("exam.id"), index=True)
    room: Mapped[str] = mapped_column(String(255))
    opens_at: Mapped[datetime]
    closes_at: Mapped[datetime]
    match_fmr: Mapped[float | None]
    refer_fmr: Mapped[float | None]
    attempts_allowed: Mapped[int | None]
    last_entry_minutes: Mapped[int | None]
    """How long after the exam's beginning the machine lets people in; None: until the doors close."""
    late_entry: Mapped[str] = mapped_column(String(8), default="reason", server_default="reason")
    """Whether a person may let in later with a `reason`, or `never`."""
    no_exit_first_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    no_exit_last_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    no_entry_after_exit: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether nobody comes in any more once somebody has left for good."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    tally: Mapped[dict[str, Any] | None]
    """The counts that stay when the rows are purged."""


class RosterEntryRow(Base):
    """A candidate who is expected in a session."""

    __tablename__ = "roster_entry"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"))
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id", ondelete="SET NULL"), index=True)
    external_id: Mapped[str] = mapped_column(String(255))
    external_key: Mapped[str] = mapped_column(
        Text, default=build_form_default("external_key"), server_default=""
    )
    """What ids are compared by; rows of before ids were compared may clash."""
    display_name: Mapped[str | None] = mapped_column(String(255))
    seat: Mapped[str | None] = mapped_column(String(64))
    manual_identification: Mapped[bool]
    twin: Mapped[bool]
    accommodation: Mapped[str | None] = mapped_column(String(255))
    private_check: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the candidate is checked apart, by a person; why is nobody's business and kept nowhere."""
    extra_attempts: Mapped[int] = mapped_column(default=0)
    """Photographs that a person allowed beyond those of the session."""
    extra_minutes: Mapped[int] = mapped_column(default=0, server_default="0")
    """How much longer than the others the candidate may write."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    @hybrid_property
    def is_for_a_person(self) -> bool:
        """Whether a person identifies the candidate by agreement, and no photograph is looked at."""
        return self.manual_identification | self.private_check

    __table_args__ = (
        UniqueConstraint("session_id", "external_id"),
        UniqueConstraint("session_id", "seat"),
        Index("ix_roster_entry_session_id_external_key", "session_id", "external_key"),
    )


class CheckinRow(Base):
    """One attempt at the door, with everything its decision rests on. Written once."""

    __tablename__ = "checkin"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    exam_id: Mapped[UUID] = mapped_column(ForeignKey("exam.id"), index=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"), index=True)
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("roster_entry.id"))
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    external_id: Mapped[str | None] = mapped_column(String(255))
    seat: Mapped[str | None] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(8), default="entry", server_default="entry")
    """`entry`; `return` of somebody who had gone out; or `repeat`, of somebody whose case was settled, which
    only a kiosk without network can take."""
    mode: Mapped[str] = mapped_column(String(8))
    attempt: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(OUTCOME_LENGTH))
    decision: Mapped[str | None] = mapped_column(String(8))
    reasons: Mapped[list[str]]
    conflicts: Mapped[list[Any]]
    d: Mapped[float | None]
    match_d: Mapped[float | None]
    refer_d: Mapped[float | None]
    match_fmr: Mapped[float | None]
    refer_fmr: Mapped[float | None]
    fmr_at_d: Mapped[float | None]
    template_id: Mapped[UUID | None]
    model_id: Mapped[str | None] = mapped_column(String(100))
    calibration: Mapped[dict[str, Any] | None]
    probe_quality: Mapped[dict[str, Any] | None]
    motion: Mapped[str | None] = mapped_column(String(8))
    """What frames told of the face, `live`, `flat` or `not_told`; None where none were looked at."""
    timings_ms: Mapped[dict[str, Any] | None]
    document_type: Mapped[str | None] = mapped_column(String(32))
    note: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(255))
    operator: Mapped[str | None] = mapped_column(String(255))
    kiosk: Mapped[str | None] = mapped_column(String(64))
    client_time: Mapped[datetime | None]
    contact_at: Mapped[datetime | None]
    """Of an attempt that was taken without network: the server's clock when the kiosk last heard from it."""
    since_contact_ms: Mapped[int | None] = mapped_column(BigInteger)
    """How long that was before, by a clock of the kiosk that nobody sets."""
    since_claim_ms: Mapped[int | None]
    """How long before its picture was sent the number was given, or another try asked for; by the kiosk."""
    taken_at: Mapped[datetime | None]
    """When it was taken, reckoned from both or as paper says; None where the attempt came as it was made."""
    time_estimated: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the kiosk's clock had to be believed, as after a reload."""
    source: Mapped[str] = mapped_column(String(8), default="live", server_default="live")
    """`live`; or `paper`, typed in afterwards from a room sheet with the paper's time in `taken_at`."""
    provisional: Mapped[bool | None]
    """Whether the kiosk let the person in before anything was compared; None where it had the network."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    request_id: Mapped[str | None] = mapped_column(String(128))

    __table_args__ = (
        UniqueConstraint("entry_id", "attempt"),
        Index(
            "uq_checkin_admitted",
            "entry_id",
            unique=True,
            sqlite_where=text("outcome = 'admitted' AND kind = 'entry'"),
            postgresql_where=text("outcome = 'admitted' AND kind = 'entry'"),
        ),
        Index("ix_checkin_model_id_created_at", "model_id", "created_at"),
    )


class AdmissionRow(Base):
    """The one admission of a candidate that counts. A correction to `refused` takes it away again."""

    __tablename__ = "admission"

    entry_id: Mapped[UUID] = mapped_column(ForeignKey("roster_entry.id"), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"))
    checkin_id: Mapped[UUID] = mapped_column(ForeignKey("checkin.id"))
    seat: Mapped[str | None] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(OUTCOME_LENGTH))
    at: Mapped[datetime] = mapped_column(default=utc_now)
    movements_before: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many movements were of an admission that was taken away before."""

    __table_args__ = (UniqueConstraint("session_id", "seat"),)


class AdmissionTemplateRow(Base):
    """The template of the photograph by which somebody was let in; gone when the session closes.

    It goes with the admission, and with the template of the enrolment that it was compared with.
    """

    __tablename__ = "admission_template"

    entry_id: Mapped[UUID] = mapped_column(
        ForeignKey("admission.entry_id", ondelete="CASCADE"), primary_key=True
    )
    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"), index=True)
    template_id: Mapped[UUID] = mapped_column(ForeignKey("template.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[str] = mapped_column(String(100))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class MovementRow(Base):
    """Somebody who was let in went out, came back or left; or a person took that back. Written once."""

    __tablename__ = "movement"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    exam_id: Mapped[UUID] = mapped_column(ForeignKey("exam.id"))
    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"), index=True)
    entry_id: Mapped[UUID] = mapped_column(ForeignKey("roster_entry.id"))
    number: Mapped[int]
    """Of the candidate's movements: two at once cannot both be the next one."""
    kind: Mapped[str] = mapped_column(String(8))
    undoes: Mapped[UUID | None]
    checkin_id: Mapped[UUID | None] = mapped_column(ForeignKey("checkin.id"))
    """The check-in that a return rests on."""
    reason: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(255))
    operator: Mapped[str | None] = mapped_column(String(255))
    kiosk: Mapped[str | None] = mapped_column(String(64))
    client_time: Mapped[datetime | None]
    source: Mapped[str] = mapped_column(String(8), default="live", server_default="live")
    """`live`; or `paper`, typed in afterwards."""
    taken_at: Mapped[datetime | None]
    """When it happened, as paper says; None where it was recorded as it happened."""
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    request_id: Mapped[str | None] = mapped_column(String(128))

    __table_args__ = (UniqueConstraint("entry_id", "number"),)


class OverrideRow(Base):
    """A person's decision about an attempt. The newest one counts; none is ever changed."""

    __tablename__ = "checkin_override"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    checkin_id: Mapped[UUID] = mapped_column(ForeignKey("checkin.id"))
    number: Mapped[int]
    entry_id: Mapped[UUID | None] = mapped_column(ForeignKey("roster_entry.id"))
    outcome: Mapped[str] = mapped_column(String(OUTCOME_LENGTH))
    previous_outcome: Mapped[str] = mapped_column(String(OUTCOME_LENGTH))
    reason_code: Mapped[str] = mapped_column(String(64))
    note: Mapped[str | None] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(String(255))
    operator: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    request_id: Mapped[str | None] = mapped_column(String(128))

    __table_args__ = (UniqueConstraint("checkin_id", "number"),)


class ComplaintRow(Base):
    """A complaint about a check-in; it goes with the check-in, which is on hold until it is answered."""

    __tablename__ = "complaint"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    exam_id: Mapped[UUID] = mapped_column(ForeignKey("exam.id"), index=True)
    checkin_id: Mapped[UUID] = mapped_column(ForeignKey("checkin.id"))
    hold_id: Mapped[UUID]
    """Of the exam: nothing that the answer may rest on is swept."""
    text: Mapped[str] = mapped_column(Text)
    received_on: Mapped[date]
    due_on: Mapped[date]
    taken_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    answer: Mapped[str | None] = mapped_column(Text)
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None] = mapped_column(String(255))


class ModelUseRow(Base):
    """What became of a model's attempts in one week at one kiosk: counts of exams whose evidence is gone."""

    __tablename__ = "model_use"

    model_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    week: Mapped[date] = mapped_column(primary_key=True)
    """Its Monday."""
    kiosk: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Empty for those with too few attempts, and for attempts at no kiosk."""
    counts: Mapped[dict[str, Any]]


class ThumbnailRow(Base):
    """A small picture of an attempt, encrypted, where the exam says that one is kept."""

    __tablename__ = "probe_thumbnail"

    checkin_id: Mapped[UUID] = mapped_column(ForeignKey("checkin.id"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    until_settled: Mapped[bool] = mapped_column(default=False)
    """Whether it goes with the decision, for which alone it was kept."""
    expires_at: Mapped[datetime] = mapped_column(index=True)


class QueueKeyRow(Base):
    """What the queues of a session's kiosks are sealed with; gone once none of them may be delivered."""

    __tablename__ = "queue_key"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class DeliveryRow(Base):
    """What became of one item of a queue: delivered again it changes nothing."""

    __tablename__ = "queue_delivery"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("exam_session.id"), primary_key=True)
    item: Mapped[str] = mapped_column(String(32), primary_key=True)
    checkin_id: Mapped[UUID | None] = mapped_column(ForeignKey("checkin.id"))
    code: Mapped[str | None] = mapped_column(String(64))
    """Why it made no attempt."""
    at: Mapped[datetime] = mapped_column(default=utc_now)


class ListLayoutRow(Base):
    """Which heading is which column in a kind of list, as an office has said once."""

    __tablename__ = "list_layout"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    columns: Mapped[dict[str, Any]]
    changed_by: Mapped[str] = mapped_column(String(255))
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)


class KioskPairingRow(Base):
    """A tablet that asks to be a kiosk, until its code ends."""

    __tablename__ = "kiosk_pairing"
    __table_args__ = FOR_THE_MOMENT

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    """Also of the key that it gets."""
    code_digest: Mapped[str] = mapped_column(String(64), unique=True)
    secret_digest: Mapped[str] = mapped_column(String(64))
    address: Mapped[str | None] = mapped_column(String(64))
    agent: Mapped[str | None] = mapped_column(String(255))
    session_id: Mapped[UUID | None]
    name: Mapped[str | None] = mapped_column(String(255))
    confirmed_by: Mapped[str | None] = mapped_column(String(255))
    collected_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class KioskSignRow(Base):
    """The last sign of a kiosk."""

    __tablename__ = "kiosk_sign"

    key_id: Mapped[UUID] = mapped_column(ForeignKey("api_key.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime]
    camera: Mapped[str] = mapped_column(String(16))
    battery: Mapped[float | None]
    charging: Mapped[bool | None]


class CardRow(Base):
    """A further number of a subject, such as that of a library card or a chip."""

    __tablename__ = "card"

    number_key: Mapped[str] = mapped_column(String(512), primary_key=True)
    number: Mapped[str] = mapped_column(String(255))
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
