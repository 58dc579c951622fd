"""The one table: error class → HTTP status, and its answer as RFC 9457 problem+json."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from embedding import errors as embedding
from index import errors as index
from index.models import errors as promotion
from service import errors as service
from service.access.callers import Caller
from service.access.scopes import Scope
from service.exams import errors as exams
from service.logs import log

PROBLEM_JSON = "application/problem+json"

STATUSES: dict[type[Exception], int] = {
    embedding.ImageTooLarge: 413,
    embedding.UnsupportedMedia: 415,
    embedding.ImageError: 422,
    embedding.FaceError: 422,
    embedding.ModelMismatch: 409,
    index.SubjectNotFound: 404,
    index.TemplateNotFound: 404,
    index.ModelNotFound: 404,
    index.FieldInvalid: 422,
    index.TextInvalid: 422,
    index.NoTemplate: 409,
    index.LegalBasisExpired: 409,
    index.SubjectOnHold: 409,
    index.LinkInvalid: 410,
    index.PortraitNotFound: 404,
    index.ProposalNotFound: 404,
    index.ProposalTaken: 409,
    index.KeyMissing: 409,
    index.WebhookNotFound: 404,
    index.WebhookDisabled: 409,
    index.ExternalIdExists: 409,
    index.ExternalIdAmbiguous: 409,
    index.DuplicateIdentity: 409,
    index.NotTheSamePerson: 409,
    index.NothingToRollBack: 409,
    promotion.PromotionError: 409,
    index.ClockLeapt: 409,
    index.TemplateUnreadable: 409,
    index.JobNotFound: 404,
    index.JobEnded: 409,
    index.DatabaseError: 503,
    service.InvalidRequest: 422,
    service.WrongMediaType: 415,
    service.BodyTooLarge: 413,
    service.UploadTooSlow: 408,
    service.Unauthenticated: 401,
    service.Forbidden: 403,
    service.InsecureAddress: 403,
    service.KeyNotFound: 404,
    service.TargetRefused: 422,
    service.OperatorNotFound: 404,
    service.OperatorEnded: 409,
    service.LoginExists: 409,
    service.LastAdministrator: 409,
    service.NotAnOperator: 409,
    service.InvitationInvalid: 410,
    service.SignInRefused: 401,
    service.CodeNeeded: 401,
    service.IssuerRefused: 401,
    service.NoRole: 403,
    service.SessionNotFound: 404,
    service.IdempotencyConflict: 409,
    service.IdempotencyPending: 409,
    service.RateLimited: 429,
    service.Unavailable: 503,
    exams.ExamNotFound: 404,
    exams.ListLayoutNotFound: 404,
    exams.TooManyForPaper: 409,
    exams.CheckinNotFound: 404,
    exams.ThumbnailNotFound: 404,
    exams.EnrolmentPictureNotFound: 404,
    exams.ExplanationImpossible: 409,
    exams.ExamInvalid: 422,
    exams.RetentionRunning: 409,
    exams.ExamPurged: 409,
    exams.ExamOnHold: 409,
    exams.HoldNotFound: 404,
    exams.HoldLifted: 409,
    exams.ComplaintNotFound: 404,
    exams.ComplaintAnswered: 409,
    exams.ExamArchived: 409,
    exams.ReasonRequired: 422,
    exams.SessionOpen: 409,
    exams.CandidateRequired: 422,
    exams.RosterError: 422,
    exams.RosterChanged: 409,
    exams.GroupsUnreadable: 422,
    exams.CheckinRefused: 409,
    exams.AlreadyDecided: 409,
    exams.DecidedMeanwhile: 409,
    exams.AttemptSuperseded: 409,
    exams.NumberInvalid: 422,
    exams.CardTaken: 409,
    exams.KioskNotFound: 404,
    exams.CodeUnknown: 404,
    exams.PairingEnded: 410,
    exams.TooManyCodes: 429,
    exams.QueueError: 409,
    exams.QueueUnreadable: 422,
    exams.NotWaiting: 409,
    exams.DecisionNeeded: 409,
    exams.SeatTaken: 409,
    exams.PaperError: 409,
    exams.MovementNotFound: 404,
    exams.MovementSuperseded: 409,
    exams.OverrideError: 422,
}
"""The nearest class in an error's ancestry counts; an error that is not here is a fault of ours: 500."""

ROUTER_CODES = {404: "not_found", 405: "method_not_allowed"}
RETRYABLE_STATUSES = frozenset({408, 429, 503})


class ProblemResponse(JSONResponse):
    """An answer that is not 2xx."""

    media_type = PROBLEM_JSON


def status_of(error: Exception) -> int:
    """The HTTP status of an error; 500 for one that nobody foresaw."""
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def problem(
    request: Request,
    status: int,
    code: str,
    detail: str,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """The problem document; `members` are the error's own."""
    request.state.problem_code = code
    retryable = status in RETRYABLE_STATUSES or code == service.IdempotencyPending.code
    document = {
        "type": f"urn:invigil:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "instance": request.scope.get("raw_path", b"").decode("latin-1") or request.url.path,
        "code": code,
        "retryable": retryable,
        "request_id": request.state.request_id,
        **(members or {}),
    }
    return ProblemResponse(document, status, headers={"cache-control": "no-store", **(headers or {})})


def members_of(error: Exception, caller: Caller | None) -> dict[str, Any]:
    """What an error has to say beyond its sentence."""
    match error:
        case embedding.ImageTooLarge():
            return {"actual": error.actual, "limit": error.limit, "unit": error.unit}
        case embedding.MultipleFaces():
            return {"count": error.count}
        case embedding.QualityRefused(assessment=found):
            return {"reasons": list(found.reasons), "measures": found.measures, "limits": found.limits}
        case embedding.ModelMismatch():
            return {"expected": error.expected, "actual": error.actual}
        case promotion.PromotionRefused():
            return {"worse_in": error.worse_in}
        case promotion.CropsLeft():
            return {"crops": error.crops}
        case index.DuplicateIdentity() | index.ExternalIdExists():
            return other_subject(error, caller)
        case index.SubjectOnHold(holds=holds):
            return {"holds": [str(one) for one in holds]}
        case index.NotTheSamePerson(template_ids=template_ids):
            return {"template_ids": [str(one) for one in template_ids]}
        case service.InvalidRequest(pointer=pointer, reason=reason):
            return {"errors": [{"pointer": pointer, "code": reason, "detail": str(error)}]}
        case index.FieldInvalid(field=field):
            return {"errors": [{"pointer": f"/body/{field}", "code": "invalid", "detail": str(error)}]}
        case service.WrongMediaType(pointer=pointer):
            return {"errors": [{"pointer": pointer, "code": error.code, "detail": str(error)}]}
        case service.BodyTooLarge():
            return {"limit": error.limit_bytes, "unit": "bytes"}
        case service.NotReady(parts=parts):
            return {"parts": parts}
        case service.Forbidden():
            return {"missing_scopes": [str(scope) for scope in error.missing]}
        case exams.ExamInvalid(field=field):
            return {"errors": [{"pointer": f"/body/{field}", "code": "invalid", "detail": str(error)}]}
        case exams.RosterRefused():
            return {"report": error.report.model_dump(mode="json")}
        case exams.ExamError():
            return dict(error.members)
        case _:
            return {}


def may_read_subjects(caller: Caller | None) -> bool:
    """Whether an answer may name somebody whom the request did not."""
    return caller is not None and caller.may(Scope.SUBJECTS_READ)


def may_read_scores(caller: Caller | None) -> bool:
    """Whether an answer may say how near somebody is."""
    return caller is not None and caller.may(Scope.SCORES_READ)


def detail_of(error: Exception, caller: Caller | None) -> str:
    """The error's sentence, without what this caller must not learn: other people, hosts and paths."""
    match error:
        case index.DuplicateIdentity() if not may_read_subjects(caller):
            return f"The face is already enrolled under another subject{same_photograph(error)}."
        case index.DuplicateIdentity() if not may_read_scores(caller):
            return f"The face is already enrolled as subject {error.subject_id}{same_photograph(error)}."
        case index.ExternalIdExists() if not may_read_subjects(caller):
            return "Another subject already has this external id, or one that looks the same."
        case promotion.BundleChanged():
            return "The files of the model's bundle are not those that were registered; the log says which."
        case index.DatabaseError():
            return "The database cannot do its part now; nothing was written."
        case index.TemplateUnreadable():
            return "A stored row cannot be opened: it was changed, or its key is not set: look at the log."
        case _:
            return str(error)


def same_photograph(error: index.DuplicateIdentity) -> str:
    """The end of the sentence about a face that is enrolled already."""
    return ", by the same photograph" if error.is_same_photograph else ""


def other_subject(
    error: index.DuplicateIdentity | index.ExternalIdExists, caller: Caller | None
) -> dict[str, Any]:
    """The other subject, for callers who may read subjects; for everybody, whether it is one photograph."""
    members: dict[str, Any] = {}
    if isinstance(error, index.DuplicateIdentity):
        members |= {"same_photograph": error.is_same_photograph}
        members |= {"d": error.d} if may_read_scores(caller) and may_read_subjects(caller) else {}
    if may_read_subjects(caller):
        members |= {"subject_id": str(error.subject_id), "external_id": error.external_id}
    return members


def headers_of(error: Exception) -> dict[str, str]:
    """The headers that go with an error."""
    if isinstance(error, service.Unauthenticated):
        return {"www-authenticate": 'Bearer realm="invigil"'}
    if status_of(error) in RETRYABLE_STATUSES or isinstance(error, service.IdempotencyPending):
        return {"retry-after": str(getattr(error, "retry_after_seconds", 1))}
    return {}


def describe(request: Request, error: Exception) -> ProblemResponse:
    """The answer to one of our errors."""
    if isinstance(error, index.DatabaseError):
        # The answer does not name hosts and paths; whoever has to mend it needs the reason.
        log.warning(
            "database_failed", request_id=request.state.request_id, code=error.code, reason=str(error)
        )
    if isinstance(error, index.TemplateUnreadable):
        # Nobody can mend it by asking again, and somebody may have written past the program: an alarm.
        row, why = str(error.template_id), error.reason
        log.error("row_unreadable", request_id=request.state.request_id, row_id=row, reason=why)
    caller = getattr(request.state, "caller", None)
    return problem(
        request,
        status_of(error),
        getattr(error, "code", "internal"),
        detail_of(error, caller),
        members_of(error, caller),
        headers_of(error),
    )


async def on_error(request: Request, error: Exception) -> ProblemResponse:
    """An error of one of our trees."""
    if status_of(error) == 500:
        return await on_fault(request, error)
    return describe(request, error)


async def on_validation(request: Request, error: Exception) -> ProblemResponse:
    """FastAPI's validation errors; what was sent is not repeated, it may be personal."""
    found: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    errors = [{"pointer": pointer_of(one["loc"]), "code": one["type"], "detail": one["msg"]} for one in found]
    detail = "; ".join(f"{one['pointer']}: {one['detail']}" for one in errors)
    return problem(request, 422, "validation_failed", detail, {"errors": errors})


def pointer_of(location: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901) from pydantic's location."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)


async def on_router(request: Request, error: Exception) -> ProblemResponse:
    """What the router refuses: an unknown path, a wrong method, a body that could not be read."""
    if isinstance(error.__cause__, service.ServiceError):
        return describe(request, error.__cause__)
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 400:
        # FastAPI could not read the body as what it says it is: a field error like any other here.
        return describe(request, service.InvalidRequest("/body", "unreadable", "The body cannot be read."))
    headers = {"allow": allowed_methods(request)} if status == 405 else None
    code = ROUTER_CODES.get(status, HTTPStatus(status).phrase.lower().replace(" ", "_"))
    return problem(request, status, code, HTTPStatus(status).description or code, headers=headers)


def allowed_methods(request: Request) -> str:
    """Every method of the path; the router itself names those of the first route alone."""
    path = getattr(request.scope.get("route"), "path", "")
    return ", ".join(sorted(request.app.state.methods.get(path, {"GET"})))


async def on_fault(request: Request, error: Exception) -> ProblemResponse:
    """A fault of ours: logged with its traceback, answered without."""
    log.error("fault", request_id=request.state.request_id, kind=type(error).__name__, exc_info=error)
    answer = problem(request, 500, "internal", "The service failed; its log knows this request_id.")
    answer.headers["x-request-id"] = request.state.request_id
    return answer


class FieldProblem(BaseModel):
    """One field that is wrong."""

    pointer: str = Field(description="JSON pointer into the request: /body/…, /query/…, /path/… or /header/…")
    code: str
    detail: str


class Problem(BaseModel):
    """RFC 9457; an error adds members of its own."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str = Field(description="stable; what a program decides on")
    retryable: bool = Field(description="whether the same request may succeed later")
    request_id: str
    errors: list[FieldProblem] | None = None


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    kind: {
        "description": "A problem; `code` says which.",
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for kind in ("4XX", "5XX")
}
"""What every route may answer besides its own."""


def problem_schemas() -> dict[str, Any]:
    """The OpenAPI components that `DOCUMENTED` refers to."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}


def answer_problems(app: FastAPI) -> None:
    """Let every error leave as problem+json."""
    for kind in (embedding.EmbeddingError, index.GalleryError, service.ServiceError, exams.ExamError):
        app.add_exception_handler(kind, on_error)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_router)
    app.add_exception_handler(Exception, on_fault)
