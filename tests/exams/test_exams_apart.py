"""Candidates who are checked apart: no photograph at a kiosk, and nobody can tell them from others."""

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now

from index import audit
from index.subjects.subjects import Subjects
from service.exams.checkin.claim import check_claim
from service.exams.checkin.document import DocumentType, IdentificationTerms, identify
from service.exams.checkin.moving import MovementTerms, move
from service.exams.checkin.rules import Arrival
from service.exams.errors import CheckinRefused, ManualIdentificationAgreed, ReturnByDocument
from service.exams.exams import change_exam
from service.exams.live.waiting import waiting_list
from service.exams.offline.pack import build_pack
from service.exams.roster.changing import CandidateChanges, change_candidate
from service.exams.roster.readiness import readiness
from service.exams.schemas import Candidate
from service.exams.states import Move
from service.exams.status import candidates_page
from service.exams.terms import ExamChanges


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """A room with three enrolled candidates: c1 is checked apart, c2 by document, c3 like everybody."""
    for number in "123":
        exam_day.enrol(f"c{number}", number)
    header = "external_id,seat,manual_identification,private_check"
    exam_day.roster("c1,A1,,yes", "c2,A2,yes,", "c3,A3,,", header=header)
    return exam_day


def candidates(hall: ExamDay) -> dict[str, Candidate]:
    with hall.desk.database.read() as db:
        return {one.external_id: one for one in candidates_page(db, hall.session.id)}


def refusal(hall: ExamDay, number: str) -> tuple[type[CheckinRefused], str, str]:
    with pytest.raises(CheckinRefused) as caught:
        check_claim(hall.desk, Arrival(hall.session.id, number, kiosk="door 1"), ORIGIN)
    return type(caught.value), caught.value.code, str(caught.value)


def test_at_the_kiosk_who_is_checked_apart_is_told_what_everybody_by_document_is_told(hall: ExamDay) -> None:
    assert refusal(hall, "c1") == refusal(hall, "c2")
    assert refusal(hall, "c1")[0] is ManualIdentificationAgreed

    with pytest.raises(ManualIdentificationAgreed):
        hall.arrive("c1", "1")

    assert hall.embedder.looked_at == []
    with hall.desk.database.read() as db:
        events = list(audit.list_events(db, limit=50))
    assert "apart" not in str(events)
    assert all("private" not in str(one.details) for one in events if one.action == "checkin.declined")


def test_staff_see_the_mark_and_let_in_by_a_document(hall: ExamDay) -> None:
    refusal(hall, "c1")

    (waiting,) = waiting_list(hall.desk, hall.session.id).items
    assert waiting.candidate
    assert waiting.candidate.flags.private_check
    identify(
        hall.desk,
        hall.session.id,
        IdentificationTerms(candidate="c1", document_type=DocumentType.PASSPORT),
        ORIGIN,
    )
    assert candidates(hall)["c1"].status == "identified_manually"
    assert not candidates(hall)["c3"].flags.private_check


def test_without_a_claim_nobody_is_found_by_a_face_that_is_checked_apart(hall: ExamDay) -> None:
    found = hall.arrive(None, "1").checkin
    other = hall.arrive(None, "3").checkin

    assert (found.external_id, found.outcome) == (None, "referred")
    assert (other.external_id, other.outcome) == ("c3", "admitted")


def test_a_kiosk_without_network_and_an_exam_without_faces_say_the_same(hall: ExamDay) -> None:
    pack = {one.external_id: one.may_be_photographed for one in build_pack(hall.desk, hall.session.id).people}
    change_exam(hall.desk, hall.exam.id, ExamChanges(faces="off", reason="the test"), ORIGIN)

    assert pack == {"c1": False, "c2": False, "c3": True}
    assert refusal(hall, "c1")[0] is ManualIdentificationAgreed


def test_a_list_that_does_not_speak_of_it_leaves_it_and_one_that_does_changes_it(hall: ExamDay) -> None:
    silent = hall.roster("c1,B1", "c2,B2", "c3,B3", header="external_id,seat")
    kept = candidates(hall)["c1"].flags.private_check
    merged = hall.roster("c3,B3,yes", header="external_id,seat,private_check", mode="merge")
    both = {number: one.flags.private_check for number, one in candidates(hall).items()}
    same = hall.roster("c3,B3,yes", header="external_id,seat,private_check", mode="merge")
    taken = hall.roster("c1,B1,no", header="external_id,seat,private_check", mode="merge")

    assert (silent.changed, kept) == (3, True)
    assert merged.changed == 1
    assert both == {"c1": True, "c2": False, "c3": True}
    assert same.changed == 0
    assert taken.changed == 1
    assert not candidates(hall)["c1"].flags.private_check


def test_what_a_list_has_no_column_for_stays_in_a_merge_and_in_a_replacement(hall: ExamDay) -> None:
    every = "external_id,display_name,seat,manual_identification,twin,accommodation"
    hall.roster("c1,Ann,A1,yes,yes,30 minutes", "c2,Ben,A2,,,", "c3,Cat,A3,,,", header=every)

    merged = hall.roster("c1,B1", header="external_id,seat", mode="merge")
    replaced = hall.roster("c1", "c2", "c3", header="external_id")
    kept = candidates(hall)["c1"]
    emptied = hall.roster(
        "c1,,no,no,", header="external_id,seat,twin,manual_identification,accommodation", mode="merge"
    )
    after = candidates(hall)["c1"]

    assert (merged.changed, replaced.changed, emptied.changed) == (1, 0, 1)
    assert (kept.display_name, kept.seat, kept.flags.accommodation) == ("Ann", "B1", "30 minutes")
    assert (kept.flags.twin, kept.flags.manual_identification) == (True, True)
    assert (after.display_name, after.seat, after.flags.accommodation) == ("Ann", None, None)
    assert (after.flags.twin, after.flags.manual_identification) == (False, False)


def test_nobody_is_warned_of_the_legal_basis_of_whoever_is_checked_apart(hall: ExamDay) -> None:
    basis = {"basis": "consent", "expires_at": hours_from_now(72).isoformat()}
    for number in ("c1", "c3"):
        Subjects(hall.desk.database).change(hall.subjects[number], legal_basis=basis, actor="test")

    report = readiness(hall.desk, hall.session.id)

    assert [one.external_id for one in report.legal_basis_expiring] == ["c3"]


def test_it_is_set_and_taken_back_without_a_reason(hall: ExamDay) -> None:
    here = (hall.desk, hall.session.id)

    marked = change_candidate(*here, "c3", CandidateChanges(private_check=True), ORIGIN)
    refused = refusal(hall, "c3")
    unmarked = change_candidate(*here, "c3", CandidateChanges(private_check=False), ORIGIN)

    assert marked.flags.private_check
    assert refused[0] is ManualIdentificationAgreed
    assert not unmarked.flags.private_check
    assert hall.arrive("c3", "3").checkin.outcome == "admitted"


def test_who_is_checked_apart_comes_back_by_a_document(hall: ExamDay) -> None:
    hall.arrive("c3", "3")
    change_candidate(hall.desk, hall.session.id, "c3", CandidateChanges(private_check=True), ORIGIN)
    move(hall.desk, hall.session.id, MovementTerms(candidate="c3", kind=Move.EXIT), ORIGIN, by_person=True)

    with pytest.raises(ReturnByDocument):
        hall.arrive("c3", "3", kind="return")
