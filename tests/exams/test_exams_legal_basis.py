"""At the door: whoever may not be compared any more is by document, and nobody is told why."""

from datetime import timedelta
from uuid import UUID

import pytest
from fixtures_exams import ExamDay, ExamService, hours_from_now
from sqlalchemy import func, select

from embedding.errors import FaceNotFound
from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.tables import utc_now
from service.exams.checkin.comparison import session_people
from service.exams.errors import ManualIdentificationAgreed, NothingToCompare
from service.exams.roster.readiness import readiness
from service.exams.status import candidates_page
from service.exams.tables import CheckinRow, ThumbnailRow


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Two candidates with seats, each enrolled."""
    for number in (1, 2):
        exam_day.enrol(f"c{number}", str(number))
    exam_day.roster("c1,Ann,A", "c2,Ben,B")
    return exam_day


def end_basis(day: ExamDay, external_id: str, hours: float = -1) -> UUID:
    """Let a candidate's legal basis end so many hours from now."""
    basis = {"basis": "consent", "expires_at": (utc_now() + timedelta(hours=hours)).isoformat()}
    Subjects(day.desk.database).change(day.subjects[external_id], legal_basis=basis, actor="test")
    return day.subjects[external_id]


def by_document(day: ExamDay) -> dict[str, bool]:
    with day.desk.database.read() as db:
        return {
            one.external_id: one.flags.manual_identification for one in candidates_page(db, day.session.id)
        }


def test_a_basis_that_ends_in_an_open_session_makes_the_next_one_by_document(hall: ExamDay) -> None:
    assert hall.arrive("c1", "9").checkin.outcome == "referred"

    end_basis(hall, "c1")

    looked_at = len(hall.embedder.looked_at)
    with pytest.raises(ManualIdentificationAgreed):
        hall.arrive("c1", "1")
    assert len(hall.embedder.looked_at) == looked_at
    assert by_document(hall) == {"c1": True, "c2": False}
    assert hall.arrive("c2", "2").checkin.outcome == "admitted"


@pytest.mark.parametrize("claim", ["c1", None])
def test_a_basis_that_ends_while_the_photograph_is_looked_at_lets_nobody_in(
    hall: ExamDay, claim: str | None
) -> None:
    hall.embedder.waits = lambda: end_basis(hall, "c1")

    if claim:
        with pytest.raises(ManualIdentificationAgreed):
            hall.arrive(claim, "1")
    else:
        assert hall.arrive(claim, "1").checkin.external_id is None

    assert by_document(hall)["c1"] is True


def test_consent_withdrawn_during_a_check_in_leaves_no_attempt_behind(hall: ExamDay) -> None:
    gallery, ana = hall.desk.gallery, hall.subjects["c1"]
    hall.embedder.waits = lambda: gallery.withdraw(ana, actor="test")

    with pytest.raises(ManualIdentificationAgreed):
        hall.arrive("c1", "1")

    with hall.desk.database.read() as db:
        assert db.scalar(select(func.count()).select_from(CheckinRow)) == 0
    assert gallery.templates_of(ana) == []


def test_a_picture_without_a_face_is_not_asked_for_again_of_somebody_by_document(hall: ExamDay) -> None:
    with pytest.raises(FaceNotFound):
        hall.arrive("c1", "nobody")
    end_basis(hall, "c1")

    with pytest.raises(ManualIdentificationAgreed):
        hall.arrive("c1", "nobody", final=True)


def test_a_search_at_the_door_leaves_the_expired_out(hall: ExamDay) -> None:
    end_basis(hall, "c1")

    alone = hall.arrive(None, "1").checkin

    assert (alone.outcome, alone.external_id) == ("referred", None)
    assert session_people(hall.desk.database, hall.session.id) == {hall.subjects["c2"]}


def test_a_search_where_everybodys_basis_has_ended_finds_nothing_to_compare(hall: ExamDay) -> None:
    for external_id in ("c1", "c2"):
        end_basis(hall, external_id)

    with pytest.raises(NothingToCompare):
        hall.arrive(None, "1")


def test_an_expired_rival_is_not_named_in_somebody_elses_case(hall: ExamDay) -> None:
    assert [one.external_id for one in hall.arrive("c2", "1").checkin.conflicts] == ["c1"]

    end_basis(hall, "c1")

    assert hall.arrive("c2", "1").checkin.conflicts == []


def test_a_renewed_basis_opens_the_door_by_photograph_again(hall: ExamDay) -> None:
    end_basis(hall, "c1")
    end_basis(hall, "c1", hours=1000)

    assert hall.arrive("c1", "1").checkin.outcome == "admitted"


def test_readiness_says_whose_basis_ends_and_whose_has_ended(hall: ExamDay) -> None:
    hall.enrol("c3", "3")
    hall.enrol("c4", "4")
    hall.enrol("c5", "5")
    hall.roster("c1,Ann,A", "c2,Ben,B", "c3,Cat,C", "c4,Dan,D", "c5,Eve,E")
    for external_id, hours in (("c1", -1), ("c2", 0.5), ("c3", 24 * 20), ("c5", 24 * 40)):
        end_basis(hall, external_id, hours)
    hall.desk.gallery.withdraw(hall.subjects["c4"], actor="test")

    report = readiness(hall.desk, hall.session.id)

    assert [
        (one.external_id, one.reason) for one in report.cannot_verify if one.reason != "poor_quality"
    ] == [
        ("c1", "legal_basis_expired"),
        ("c4", "legal_basis_withdrawn"),
    ]
    assert [(one.external_id, one.ends_before_session) for one in report.legal_basis_expiring] == [
        ("c2", True),
        ("c3", False),
    ]


def test_a_roster_says_that_the_expired_have_no_template_to_compare_with(hall: ExamDay) -> None:
    end_basis(hall, "c1")

    report = hall.roster("c1,Ann,A", "c2,Ben,B", dry_run=True)

    assert [one.external_id for one in report.without_template.items] == ["c1"]


def test_kept_pictures_of_the_door_go_with_the_consent(
    database: Database, open_exam_day: object, astronaut_jpeg: bytes
) -> None:
    assert callable(open_exam_day)
    cipher = TemplateCipher(bytes(range(32)))
    album: ExamDay = open_exam_day(database, cipher=cipher, keep_probe_thumbnails=True)
    album.enrol("c1", "1")
    album.enrol("c2", "2")
    album.roster("c1,Ann,A", "c2,Ben,B")
    for number in ("1", "2"):
        album.arrive(f"c{number}", number, photograph=astronaut_jpeg)

    album.desk.gallery.withdraw(album.subjects["c1"], actor="test")

    with database.read() as db:
        left = db.scalars(
            select(CheckinRow.external_id).join(ThumbnailRow, ThumbnailRow.checkin_id == CheckinRow.id)
        ).all()
    assert left == ["c2"]


def test_a_kiosk_gets_the_same_answer_for_an_expired_person_as_for_one_who_agreed(
    staffed_exam: ExamService, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    kiosk = staffed_exam.kiosk_key()
    roster = (
        "external_id,display_name,seat,manual_identification\n"
        "A1,Ann Arbor,1,no\nB1,Bob Burns,2,yes\nC1,Cy Cole,3,no\n"
    )
    assert staffed_exam.put_csv(roster).status_code == 200
    basis = {"basis": "consent", "expires_at": hours_from_now(-1).isoformat()}
    staffed_exam.call("PATCH", "subjects/ext:A1", json={"legal_basis": basis})

    expired = staffed_exam.check_in(astronaut_jpeg, key=kiosk, candidate="A1").json()
    agreed = staffed_exam.check_in(stranger_jpeg, key=kiosk, candidate="B1").json()

    own = {"request_id", "instance"}
    assert {k: v for k, v in expired.items() if k not in own} == {
        k: v for k, v in agreed.items() if k not in own
    }
    assert expired["status"] == 409
