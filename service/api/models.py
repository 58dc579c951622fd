"""/v1/models: which models there are, which is in use, and what its distances mean."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from embedding.calibration import Target
from index.gallery.coverage import coverage_of, find_subjects_lacking
from index.models.models import Model, find_active_id
from index.models.promotion import SwitchResult
from service.access.callers import Caller
from service.access.idempotency import Answer
from service.access.scopes import KIOSK_SCOPES, Scope
from service.api.answers import answer, shown_to
from service.api.cursors import page_of, read_id
from service.api.exams import origin_of
from service.api.inputs import Cursor, Limit, OnceHere, PartsHere, needs
from service.decisions.decision import CalibrationFacts, ConfiguredRates, Thresholds
from service.decisions.scores import SCORE, SCORED_FACTS, Scored
from service.exams.errors import ReasonRequired
from service.exams.guard import By, note_override, refuse_while_open
from service.exams.terms import Reason
from service.models.loaded import LoadedModel
from service.models.promotion import CROPS_IN_A_REQUEST, Switches
from service.parts import Parts

router = APIRouter(prefix="/v1/models", tags=["models"])
Reader = Annotated[Caller, needs(*(scope for scope in Scope if scope not in KIOSK_SCOPES))]
"""Any key but a kiosk's: how many people are enrolled is nothing that it needs."""


class ModelDocument(BaseModel):
    """A registered model bundle."""

    id: str
    name: str
    dim: int
    state: Literal["candidate", "incoming", "active", "retired"]
    calibration_id: str | None
    registered_at: datetime
    activated_at: datetime | None
    gate: dict[str, Any] | None = Field(
        description="how it compares with the model that was active when it was made",
        json_schema_extra=SCORED_FACTS,
    )
    subjects: int = Field(description="subjects with a template of it")
    subjects_only_here: int = Field(
        description="of them, those without one of the active model: they are verified with this one"
    )


class InUse(Scored):
    """How this process decides with the model it has loaded."""

    threshold: Thresholds = Field(json_schema_extra=SCORE)
    fmr: ConfiguredRates
    duplicate_fmr: float = Field(description="in force; the calibration may be too small for the one asked")
    duplicate_fmr_asked: float
    duplicate_threshold: float = Field(json_schema_extra=SCORE)
    smallest_fmr: float = Field(description="the smallest rate that the calibration supports")
    calibration: CalibrationFacts
    targets: list[Target] = Field(
        description="measured operating points, with 95 % intervals over people", json_schema_extra=SCORE
    )


class ShownModel(ModelDocument):
    """A model with its manifest; `in_use` where this process decides with it."""

    loaded: bool = Field(
        description="whether this process has it open; an incoming model is, before the switch"
    )
    manifest: dict[str, Any]
    in_use: InUse | None


class Promote(BaseModel):
    """What a promotion may say."""

    model_config = ConfigDict(extra="forbid")

    override_reason: str | None = Field(
        default=None,
        min_length=3,
        max_length=500,
        description="why it is promoted although it is worse or was not compared; goes into the audit trail",
    )
    force: bool = Field(default=False, description="although a session is open; takes a reason")
    reason: Reason = None


class RollBack(BaseModel):
    """What a rollback may say."""

    model_config = ConfigDict(extra="forbid")

    force: bool = Field(default=False, description="although a session is open; takes a reason")
    reason: Reason = None


class Switch(BaseModel):
    """A switch that was made."""

    model: ShownModel
    reembedded: int = Field(description="templates made of kept crops")
    subjects_lacking: int = Field(
        description="subjects whom the model does not know; they are verified with a former one"
    )


class Lacking(BaseModel):
    """One page of subjects whom a model does not know."""

    items: list[UUID]
    next_cursor: str | None


class ModelList(BaseModel):
    """Every model; there are never so many that they need pages."""

    items: list[ShownModel]
    next_cursor: None = None


@router.get("", response_model=ModelList)
def list_models(parts: PartsHere, caller: Reader) -> Response:
    """The models of this installation, oldest first."""
    return shown_to(ModelList(items=[shown(parts, model) for model in parts.models.all()]), caller)


@router.get("/{model_id}", response_model=ShownModel)
def show_model(parts: PartsHere, caller: Reader, model_id: str) -> Response:
    """One model."""
    return shown_to(shown(parts, parts.models.find(model_id)), caller)


@router.get("/{model_id}/lacking", response_model=Lacking)
def list_lacking(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.SUBJECTS_READ)],
    model_id: str,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Lacking:
    """The subjects who have templates, but none of this model and no kept crop to make one of."""
    parts.models.find(model_id)
    with parts.database.read() as db:
        found = find_subjects_lacking(db, model_id, limit=limit + 1, after=read_id(cursor))
    items, following = page_of(found, limit, str)
    return Lacking(items=items, next_cursor=following)


@router.post("/{model_id}/promote", response_model=Switch)
def promote_model(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.MODELS_WRITE)],
    model_id: str,
    once: OnceHere,
    wanted: Promote | None = None,
) -> Response:
    """Make a candidate the active model; its templates of kept crops are made first."""
    wanted = wanted or Promote()

    def work(_: UUID) -> Answer:
        require_no_open_session(parts, "A promotion", By(origin_of(request, caller), forced_because(wanted)))
        reason = wanted.override_reason
        return switched(parts, lambda switches: switches.promote(model_id, reason), request, caller)

    return once.run([wanted.model_dump_json().encode()], work)


@router.post("/rollback", response_model=Switch)
def roll_back_model(
    request: Request,
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.MODELS_WRITE)],
    once: OnceHere,
    wanted: RollBack | None = None,
) -> Response:
    """Return to the model that the active one replaced, with everybody who was enrolled since."""
    wanted = wanted or RollBack()

    def work(_: UUID) -> Answer:
        require_no_open_session(parts, "A rollback", By(origin_of(request, caller), forced_because(wanted)))
        return switched(parts, Switches.rollback, request, caller)

    return once.run([wanted.model_dump_json().encode()], work)


def require_no_open_session(parts: Parts, what: str, by: By) -> None:
    """Refuse a switch while a session is open; forced, write down that it was made all the same.

    Raises:
        SessionOpen: If a session is open and nothing is forced.
    """
    note_override(parts.database, what, by, refuse_while_open(parts.database, what, by.reason))


def forced_because(wanted: Promote | RollBack) -> str | None:
    """The reason of a switch that is forced, None of one that is not.

    Raises:
        ReasonRequired: If it is forced without a reason.
    """
    if wanted.force and wanted.reason is None:
        raise ReasonRequired(["a switch of models while a session is open"])
    return wanted.reason if wanted.force else None


def switched(
    parts: Parts, switch: Callable[[Switches], SwitchResult], request: Request, caller: Caller
) -> Answer:
    """Do a switch, and let this process follow before it answers."""
    done = switch(
        Switches(
            parts.settings,
            parts.database,
            parts.cipher,
            actor=caller.actor,
            request_id=request.state.request_id,
            most_crops=CROPS_IN_A_REQUEST,
            is_open=parts.following.has_open,
        )
    )
    parts.following.look()
    document = Switch(
        model=shown(parts.now(), done.model),
        reembedded=done.reembedded,
        subjects_lacking=len(done.without_template),
    )
    return answer(document, reader=caller)


def shown(parts: Parts, model: Model) -> ShownModel:
    """A model as it is shown."""
    loaded = next((one for one in parts.serving.models if one.id == model.id), None)
    in_use = in_use_of(parts, loaded) if loaded else None
    # The self-test's vector is a face's template, if a public one; no template leaves the service.
    manifest = {name: value for name, value in model.facts.items() if name != "self_test"}
    with parts.database.read() as db:
        covered = coverage_of(db, model.id, find_active_id(db))
    return ShownModel(
        **vars(model),
        manifest=manifest,
        loaded=parts.following.has_open(model.id),
        in_use=in_use,
        subjects=covered.subjects,
        subjects_only_here=covered.only_here,
    )


def in_use_of(parts: Parts, model: LoadedModel) -> InUse:
    """The thresholds that this process decides with."""
    policy, calibration = model.policy, model.calibration
    return InUse(
        threshold=Thresholds(match=policy.match, refer=policy.refer),
        fmr=ConfiguredRates(match=policy.match_fmr, refer=policy.refer_fmr),
        duplicate_fmr=model.duplicate_fmr,
        duplicate_fmr_asked=parts.settings.duplicate_fmr,
        duplicate_threshold=model.duplicate_d,
        smallest_fmr=calibration.smallest_fmr,
        calibration=CalibrationFacts.of(calibration),
        targets=list(calibration.targets),
    )
