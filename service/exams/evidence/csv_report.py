"""The session's report as CSV: every attempt, every decision, every override, one line each."""

import io
from collections.abc import Iterator
from datetime import UTC, tzinfo
from uuid import UUID

from sqlalchemy import select

from service.exams.context import Desk
from service.exams.schemas import Checkin, Override
from service.exams.sessions import session_row
from service.exams.tables import CheckinRow
from service.exams.views import checkin_documents
from service.spreadsheet import BYTE_ORDER_MARK, SheetWriter

BLOCK_ROWS = 500

COLUMNS = (
    "kind",
    "time",
    "external_id",
    "display_name",
    "seat",
    "attempt",
    "mode",
    "outcome",
    "decision",
    "d",
    "threshold_match",
    "threshold_refer",
    "fmr_match",
    "fmr_refer",
    "fmr_at_d",
    "reasons",
    "same_face_as",
    "quality",
    "document_type",
    "reason_code",
    "note",
    "operator",
    "actor",
    "kiosk",
    "model_id",
    "calibration_id",
    "checkin_id",
    "override_id",
)


SCORES = frozenset({"d", "threshold_match", "threshold_refer", "fmr_at_d"})
SAME_NAME = frozenset(COLUMNS) & frozenset(Checkin.model_fields) - {"reasons"}


def report_csv(
    desk: Desk, session_id: UUID, *, scores: bool, delimiter: str = ",", zone: tzinfo = UTC
) -> Iterator[str]:
    """The report in portions, oldest attempt first, each followed by its overrides.

    Args:
        desk: With the database.
        session_id: Whose attempts.
        scores: With distances and thresholds.
        delimiter: Between cells.
        zone: Whose clocks the times are read from.

    Raises:
        SessionNotFound: If there is no such session; at once, before the first portion.
    """
    with desk.database.read() as db:
        session_row(db, session_id)
    return portions(desk, session_id, scores, delimiter, zone)


def portions(desk: Desk, session_id: UUID, scores: bool, delimiter: str, zone: tzinfo) -> Iterator[str]:
    """The lines of the report, a block of attempts at a time."""
    target = io.StringIO()
    columns = [name for name in COLUMNS if scores or name not in SCORES]
    writer = SheetWriter(target, columns, delimiter)
    yield BYTE_ORDER_MARK + drained(target)
    for checkins in blocks(desk, session_id):
        for checkin in checkins:
            writer.write(map(attempt_cells(checkin, zone).get, columns))
            for override in checkin.overrides:
                writer.write(map(override_cells(checkin, override, zone).get, columns))
        yield drained(target)


def blocks(desk: Desk, session_id: UUID) -> Iterator[list[Checkin]]:
    """The session's attempts in blocks, oldest first."""
    mine = CheckinRow.session_id == session_id
    query = select(CheckinRow).where(mine).order_by(CheckinRow.created_at, CheckinRow.id)
    start = 0
    while True:
        with desk.database.read() as db:
            rows = db.scalars(query.limit(BLOCK_ROWS).offset(start)).all()
            checkins = checkin_documents(db, rows)
        yield checkins
        if len(rows) < BLOCK_ROWS:
            return
        start += BLOCK_ROWS


def drained(target: io.StringIO) -> str:
    """What has been written, taken out."""
    text = target.getvalue()
    target.seek(0)
    target.truncate()
    return text


def attempt_cells(checkin: Checkin, zone: tzinfo) -> dict[str, object]:
    """An attempt as cells."""
    threshold, fmr, quality = checkin.threshold, checkin.fmr, checkin.probe_quality
    cells: dict[str, object] = dict.fromkeys(COLUMNS)
    cells |= {name: getattr(checkin, name) for name in SAME_NAME}
    cells |= {
        "kind": "attempt",
        "time": checkin.created_at.astimezone(zone).isoformat(timespec="milliseconds"),
        "reasons": " ".join(checkin.reasons),
        "same_face_as": "; ".join(
            f"{one.external_id} {one.display_name or ''}".strip() for one in checkin.conflicts
        ),
        "calibration_id": checkin.calibration.id if checkin.calibration else None,
        "checkin_id": checkin.id,
    }
    if quality is not None:
        cells["quality"] = " ".join(quality.reasons) or "acceptable"
    if threshold is not None and fmr is not None:
        cells |= {"threshold_match": threshold.match, "threshold_refer": threshold.refer}
        cells |= {"fmr_match": fmr.match, "fmr_refer": fmr.refer, "fmr_at_d": fmr.at_d}
    return cells


def override_cells(checkin: Checkin, override: Override, zone: tzinfo) -> dict[str, object]:
    """An override as cells; what it shares with its attempt is repeated."""
    cells: dict[str, object] = dict.fromkeys(COLUMNS)
    cells |= {
        "kind": "override",
        "time": override.created_at.astimezone(zone).isoformat(timespec="milliseconds"),
        "external_id": checkin.external_id,
        "display_name": checkin.display_name,
        "seat": checkin.seat,
        "outcome": override.outcome,
        "reason_code": override.reason_code,
        "note": override.note,
        "operator": override.operator,
        "actor": override.actor,
        "checkin_id": checkin.id,
        "override_id": override.id,
    }
    return cells
