"""Exams without any comparison of faces, and exams where it is on trial and decides nothing."""

import pytest
from fixtures_exams import ORIGIN, ExamDay
from sqlalchemy import func, select

from index.tables import TemplateRow
from service.exams.checkin.claim import ask_for_document, check_claim
from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.rules import Arrival
from service.exams.errors import AlreadyCheckedIn, CandidateRequired, FacesOff, NotOnRoster
from service.exams.evidence.csv_report import report_csv
from service.exams.evidence.pilot import PilotCounts, pilot_report
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


@pytest.fixture
def trial(exam_day: ExamDay) -> ExamDay:
    """A room of an exam on trial, with c1 to c3, who are enrolled."""
    change_exam(exam_day.desk, exam_day.exam.id, ExamChanges(faces="pilot"), ORIGIN)
    for number in "123":
        exam_day.enrol(f"c{number}", number)
    exam_day.roster("c1,Ana,A1", "c2,Ben,A2", "c3,Cy,A3")
    return exam_day


def test_a_pilot_compares_and_records_and_a_person_decides_on_everybody(trial: ExamDay) -> None:
    checkin = trial.arrive("c1", "1").checkin

    assert (checkin.outcome, checkin.decision, checkin.why) == ("referred", "match", ["pilot"])
    (waiting,) = waiting_list(trial.desk, trial.session.id).items
    assert waiting.reasons == ["pilot"]
    admit(trial, "c1")
    assert waiting_list(trial.desk, trial.session.id).items == []


def test_a_pilot_ends_with_a_report_of_what_it_would_have_done(trial: ExamDay) -> None:
    trial.arrive("c1", "1@60")
    trial.arrive("c1", "1")
    trial.arrive("c2", "7")
    trial.arrive("c2", "dark", final=True)
    trial.arrive("c3", "3")
    trial.arrive(None, "8")
    for number in ("c1", "c2"):
        admit(trial, number)

    report = pilot_report(trial.desk, trial.session.id)

    assert (report.attempts, report.not_compared, report.unknown) == (6, 1, 1)
    assert report.let_in == PilotCounts(would_admit=1, would_refer=1)
    assert report.not_let_in == PilotCounts(would_admit=1, would_refer=0)


def test_of_a_pilot_no_picture_is_kept(trial: ExamDay, astronaut_jpeg: bytes) -> None:
    checkin = trial.arrive("c2", "7", photograph=astronaut_jpeg).checkin

    assert checkin.outcome == "referred"
    assert not checkin.has_thumbnail


def test_where_faces_decide_there_is_nothing_of_a_pilot(exam_day: ExamDay) -> None:
    exam_day.enrol("c1", "1")
    exam_day.roster("c1,Ana,A1")
    exam_day.arrive("c1", "1")

    assert pilot_report(exam_day.desk, exam_day.session.id).attempts == 0
