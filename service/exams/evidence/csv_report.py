"""The session's report as CSV: its transactions first, then every attempt, override and movement."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from service.exams.context import Desk
from service.exams.evidence.session_report import SessionReport, headline, session_report
from service.exams.movement.reading import read_whereabouts
from service.exams.schemas import Checkin, Override
from service.exams.sessions import session_row
from service.exams.states import ENTRY, PAPER
from service.exams.tables import CheckinRow, MovementRow
from service.exams.views import checkin_documents, movement_documents
from service.languages import ENGLISH, texts
from service.sheets.spreadsheet import BYTE_ORDER_MARK, SheetWriter

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
    "movement_id",
    "held",
    "let_in_provisionally",
    "delivered_at",
    "time_estimated",
    "source",
    "absent_seconds",
    "since_claim_ms",
    "tries",
    "seconds",
)


SCORES = frozenset({"d", "threshold_match", "threshold_refer", "fmr_at_d"})
SAME_NAME = frozenset(COLUMNS) & frozenset(Checkin.model_fields) - {"reasons", "kind"}


def report_csv(
    desk: Desk, session_id: UUID, *, scores: bool, delimiter: str = ",", zone: tzinfo = UTC
) -> Iterator[str]:
    """The report in portions: a line for the session, one for each candidate's tries together, then the
    attempts, oldest first, each followed by its overrides; then movements.

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
    for cells in transaction_lines(session_report(desk, session_id)):
        writer.write(map(cells.get, columns))
    yield BYTE_ORDER_MARK + drained(target)
    for checkins in blocks(desk, session_id):
        for checkin in checkins:
            writer.write(map(attempt_cells(checkin, zone).get, columns))
            for override in checkin.overrides:
                writer.write(map(override_cells(checkin, override, zone).get, columns))
        yield drained(target)
    with desk.database.read() as db:
        for cells in movement_lines(db, session_id, zone):
            writer.write(map(cells.get, columns))
    yield drained(target)


def transaction_lines(report: SessionReport) -> Iterator[dict[str, object]]:
    """The headline, and each candidate's tries to come in taken together."""
    words = {key.removeprefix("report."): str(text) for key, text in texts(ENGLISH).items()}
    said = "; ".join(f"{label}: {value}" for label, value in headline(report.transactions, words))
    empty: dict[str, object] = dict.fromkeys(COLUMNS)
    yield empty | {"kind": "session", "note": said}
    for one in report.candidates:
        yield empty | {
            "kind": "transaction",
            "external_id": one.external_id,
            "display_name": one.display_name,
            "seat": one.seat,
            "outcome": "verified" if one.verified else "referred",
            "tries": one.tries,
            "seconds": one.seconds,
        }


def movement_lines(db: OrmSession, session_id: UUID, zone: tzinfo) -> Iterator[dict[str, object]]:
    """The movements of a session as cells, oldest first; a return says how long the candidate was out."""
    mine = MovementRow.session_id == session_id
    rows = db.scalars(select(MovementRow).where(mine).order_by(MovementRow.created_at, MovementRow.id)).all()
    absences = {
        (entry_id, one.until): (one.until - one.since).total_seconds()
        for entry_id, where in read_whereabouts(db, session_id).items()
        for one in where.absences
        if one.until is not None
    }
    for row, one in zip(rows, movement_documents(db, rows), strict=True):
        cells: dict[str, object] = dict.fromkeys(COLUMNS)
        yield cells | {
            "kind": f"{one.kind} (undone)" if one.undone else one.kind,
            "time": one.at.astimezone(zone).isoformat(timespec="milliseconds"),
            "external_id": one.external_id,
            "display_name": one.display_name,
            "seat": one.seat,
            "note": one.reason,
            "source": one.source,
            "delivered_at": moment(one.recorded_at, zone) if one.source == PAPER else None,
            "operator": one.operator,
            "actor": one.actor,
            "kiosk": one.kiosk,
            "checkin_id": one.checkin_id,
            "movement_id": one.id,
            "absent_seconds": absences.get((row.entry_id, one.at)),
        }


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
        "kind": "attempt" if checkin.kind == ENTRY else f"{checkin.kind} attempt",
        "time": moment(checkin.taken_at or checkin.created_at, zone),
        **queue_cells(checkin, zone),
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


def moment(at: datetime, zone: tzinfo) -> str:
    """A moment by the clocks of a zone."""
    return at.astimezone(zone).isoformat(timespec="milliseconds")


def queue_cells(checkin: Checkin, zone: tzinfo) -> dict[str, object]:
    """What is to be said of an attempt that was taken without network."""
    if checkin.taken_at is None:
        return {}
    if checkin.source == PAPER:
        return {"delivered_at": moment(checkin.created_at, zone)}
    return {
        "held": "yes" if checkin.held else "no",
        "let_in_provisionally": "yes" if checkin.provisional else "no",
        "delivered_at": moment(checkin.created_at, zone),
        "time_estimated": "yes" if checkin.time_estimated else "no",
    }


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
