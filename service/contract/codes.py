"""Which errors an operation may answer with: what follows from its shape, and what only its work knows.

A test asks the running service: no answer has a code that is not promised here.
"""

from collections.abc import Iterable, Iterator

from embedding import errors as embedding
from embedding.quality import REFUSALS
from index import errors as index
from index.models import errors as promotion
from service import errors as service
from service.contract.operations import JSON, Operation
from service.exams import errors as exams

Errors = tuple[type[Exception], ...]

CALLER: Errors = (service.Unauthenticated, service.Forbidden, service.RateLimited, service.InvalidRequest)
DATABASE: Errors = (
    index.DatabaseBusy,
    index.DatabaseFull,
    index.DatabaseUnavailable,
    index.DatabaseOutdated,
)
BODY: Errors = (service.BodyTooLarge, service.UploadTooSlow)
OTHER_BODY: Errors = (service.WrongMediaType,)
ONCE: Errors = (service.IdempotencyConflict, service.IdempotencyPending, index.SubjectNotFound)
"""An answer that was about somebody who has been erased since is not given again."""
PICTURE: Errors = (embedding.ImageError, service.QueueFull)
COMPARED: Errors = (index.TemplateUnreadable, embedding.ModelMismatch)
ENROLLED: Errors = (
    embedding.FaceError,
    index.DuplicateIdentity,
    index.NotTheSamePerson,
    index.LegalBasisExpired,
    index.KeyMissing,
    *COMPARED,
)
SEALED: Errors = (index.KeyMissing, index.TemplateUnreadable)
SUBJECT: Errors = (index.SubjectNotFound, index.ExternalIdAmbiguous)
EXAM_CHANGE: Errors = (exams.ExamArchived, exams.ExamPurged)
DOOR: Errors = (exams.CheckinRefused, exams.CandidateRequired, exams.NumberInvalid, *EXAM_CHANGE)
LIST_READ: Errors = (exams.RosterUnreadable, *OTHER_BODY)

WHOLE_KINDS = frozenset(
    {
        embedding.ImageError,
        embedding.FaceError,
        promotion.PromotionError,
        exams.CheckinRefused,
        exams.QueueError,
        exams.PaperError,
        exams.OverrideError,
    }
)
"""Never raised themselves: each stands for the classes below it."""

NAMED: dict[str, Errors] = {
    "subject": SUBJECT,
    "template_id": (index.TemplateNotFound,),
    "model_id": (index.ModelNotFound,),
    "job_id": (index.JobNotFound,),
    "proposal_id": (index.ProposalNotFound,),
    "webhook_id": (index.WebhookNotFound,),
    "delivery_id": (index.WebhookNotFound,),
    "key_id": (service.KeyNotFound,),
    "operator_id": (service.OperatorNotFound,),
    "exam_id": (exams.ExamNotFound,),
    "session_id": (service.SessionNotFound,),
    "checkin_id": (exams.CheckinNotFound,),
    "complaint_id": (exams.ComplaintNotFound,),
    "hold_id": (exams.HoldNotFound,),
    "kiosk_id": (exams.KioskNotFound,),
    "movement_id": (exams.MovementNotFound,),
    "external_id": (exams.NotOnRoster,),
}
"""What is not there, by the parameter of the path that names it."""

OF_WORK: dict[str, Errors] = {
    "add_subject": (index.ExternalIdExists,),
    "change_subject": (index.ExternalIdExists,),
    "erase_subject": (index.SubjectOnHold, index.ClockLeapt),
    "enrol_template": ENROLLED,
    "enrol_photo_of": (index.ExternalIdAmbiguous, index.ExternalIdExists, *ENROLLED),
    "read_photo_list": OTHER_BODY,
    "put_portrait": (embedding.FaceError, index.LegalBasisExpired, *SEALED),
    "show_portrait": (index.PortraitNotFound, *SEALED),
    "remove_portrait": (index.PortraitNotFound,),
    "issue_enrolment_link": (index.PortraitNotFound, index.LegalBasisExpired, index.KeyMissing),
    "issue_enrolment_links": (index.LegalBasisExpired, index.KeyMissing),
    "show_proposal_picture": SEALED,
    "show_proposal_portrait": (index.PortraitNotFound, *SEALED),
    "accept_sent_picture": (index.ProposalTaken, embedding.ImageError, service.QueueFull, *ENROLLED),
    "refuse_sent_picture": (index.ProposalTaken,),
    "verify_subject": (
        embedding.FaceError,
        index.NoTemplate,
        index.LegalBasisExpired,
        service.GuessesExhausted,
        *COMPARED,
    ),
    "compare_pictures": (embedding.FaceError, embedding.ModelMismatch),
    "search_gallery": (embedding.FaceError, service.SessionNotFound, *COMPARED),
    "show_survey": (service.QueueFull, index.TemplateUnreadable),
    "set_cards": (exams.CardTaken, exams.NumberInvalid),
    "promote_model": (promotion.PromotionError, exams.SessionOpen, exams.ReasonRequired),
    "roll_back_model": (
        index.NothingToRollBack,
        index.ModelNotFound,
        promotion.BundleChanged,
        promotion.CalibrationUnfit,
        promotion.ActiveModelChanged,
        exams.SessionOpen,
        exams.ReasonRequired,
    ),
    "start_model_shadow": (
        promotion.BundleChanged,
        promotion.CalibrationUnfit,
        promotion.ShadowRunning,
        promotion.ShadowImpossible,
    ),
    "submit_job": (index.ModelNotFound, index.ExternalIdExists, index.SubjectNotFound),
    "cancel_job": (index.JobEnded,),
    "create_key": (service.SessionNotFound,),
    "add_webhook": (service.TargetRefused, index.KeyMissing),
    "change_webhook": (service.TargetRefused, index.KeyMissing),
    "rotate_webhook_secret": (index.KeyMissing,),
    "test_webhook": (index.WebhookDisabled,),
    "send_webhook_again": (index.WebhookDisabled,),
    "look_at_code": (exams.CodeUnknown, exams.TooManyCodes, service.SignInsExhausted),
    "add_kiosk": (
        exams.CodeUnknown,
        exams.PairingEnded,
        exams.SessionClosed,
        service.SignInsExhausted,
        *EXAM_CHANGE,
    ),
    "create_kiosk_key": (exams.SessionClosed, *EXAM_CHANGE),
    "give_sign": (exams.KioskNotFound, exams.SessionClosed),
    "create_operator": (service.LoginExists, exams.ExamNotFound),
    "change_operator": (
        service.LoginExists,
        service.OperatorEnded,
        service.LastAdministrator,
        exams.ExamNotFound,
    ),
    "reset_operator": (service.OperatorEnded, service.LastAdministrator),
    "end_operator": (service.OperatorEnded, service.LastAdministrator),
    "change_password": (service.NotAnOperator, service.SignInsExhausted, service.SignInRefused),
    "begin_second_factor": (
        service.NotAnOperator,
        service.SignInsExhausted,
        service.SignInRefused,
        service.NotReady,
    ),
    "confirm_second_factor": (service.NotAnOperator, service.NotReady),
    "remove_second_factor": (service.NotAnOperator, service.SignInsExhausted, service.SignInRefused),
    "change_exam": (exams.ReasonRequired, exams.SessionOpen, *EXAM_CHANGE),
    "delete_exam": (exams.SessionOpen, exams.ExamOnHold, exams.ReasonRequired, *EXAM_CHANGE),
    "purge": (exams.RetentionRunning, exams.ExamOnHold, exams.ExamPurged, index.ClockLeapt),
    "create_session": EXAM_CHANGE,
    "change_session": (exams.ReasonRequired, exams.SessionOpen, *EXAM_CHANGE),
    "put_roster": (
        exams.RosterRefused,
        exams.RosterChanged,
        exams.ListLayoutNotFound,
        index.KeyMissing,
        *LIST_READ,
        *EXAM_CHANGE,
    ),
    "forget_list_layout": (exams.ListLayoutNotFound,),
    "print_attendance": (exams.TooManyForPaper,),
    "print_exam_attendance": (exams.TooManyForPaper,),
    "print_sheet": (exams.TooManyForPaper, *SEALED),
    "download_evidence": (index.SubjectNotFound,),
    "check_in_candidate": (embedding.FaceError, index.NoTemplate, service.GuessesExhausted, *COMPARED, *DOOR),
    "check_claim_of_candidate": DOOR,
    "request_document_check": DOOR,
    "identify_candidate": (exams.OverrideError, exams.DecidedMeanwhile, exams.ReasonRequired, *DOOR),
    "override_checkin": (
        exams.OverrideError,
        exams.NotOnRoster,
        exams.AlreadyCheckedIn,
        exams.SessionClosed,
        *EXAM_CHANGE,
    ),
    "attend_to_waiting": (exams.NotWaiting, exams.DecisionNeeded, *EXAM_CHANGE),
    "change_candidate_of_session": (
        exams.SeatTaken,
        exams.ReasonRequired,
        exams.AlreadyCheckedIn,
        *EXAM_CHANGE,
    ),
    "show_thumbnail": (exams.ThumbnailNotFound, *SEALED),
    "show_enrolment": (exams.EnrolmentPictureNotFound, *SEALED),
    "explain_checkin_pictures": (
        exams.ExplanationImpossible,
        exams.ThumbnailNotFound,
        exams.EnrolmentPictureNotFound,
        service.QueueFull,
        *SEALED,
    ),
    "draw_explanation": (
        exams.ExplanationImpossible,
        exams.ThumbnailNotFound,
        exams.EnrolmentPictureNotFound,
        service.QueueFull,
        *SEALED,
    ),
    "take_complaint": (exams.ExamPurged,),
    "answer_complaint": (exams.ComplaintAnswered,),
    "put_hold": (exams.ExamNotFound, exams.ExamPurged, index.SubjectNotFound),
    "lift_hold": (exams.HoldLifted,),
    "record_movement": (embedding.FaceError, index.NoTemplate, exams.ReasonRequired, *COMPARED, *DOOR),
    "list_movements": (exams.NotOnRoster,),
    "undo": (exams.MovementSuperseded, exams.MovementImpossible, exams.NotCheckedIn, *EXAM_CHANGE),
    "type_in_paper": (exams.PaperError, exams.SessionClosed, exams.NotOnRoster, *LIST_READ, *EXAM_CHANGE),
    "list_rooms": (exams.ExamNotFound,),
    "follow_rooms": (exams.ExamNotFound,),
    "report_by_group": (exams.GroupsUnreadable, *OTHER_BODY),
    "show_pack": (exams.FacesOff,),
    "deliver_item": (
        exams.QueueError,
        exams.ReasonRequired,
        embedding.FaceError,
        index.NoTemplate,
        *COMPARED,
        *DOOR,
    ),
    "confirm_clock": (index.ClockLeapt,),
    "ready": (service.NotReady,),
}
"""What an operation's own work may be refused by."""


def errors_of(operation: Operation) -> list[type[Exception]]:
    """Every class of error that an operation may answer with, each once, by name."""
    found = {one for kind in _kinds_of(operation) for one in _narrowest(kind)}
    return sorted(found, key=lambda one: one.__name__)


def codes_of(error: type[Exception]) -> tuple[str, ...]:
    """The codes of one class of error."""
    if error is embedding.QualityRefused:
        return tuple(REFUSALS)
    return (str(getattr(error, "code", "internal")),)


def _kinds_of(operation: Operation) -> Iterator[type[Exception]]:
    if operation.has_caller:
        yield from (*CALLER, *DATABASE)
    if operation.media:
        yield from BODY
    if any(media != JSON for media in operation.media):
        yield from OTHER_BODY
    if operation.takes_picture:
        yield from PICTURE
    if operation.is_once:
        yield from ONCE
    for name in operation.names:
        yield from NAMED.get(name, ())
    yield from OF_WORK.get(operation.name, ())


def _narrowest(kind: type[Exception]) -> Iterable[type[Exception]]:
    """A class, or all that are raised in the stead of one that names a whole kind."""
    return kind.__subclasses__() if kind in WHOLE_KINDS else (kind,)
