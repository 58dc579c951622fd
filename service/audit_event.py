"""One event of the audit chain, as it is shown wherever it is shown."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from service.decisions.scores import SCORED_ROW


class AuditEvent(BaseModel):
    """One link of the chain, as it is stored."""

    seq: int
    at: datetime
    action: str
    actor: str
    subject_id: UUID | None
    request_id: str | None
    address: str | None = Field(description="where the request came from; none on the command line")
    details: dict[str, Any] = Field(json_schema_extra=SCORED_ROW)
    previous_digest: str
    digest: str
