"""What callers set about exams and sessions, and how a change is put into what is there."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.exams.errors import ExamInvalid
from service.exams.schemas import CasePictures, Faces, LateEntry, MotionUse, Offline, ReasonCode
from service.fields import Label, Moment

MatchRate = Annotated[float, Field(gt=0, le=0.01)]
ReferRate = Annotated[float, Field(gt=0, le=0.1)]
"""Beyond these nobody is verified any more: one stranger in a hundred would be let in."""

Reason = Annotated[
    str | None, Field(min_length=3, max_length=500, description="why; goes into the audit trail")
]
Attempts = Annotated[int, Field(ge=1, le=100)]
Minutes = Annotated[int, Field(ge=0, le=1_440)]
Days = Annotated[int, Field(ge=0, le=36_500)]

REASON_CODES = (
    ReasonCode(code="document_checked", label="Identity document checked"),
    ReasonCode(code="known_to_invigilator", label="Known to the invigilator"),
    ReasonCode(code="poor_capture", label="The photograph was poor"),
    ReasonCode(code="look_alike", label="Look-alike or twin, told apart by a person"),
    ReasonCode(code="impersonation_suspected", label="Impersonation suspected"),
    ReasonCode(code="wrong_candidate", label="Checked in as the wrong candidate"),
    ReasonCode(code="technical_fault", label="Technical fault"),
)


class Terms(BaseModel):
    """Base of what callers set; an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")


class ExamTerms(Terms):
    """What is set when an exam is made. A rate left out is the installation's."""

    name: Label
    reference: Label | None = Field(
        default=None, description="your own code; a roster's `exam` column must name it"
    )
    starts_at: Moment
    ends_at: Moment
    match_fmr: MatchRate | None = None
    refer_fmr: ReferRate | None = None
    attempts_allowed: Attempts = 3
    reason_codes: list[ReasonCode] = Field(default=list(REASON_CODES), min_length=1, max_length=100)
    keep_probe_thumbnails: bool = False
    thumbnail_retention_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    keep_admission_template: bool = Field(
        default=False,
        description="keep the sealed template of today's admission until the session closes, and verify who"
        " comes back against it as well",
    )
    case_pictures: CasePictures = Field(
        default="until_settled",
        description="of referred attempts, for whoever decides: `never` kept; gone with the decision, at the"
        " latest 72 hours after the session closes (`until_settled`); or kept until the `appeals` end, at"
        " least for `thumbnail_retention_days`",
    )
    appeal_ends_at: Moment | None = Field(default=None, description="by default, when the exam ends")
    retention_days: Days | None = Field(
        default=180, description="days after the appeals end; null keeps the rows"
    )
    identification: bool = Field(
        default=False,
        description="look for a face among all candidates of a session where nobody is claimed (1:N)",
    )
    faces: Faces = Field(
        default="on",
        description="`off`: no photograph is taken, compared or kept, and nobody needs a template; candidates"
        " give their numbers at a kiosk and are identified by a document. `pilot`: faces are compared and"
        " recorded, a person decides on everybody, and a report says what the machine would have done",
    )
    offline: Offline = Field(
        default="provisional",
        description="what a kiosk without network does with candidates: lets them in until they are compared"
        " (`provisional`), or sends them to a person (`hold`)",
    )
    motion: MotionUse = Field(
        default="observe",
        description="what the frames before a photograph are for: whether they show a head or something flat"
        " is recorded (`observe`), a match that they show to be flat is referred as well (`refer`), or kiosks"
        " send none (`off`). Measured on made scenes alone",
    )


class ExamChanges(Terms):
    """The fields of an exam that are to change."""

    name: Label | None = None
    reference: Label | None = None
    starts_at: Moment | None = None
    ends_at: Moment | None = None
    match_fmr: MatchRate | None = None
    refer_fmr: ReferRate | None = None
    attempts_allowed: Attempts | None = None
    reason_codes: list[ReasonCode] | None = Field(default=None, min_length=1, max_length=100)
    keep_probe_thumbnails: bool | None = None
    keep_admission_template: bool | None = None
    thumbnail_retention_days: Annotated[int, Field(ge=1, le=3_650)] | None = None
    case_pictures: CasePictures | None = None
    appeal_ends_at: Moment | None = None
    retention_days: Days | None = None
    identification: bool | None = None
    faces: Faces | None = None
    offline: Offline | None = None
    motion: MotionUse | None = None
    archived: Literal[False] | None = Field(
        default=None, description="false takes an exam out of the archive: an administrator, with a reason"
    )
    reason: Reason = None


class SessionTerms(Terms):
    """What is set when a session is made. What is left out is the exam's."""

    room: Label
    opens_at: Moment
    closes_at: Moment
    match_fmr: MatchRate | None = None
    refer_fmr: ReferRate | None = None
    attempts_allowed: Attempts | None = None
    last_entry_minutes: Minutes | None = Field(
        default=None, description="after the exam's beginning; null: until the doors close"
    )
    late_entry: LateEntry = Field(
        default="reason", description="whether a person may let in later with a `reason`, or `never`"
    )
    no_exit_first_minutes: Minutes = 0
    no_exit_last_minutes: Minutes = Field(default=0, description="before the candidate's own end")
    no_entry_after_exit: bool = Field(
        default=False, description="nobody comes in any more once somebody has left for good"
    )


class SessionChanges(Terms):
    """The fields of a session that are to change."""

    room: Label | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    match_fmr: MatchRate | None = None
    refer_fmr: ReferRate | None = None
    attempts_allowed: Attempts | None = None
    last_entry_minutes: Minutes | None = None
    late_entry: LateEntry | None = None
    no_exit_first_minutes: Minutes | None = None
    no_exit_last_minutes: Minutes | None = None
    no_entry_after_exit: bool | None = None
    reason: Reason = None


T = TypeVar("T", bound=Terms)


def merged(kind: type[T], row: object, changes: Terms) -> T:
    """A row's terms with the changes put in, checked as new ones are.

    Raises:
        ExamInvalid: If a field that must be set is emptied.
    """
    now = {name: getattr(row, name) for name in kind.model_fields}
    try:
        return kind.model_validate(now | changes.model_dump(exclude_unset=True, include=set(now)))
    except ValidationError as error:
        first = error.errors()[0]
        raise ExamInvalid(str(first["loc"][0]), str(first["msg"])) from error


def columns_of(terms: Terms) -> dict[str, Any]:
    """The terms as column values."""
    values = terms.model_dump()
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in values.items()
    }
