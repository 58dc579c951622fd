"""/v1/models/{id}/use: what became of a model's attempts, and whether that has changed."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.access.callers import Caller
from service.access.scopes import Scope
from service.api.inputs import PartsHere, needs
from service.exams.use.reading import ModelUse, read_use

router = APIRouter(prefix="/v1/models", tags=["models"])

Weeks = Annotated[int, Query(ge=1, le=104, description="so many weeks, the present one counted")]


@router.get("/{model_id}/use", response_model=ModelUse)
def show_model_use(
    parts: PartsHere,
    caller: Annotated[Caller, needs(Scope.AUDIT_READ, Scope.MODELS_WRITE)],
    model_id: str,
    weeks: Weeks = 16,
) -> ModelUse:
    """Referrals, overrides and refusals by week and by kiosk, the rates they imply, and alarms."""
    parts.models.find(model_id)
    is_active = model_id == parts.model.id
    return read_use(parts.database, model_id, weeks, parts.policy if is_active else None)
