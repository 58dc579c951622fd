"""What the exam domain returns, in the shape in which it leaves."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from embedding.motion import Motion
from service.decisions.decision import CalibrationFacts, FalseMatchRates, Outcome, Quality, Thresholds
from service.decisions.scores import NOT_FOR_KIOSKS, SCORE, Scored
from service.fields import Label


class Verdict(StrEnum):
    """What became of an attempt."""

    ADMITTED = "admitted"
    REFERRED = "referred"
    REFUSED = "refused"
    IDENTIFIED_MANUALLY = "identified_manually"


CasePictures = Literal["never", "until_settled", "appeals"]
Faces = Literal["on", "pilot", "off"]
Source = Literal["live", "paper"]
Offline = Literal["provisional", "hold"]
MotionUse = Literal["observe", "refer", "off"]
Status = Literal["expected", "admitted", "referred", "refused", "identified_manually"]
Presence = Literal["absent", "present", "out", "left"]
LateEntry = Literal["reason", "never"]


class ReasonCode(BaseModel):
    """One reason that an exam accepts for an override."""

    code: str = Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")
    label: Label


class Exam(BaseModel):
    """An exam with the rules for all its sessions; the rates are those in force."""

    id: UUID
    name: str
    reference: str | None
    starts_at: datetime
    ends_at: datetime
    match_fmr: float
    refer_fmr: float
    own_match_fmr: float | None = Field(description="what the exam sets itself; null: as the server is set")
    own_refer_fmr: float | None = Field(description="what the exam sets itself; null: as the server is set")
    attempts_allowed: int
    reason_codes: list[ReasonCode]
    keep_probe_thumbnails: bool
    keep_admission_template: bool
    thumbnail_retention_days: int
    case_pictures: CasePictures
    appeal_ends_at: datetime
    retention_days: int | None
    identification: bool
    faces: Faces
    offline: Offline
    motion: MotionUse
    created_at: datetime
    purged_at: datetime | None
    archived_at: datetime | None


class ExamDefaults(BaseModel):
    """What holds for an exam that sets nothing itself."""

    match_fmr: float = Field(description="as the server is set")
    refer_fmr: float = Field(description="as the server is set")
    attempts_allowed: int
    reason_codes: list[ReasonCode]
    thumbnail_retention_days: int
    case_pictures: CasePictures
    retention_days: int | None
    can_keep_pictures: bool = Field(description="whether there is a template key to encrypt them")


class Session(BaseModel):
    """One room and one window; the rates and attempts are those in force."""

    id: UUID
    exam_id: UUID
    exam_name: str
    room: str
    opens_at: datetime
    closes_at: datetime
    state: Literal["upcoming", "open", "closed"]
    match_fmr: float
    refer_fmr: float
    attempts_allowed: int
    identification: bool = Field(description="whether a check-in may leave out the candidate")
    faces: Faces = Field(description="`off`: documents alone; `pilot`: compared, and people decide")
    motion: MotionUse = Field(description="`off`: a check-in needs no `frames`")
    candidates: int
    starts_at: datetime = Field(description="when the exam begins")
    ends_at: datetime = Field(description="when the exam ends, for whoever has no extra time")
    last_entry_minutes: int | None
    late_entry: LateEntry
    no_exit_first_minutes: int
    no_exit_last_minutes: int
    no_entry_after_exit: bool
    reason_codes: list[ReasonCode]
    server_time: datetime
    created_at: datetime


class KioskKey(BaseModel):
    """A kiosk's key: it opens one session, until it closes. The text cannot be shown again."""

    id: UUID
    name: str
    session_id: UUID
    expires_at: datetime
    key: str


class Counts(BaseModel):
    """How a session stands. They stay when its rows are purged."""

    candidates: int = 0
    expected: int = 0
    admitted: int = 0
    identified_manually: int = 0
    referred: int = 0
    held: int = Field(default=0, description="of the referred: came while a kiosk was without network")
    refused: int = 0
    attempts: int = Field(default=0, description="photographs taken, also of people nobody recognised")
    overrides: int = 0
    out: int = Field(default=0, description="went out and are not back")
    left: int = Field(default=0, description="handed in, or left for good")


class Flags(BaseModel):
    """What the invigilator should know about a candidate."""

    manual_identification: bool = Field(description="identified by a document, no photograph is used")
    private_check: bool = Field(
        description="checked apart, by a person: no photograph is taken at a kiosk, and no reason is kept"
    )
    twin: bool = Field(
        description="looks like somebody else, by the roster or by an enrolment; a machine alone never admits"
    )
    accommodation: str | None

    @property
    def is_for_a_person(self) -> bool:
        """Whether a person identifies the candidate by agreement, and no photograph is looked at."""
        return self.manual_identification or self.private_check


class Person(BaseModel):
    """A candidate in few words."""

    external_id: str
    display_name: str | None
    seat: str | None


class Absence(BaseModel):
    """A time outside the room."""

    since: datetime
    until: datetime | None = Field(description="null where nobody came back")


class Candidate(Person):
    """A roster entry and how it stands."""

    entry_id: UUID
    subject_id: UUID | None
    flags: Flags
    status: Status
    status_at: datetime | None
    checkin_id: UUID | None = Field(description="the attempt that the status rests on")
    attempts: int
    attempts_allowed: int = Field(description="by the session, and by whoever allowed more")
    presence: Presence = Field(description="`absent`: not let in; `out`: gone out; `left`: for good")
    presence_at: datetime | None = Field(description="since when")
    absences: list[Absence]
    extra_minutes: int
    source: Source | None = Field(
        description="of what the status rests on: `paper` was typed in afterwards; null: nobody came"
    )
    held: bool = Field(
        description="came while a kiosk had no network, and what the comparison left open is not settled"
    )
    provisional: bool = Field(description="whether that kiosk let the candidate in: held, and in the room")


class Conflict(Person, Scored):
    """Another candidate of the exam whose face is this near to the probe, or the same one in another room."""

    session_id: UUID
    room: str | None
    d: float = Field(json_schema_extra=SCORE)
    checked_in_at: datetime | None


class Override(BaseModel):
    """A person's decision about an attempt."""

    id: UUID
    checkin_id: UUID
    outcome: Verdict
    previous_outcome: Verdict
    reason_code: str
    note: str | None
    actor: str
    operator: str | None
    created_at: datetime


class Checkin(Scored):
    """One attempt with everything its decision rests on, and the overrides that followed."""

    id: UUID
    exam_id: UUID
    session_id: UUID
    entry_id: UUID | None = Field(json_schema_extra=NOT_FOR_KIOSKS)
    subject_id: UUID | None = Field(json_schema_extra=NOT_FOR_KIOSKS)
    external_id: str | None
    display_name: str | None
    seat: str | None
    kind: Literal["entry", "return", "repeat"] = Field(
        description="`repeat`: of somebody whose case was settled, by a kiosk that could not know"
    )
    mode: Literal["claimed", "search", "manual"]
    attempt: int | None
    outcome: Verdict
    effective_outcome: Verdict = Field(description="the newest override's outcome, or this row's own")
    superseded_by: UUID | None = Field(
        description="the newer attempt that counts for the candidate: this one is no open case"
    )
    decision: Outcome | None
    reasons: list[str]
    why: list[str] = Field(
        description="why it was referred: the reasons, or the band that the distance lies in"
    )
    conflicts: list[Conflict]
    d: float | None = Field(json_schema_extra=SCORE)
    threshold: Thresholds | None = Field(json_schema_extra=SCORE)
    fmr: FalseMatchRates | None
    template_id: UUID | None = Field(json_schema_extra=NOT_FOR_KIOSKS)
    probe_quality: Quality | None = Field(json_schema_extra=NOT_FOR_KIOSKS)
    motion: Motion | None = Field(
        json_schema_extra=NOT_FOR_KIOSKS,
        description="what the frames before the photograph showed: a head (`live`), something `flat`, or"
        " neither for sure; null: none were looked at. Measured on made scenes alone",
    )
    model_id: str | None
    calibration: CalibrationFacts | None
    timings_ms: dict[str, Any] | None
    document_type: str | None
    note: str | None
    actor: str
    operator: str | None
    kiosk: str | None
    client_time: datetime | None
    clock_skew_s: float | None = Field(
        description="the client's clock less the server's, when it was taken; the server's decides"
    )
    contact_at: datetime | None = Field(
        description="of one taken without network: the server's clock when the kiosk last heard from it"
    )
    since_contact_ms: int | None = Field(description="and how long that was before, by the kiosk")
    since_claim_ms: int | None = Field(
        description="how long before the picture was sent the number was given, or another try asked for"
    )
    taken_at: datetime | None = Field(
        description="when it was taken, reckoned from both, or as paper says; null: as it came"
    )
    source: Source = Field(description="`paper`: typed in afterwards from a room sheet")
    time_estimated: bool = Field(description="whether `taken_at` rests on the kiosk's own clock")
    held: bool = Field(description="taken without network, referred, and not settled")
    provisional: bool | None = Field(
        description="whether a kiosk without network let the person in; null: it had the network"
    )
    created_at: datetime
    request_id: str | None
    has_thumbnail: bool
    has_enrolment_picture: bool = Field(
        json_schema_extra=NOT_FOR_KIOSKS, description="whether a crop of the enrolment is kept"
    )
    overrides: list[Override]


class Movement(BaseModel):
    """Somebody who was let in went out, came back or left; or a person took that back."""

    id: UUID
    session_id: UUID
    kind: Literal["exit", "return", "end", "undo"]
    external_id: str
    display_name: str | None
    seat: str | None
    at: datetime = Field(description="when it happened; of a room sheet, as it says")
    source: Source = Field(description="`paper`: typed in afterwards from a room sheet")
    recorded_at: datetime
    checkin_id: UUID | None = Field(description="the check-in that a return rests on")
    undoes: UUID | None = Field(description="the movement that is taken back")
    undone: bool = Field(description="whether it was taken back")
    reason: str | None
    actor: str
    operator: str | None
    kiosk: str | None
    client_time: datetime | None
