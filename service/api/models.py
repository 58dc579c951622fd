"""/v1/models: which models there are, which is in use, and what its distances mean."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from embedding.calibration import Target
from index.models import Model
from service.access.callers import Caller
from service.api.inputs import PartsHere, needs
from service.decision import CalibrationFacts, ConfiguredRates, Thresholds
from service.parts import Parts
from service.serving import LoadedModel

router = APIRouter(prefix="/v1/models", tags=["models"])
AnyKey = Annotated[Caller, needs()]


class ModelDocument(BaseModel):
    """A registered model bundle."""

    id: str
    name: str
    dim: int
    state: Literal["candidate", "incoming", "active", "retired"]
    calibration_id: str | None
    registered_at: datetime
    activated_at: datetime | None


class InUse(BaseModel):
    """How this process decides with the model it has loaded."""

    threshold: Thresholds
    fmr: ConfiguredRates
    duplicate_fmr: float = Field(description="in force; the calibration may be too small for the one asked")
    duplicate_fmr_asked: float
    duplicate_threshold: float
    smallest_fmr: float = Field(description="the smallest rate that the calibration supports")
    calibration: CalibrationFacts
    targets: list[Target] = Field(description="measured operating points, with 95 % intervals over people")


class ShownModel(ModelDocument):
    """A model with its manifest; `in_use` where this process has it loaded."""

    manifest: dict[str, Any]
    in_use: InUse | None


class ModelList(BaseModel):
    """Every model; there are never so many that they need pages."""

    items: list[ShownModel]
    next_cursor: None = None


@router.get("", response_model=ModelList)
def list_models(parts: PartsHere, caller: AnyKey) -> ModelList:
    """The models of this installation, oldest first."""
    return ModelList(items=[shown(parts, model) for model in parts.models.all()])


@router.get("/{model_id}", response_model=ShownModel)
def show_model(parts: PartsHere, caller: AnyKey, model_id: str) -> ShownModel:
    """One model."""
    return shown(parts, parts.models.find(model_id))


def shown(parts: Parts, model: Model) -> ShownModel:
    """A model as it is shown."""
    loaded = next((one for one in parts.serving.models if one.id == model.id), None)
    in_use = in_use_of(parts, loaded) if loaded else None
    # The self-test's vector is a face's template, if a public one; no template leaves the service.
    manifest = {name: value for name, value in model.facts.items() if name != "self_test"}
    return ShownModel(**vars(model), manifest=manifest, in_use=in_use)


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
