"""Exams without any comparison of faces: numbers, documents, board and report work without a template."""

import pytest
from fixtures_exams import ORIGIN, ExamDay
from sqlalchemy import func, select

from index.tables import TemplateRow
from service.exams.checkin.claim import ask_for_document, check_claim
from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.rules import Arrival
from service.exams.errors import AlreadyCheckedIn, CandidateRequired, FacesOff, NotOnRoster
from service.exams.evidence.csv_report import report_csv
from service.exams.exams import change_exam
from service.exams.live.waiting import waiting_list
from service.exams.roster.readiness import readiness
from service.exams.sessions import find_session
from service.exams.terms import ExamChanges


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room of an exam without faces, with c1 and c2, of whom nobody has a template."""
    change_exam(exam_day.desk, exam_day.exam.id, ExamChanges(faces="off"), ORIGIN)
    exam_day.roster("c1,Ana,A1", "c2,Ben,A2", create_subjects=True)
    return exam_day


def claim(hall: ExamDay, number: str) -> None:
    check_claim(hall.desk, Arrival(hall.session.id, number, kiosk="door 1"), ORIGIN)


def admit(hall: ExamDay, number: str) -> None:
    terms = IdentificationTerms(candidate=number, document_type=DocumentType.PASSPORT)
    identify(hall.desk, hall.session.id, terms, ORIGIN)


def test_who_gives_a_number_waits_for_a_person_and_is_let_in_by_a_document(hall: ExamDay) -> None:
    with pytest.raises(FacesOff):
        claim(hall, "c1")

    (waiting,) = waiting_list(hall.desk, hall.session.id).items
    admit(hall, "c1")

    assert waiting.reasons == ["faces_off"]
    assert waiting.candidate
    assert waiting.candidate.external_id == "c1"
    assert waiting_list(hall.desk, hall.session.id).items == []
    with pytest.raises(AlreadyCheckedIn):
        claim(hall, "c1")
    with pytest.raises(NotOnRoster):
        claim(hall, "c9")
    assert "c1" in "".join(report_csv(hall.desk, hall.session.id, scores=True))


def test_a_photograph_that_is_sent_all_the_same_is_not_looked_at(hall: ExamDay) -> None:
    hall.enrol("c3", "3")
    hall.roster("c3,Cy,A3", mode="merge")

    with pytest.raises(FacesOff):
        hall.arrive("c3", "3", final=True)
    with pytest.raises(CandidateRequired):
        hall.arrive(None, "3")

    assert hall.embedder.looked_at == []


def test_no_template_is_made_and_nobody_lacks_one(hall: ExamDay) -> None:
    admit(hall, "c1")
    ask_for_document(hall.desk, Arrival(hall.session.id, "c2"), ORIGIN)

    report = readiness(hall.desk, hall.session.id)
    with hall.desk.database.read() as db:
        templates = db.scalar(select(func.count()).select_from(TemplateRow))

    assert (report.candidates, report.ready, report.cannot_verify, report.look_alikes) == (2, 2, [], [])
    assert templates == 0


def test_the_session_says_so_and_faces_can_be_turned_on_again(hall: ExamDay) -> None:
    assert find_session(hall.desk, hall.session.id).faces == "off"

    change_exam(hall.desk, hall.exam.id, ExamChanges(faces="on"), ORIGIN)
    hall.enrol("c4", "4")
    hall.roster("c4,Di,A4", mode="merge")

    assert hall.arrive("c4", "4").checkin.outcome == "admitted"
