"""A session's report: the best of each candidate's tries first, single attempts second."""

import csv
import io
from typing import Literal

import pytest
from fixtures_exams import ORIGIN, ExamDay, ExamService
from pypdf import PdfReader

from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import Result
from service.exams.evidence.session_report import session_report
from service.exams.exams import change_exam
from service.exams.schemas import Verdict
from service.exams.terms import ExamChanges


def decide(hall: ExamDay, result: Result, outcome: Literal[Verdict.ADMITTED, Verdict.REFUSED]) -> None:
    override(
        hall.desk, result.checkin.id, OverrideTerms(outcome=outcome, reason_code="technical_fault"), ORIGIN
    )


@pytest.fixture
def hall(sqlite_exam_day: ExamDay) -> ExamDay:
    """Five candidates; c5 is not looked at."""
    for number in range(1, 6):
        sqlite_exam_day.enrol(f"c{number}", str(number))
    sqlite_exam_day.roster(*(f"c{number},Name {number},{number}" for number in range(1, 6)))
    return sqlite_exam_day


def test_each_candidate_counts_once_by_the_best_of_the_tries(hall: ExamDay) -> None:
    hall.arrive("c1", "1", since_claim_ms=2_000)
    hall.arrive("c2", "2@60", since_claim_ms=3_000)
    hall.arrive("c2", "dark", since_claim_ms=4_000, final=True)
    hall.arrive("c2", "2", since_claim_ms=5_000)
    decide(hall, hall.arrive("c3", "3@60"), Verdict.ADMITTED)
    hall.arrive("c4", "4@60", since_claim_ms=1_000)
    document = IdentificationTerms(candidate="c5", document_type=DocumentType.PASSPORT)
    identify(hall.desk, hall.session.id, document, ORIGIN)

    report = session_report(hall.desk, hall.session.id)

    found = report.transactions
    assert (found.candidates, found.verified.count, found.referred.count) == (4, 2, 2)
    assert [(one.tries, one.candidates) for one in found.after] == [(1, 1), (3, 1)]
    assert (found.let_in_by_person, found.refused, found.undecided) == (1, 0, 1)
    assert (found.missed.count, found.missed.of) == (1, 3)
    assert (found.several_tries.count, found.not_acquired.count, found.mean_tries) == (1, 1, 1.5)
    assert report.attempts.model_dump() == {
        "attempts": 6,
        "compared": 5,
        "matched": 2,
        "not_compared": 1,
        "unknown": 0,
    }
    waited = {one.external_id: one.seconds for one in report.candidates}
    # The made embedder says that each picture took six milliseconds; the search adds its own.
    assert waited["c1"] == pytest.approx(2.006, abs=0.1)
    assert waited["c2"] == pytest.approx(12.012, abs=0.2)
    assert waited["c3"] is None
    assert found.seconds is not None
    assert (found.seconds.of, round(found.seconds.median)) == (3, 2)
    assert round(found.seconds.most) == 12


def test_a_match_that_a_person_refuses_is_a_false_match_that_was_found(hall: ExamDay) -> None:
    decide(hall, hall.arrive("c1", "1"), Verdict.REFUSED)
    hall.arrive("c2", "2")

    found = session_report(hall.desk, hall.session.id).transactions

    assert (found.refused_after_match.count, found.refused_after_match.of) == (1, 2)
    assert (found.missed.count, found.missed.of) == (0, 1)


def test_nobody_who_tried_is_no_share_and_no_error(hall: ExamDay) -> None:
    found = session_report(hall.desk, hall.session.id).transactions

    assert (found.candidates, found.verified.share, found.seconds, found.mean_tries) == (0, None, None, None)


def test_a_pilot_counts_what_the_machine_would_have_done(hall: ExamDay) -> None:
    change_exam(hall.desk, hall.exam.id, ExamChanges(faces="pilot"), ORIGIN)
    hall.arrive("c1", "1")
    hall.arrive("c2", "2@60")

    found = session_report(hall.desk, hall.session.id).transactions

    assert (found.verified.count, found.referred.count) == (1, 1)


@pytest.mark.parametrize(("language", "title"), [("en", "How candidates"), ("de", "Wie die Prüflinge")])
def test_table_and_paper_say_transactions_first(
    staffed_exam: ExamService, astronaut_jpeg: bytes, language: str, title: str
) -> None:
    answer = staffed_exam.check_in(astronaut_jpeg, candidate="A1", since_claim_ms="2500")
    assert answer.json()["checkin"]["since_claim_ms"] == 2500

    rows = list(
        csv.DictReader(io.StringIO(staffed_exam.call("GET", "sessions/{session}/report.csv").text[1:]))
    )
    headers = {"accept-language": language}
    pdf = staffed_exam.call("GET", "sessions/{session}/report.pdf", headers=headers)

    assert [one["kind"] for one in rows] == ["session", "transaction", "attempt"]
    assert "1 / 1 (100.0 %; 20.7 – 100.0 %)" in rows[0]["note"]
    assert [rows[1][name] for name in ("external_id", "outcome", "tries")] == ["A1", "verified", "1"]
    assert float(rows[1]["seconds"]) >= 2.5
    assert (rows[2]["since_claim_ms"], rows[2]["external_id"]) == ("2500", "A1")
    printed = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf.content)).pages)
    assert title in printed
    assert "Ann Arbor" in printed
    assert "1 / 1 (100.0 %; 20.7 – 100.0 %)" in printed


@pytest.mark.parametrize("value", ["-1", "1e9", "soon", "3600001"])
def test_a_time_at_the_kiosk_that_is_none_is_refused(staffed_exam: ExamService, value: str) -> None:
    answer = staffed_exam.check_in(b"", candidate="A1", since_claim_ms=value)

    assert answer.status_code == 422
