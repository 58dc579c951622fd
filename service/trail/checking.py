"""Whether the audit trail, its anchor and all evidence agree: for the command line and the API."""

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, Field

from index import audit
from index.audit import Fault
from index.database.database import Database
from index.trail.anchor_lines import Head
from service.exams.evidence.verifying import Tampering, verify_evidence
from service.settings import Settings
from service.trail.anchoring import verify_all


class TrailReport(BaseModel):
    """What a walk along the whole trail found."""

    is_whole: bool = Field(description="every event is there, unchanged and in its place")
    events: int = Field(description="how many events are valid, counted from the first")
    head: str = Field(description="digest of the last valid event, hex")
    newest: str = Field(description="that event as SEQ:DIGEST; noted elsewhere, it shows a loss later")
    first_bad_seq: int | None = Field(description="the event at which the trail breaks")
    reason: Fault | Literal["anchor changed"] | None = Field(description="why it breaks there")
    is_anchored: bool = Field(description="whether something was noted outside the database to compare with")
    evidence: list[Tampering] = Field(description="rows of evidence that contradict the trail")


def check_trail(settings: Settings, database: Database, expected: Collection[Head]) -> TrailReport:
    """Walk the whole trail and compare with it the anchor, events noted elsewhere, and all evidence.

    Raises:
        AnchorInvalid: If the anchor was changed, or cannot be checked without its key.
        DatabaseError: If the database cannot be reached.
    """
    found, is_anchored = verify_all(settings, database, expected)
    evidence = verify_evidence(database) if found.is_whole else []
    return _report(found, is_anchored=is_anchored, evidence=evidence)


def report_changed_anchor(database: Database, expected: Collection[Head]) -> TrailReport:
    """The same where the anchor cannot be believed: of the trail alone.

    Raises:
        DatabaseError: If the database cannot be reached.
    """
    with database.read() as db:
        found = audit.verify_chain(db, expected_heads=expected)
    evidence = verify_evidence(database) if found.is_whole else []
    report = _report(found, is_anchored=True, evidence=evidence)
    return report.model_copy(update={"is_whole": False, "reason": found.reason or "anchor changed"})


def _report(found: audit.ChainReport, *, is_anchored: bool, evidence: list[Tampering]) -> TrailReport:
    return TrailReport(
        is_whole=found.is_whole,
        events=found.events,
        head=found.head,
        newest=f"{found.events}:{found.head}",
        first_bad_seq=found.first_bad_seq,
        reason=found.reason,
        is_anchored=is_anchored,
        evidence=evidence,
    )
