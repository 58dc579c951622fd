"""Importing a roster: what it reports, and that it is all or nothing; readiness the day before."""

import time
from typing import Any

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from made_templates import OTHER_MODEL
from sqlalchemy import select, update

from index import audit
from index.errors import ExternalIdAmbiguous
from index.tables import ModelRow, SubjectRow, TemplateRow
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.errors import RosterRefused
from service.exams.roster.clashes import roster_clashes
from service.exams.roster.readiness import readiness
from service.exams.roster.report import RosterReport
from service.exams.schemas import Candidate
from service.exams.status import candidates_page
from service.exams.tables import RosterEntryRow


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    """Three subjects, two of them with a template; nobody on the roster."""
    exam_day.enrol("c1", "1")
    exam_day.enrol("c2", "2")
    exam_day.enrol("c3")
    return exam_day


def roster_of(hall: ExamDay) -> list[Candidate]:
    with hall.desk.database.read() as db:
        return candidates_page(db, hall.session.id)


def refused(hall: ExamDay, *rows: str, **options: Any) -> RosterReport:
    """The report of a roster that was not imported; the roster there is as it was."""
    before = roster_of(hall)
    with pytest.raises(RosterRefused) as error:
        hall.roster(*rows, **options)
    assert roster_of(hall) == before
    report = error.value.report
    assert isinstance(report, RosterReport)
    assert not report.applied
    return report


def test_a_roster_is_imported_and_says_who_cannot_be_verified_yet(hall: ExamDay) -> None:
    report = hall.roster("c1,Ann,A", "c2,Ben,B", "c3,Cat,C")

    assert (report.applied, report.rows, report.candidates, report.added, report.problems) == (
        True,
        3,
        3,
        3,
        0,
    )
    assert [one.external_id for one in report.without_template.items] == ["c3"]
    assert [(one.external_id, one.display_name, one.seat, one.status) for one in roster_of(hall)] == [
        ("c1", "Ann", "A", "expected"),
        ("c2", "Ben", "B", "expected"),
        ("c3", "Cat", "C", "expected"),
    ]


def test_a_dry_run_says_the_same_and_writes_nothing(hall: ExamDay) -> None:
    report = hall.roster("c1,Ann,A", "nobody,No,N", dry_run=True)

    assert (report.dry_run, report.applied, report.added, report.unknown.total, report.problems) == (
        True,
        False,
        2,
        1,
        1,
    )
    assert roster_of(hall) == []


def test_a_second_import_says_what_changed(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")

    report = hall.roster("c1,Ann,Z", "c3,Cat,C")

    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 1, 0)
    assert [(one.external_id, one.seat) for one in roster_of(hall)] == [("c1", "Z"), ("c3", "C")]


def test_a_merge_leaves_whom_the_file_does_not_name(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")

    report = hall.roster("c3,Cat,C", mode="merge")

    assert (report.added, report.removed) == (1, 0)
    assert len(roster_of(hall)) == 3


def test_two_candidates_can_change_places(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")

    hall.roster("c1,Ann,B", "c2,Ben,A")

    assert [(one.external_id, one.seat) for one in roster_of(hall)] == [("c1", "B"), ("c2", "A")]


def test_the_same_roster_again_changes_nothing(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")

    report = hall.roster("c1,Ann,A", "c2,Ben,B")

    assert (report.added, report.changed, report.removed, report.unchanged) == (0, 0, 0, 2)


def test_unknown_people_stop_an_import_unless_subjects_are_to_be_created(hall: ExamDay) -> None:
    report = refused(hall, "c1,Ann,A", "x1,Xia,X")

    assert [(one.row, one.external_id) for one in report.unknown.items] == [(2, "x1")]
    made = hall.roster("c1,Ann,A", "x1,Xia,X", create_subjects=True)
    assert (made.created_subjects, made.added) == (1, 2)
    with hall.desk.database.read() as db:
        assert db.scalar(select(SubjectRow.display_name).where(SubjectRow.external_id == "x1")) == "Xia"


def test_a_row_that_is_there_twice_is_counted_and_one_that_contradicts_itself_stops_the_import(
    hall: ExamDay,
) -> None:
    assert hall.roster("c1,Ann,A", "c1,Ann,A").repeated_rows == 1

    report = refused(hall, "c1,Ann,A", "c2,Ben,B", "c1,Ann,Z")

    assert [(one.row, one.first_row, one.external_id) for one in report.conflicting_rows.items] == [
        (3, 1, "c1")
    ]


def test_one_seat_for_two_stops_the_import(hall: ExamDay) -> None:
    report = refused(hall, "c1,Ann,A", "c2,Ben,A")

    assert [(one.row, one.first_row, one.seat) for one in report.duplicate_seats.items] == [(2, 1, "A")]


def test_a_seat_that_somebody_on_the_roster_has_stops_a_merge(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A")

    report = refused(hall, "c2,Ben,A", mode="merge")

    assert report.duplicate_seats.items[0].other == "c1"


def test_somebody_elses_roster_is_found_out_by_its_exam_or_its_room(hall: ExamDay) -> None:
    header = "external_id,exam,room"

    other_exam = refused(hall, "c1,Physics,R1", "c2,Mathematics,R1", header=header)
    other_room = refused(hall, "c1,Mathematics,R9", header=header)

    assert [(one.row, one.other) for one in other_exam.other_exam.items] == [(1, "Physics")]
    assert [(one.row, one.other) for one in other_room.other_exam.items] == [(1, "R9")]
    assert hall.roster("c1,Mathematics,R1", header=header).applied


def test_whom_a_person_let_in_cannot_be_taken_off_the_roster_though_the_attempt_named_nobody(
    hall: ExamDay,
) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")
    terms = {"outcome": "admitted", "reason_code": "document_checked", "candidate": "c1"}
    unknown = hall.arrive(None, "9").checkin
    override(hall.desk, unknown.id, OverrideTerms.model_validate(terms), ORIGIN)

    report = refused(hall, "c2,Ben,B")

    assert [one.external_id for one in report.has_checkins.items] == ["c1"]


def test_whoever_was_at_the_door_cannot_be_taken_off_the_roster(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")
    hall.arrive("c1", "9")

    report = refused(hall, "c2,Ben,B")

    assert [one.external_id for one in report.has_checkins.items] == ["c1"]


def test_who_is_expected_in_two_rooms_at_once_is_named(hall: ExamDay) -> None:
    other = hall.another_session()
    hall.roster_of(other.id, "c1,Ann,A")

    report = hall.roster("c1,Ann,A", "c2,Ben,B")

    assert [(one.external_id, one.other) for one in report.in_other_sessions.items] == [("c1", "R2")]


def test_a_room_at_another_time_is_no_finding(hall: ExamDay) -> None:
    later = hall.another_session(opens_at=hours_from_now(5), closes_at=hours_from_now(6))
    hall.roster_of(later.id, "c1,Ann,A")

    assert hall.roster("c1,Ann,A").in_other_sessions.total == 0


def test_long_lists_are_counted_and_cut(hall: ExamDay) -> None:
    report = hall.roster(*(f"u{number},," for number in range(500)), dry_run=True)

    assert (report.unknown.total, len(report.unknown.items)) == (500, 200)


def test_an_import_is_an_event_with_the_digest_of_the_roster_and_no_candidate(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A")

    with hall.desk.database.read() as db:
        details = audit.list_events(db, limit=10, action="roster.imported")[0].details
    assert (details["candidates"], details["added"], len(details["roster"])) == (1, 1, 64)
    assert "Ann" not in str(details)


def test_whoever_is_erased_stays_on_the_roster_by_number(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A")

    hall.desk.gallery.erase(hall.subjects["c1"], actor="test")

    assert [(one.external_id, one.display_name, one.subject_id) for one in roster_of(hall)] == [
        ("c1", None, None)
    ]


@pytest.mark.slow("imports rosters of thousands of rows")
def test_the_work_of_an_import_grows_with_its_rows_not_their_square(sqlite_exam_day: ExamDay) -> None:
    rows = [f"s-{number},Student {number},{number}" for number in range(50_000)]
    sqlite_exam_day.roster(*rows, create_subjects=True)
    moved = [f"s-{number},Student {number},{number + 1}" for number in range(50_000)]
    started = time.process_time()

    report = sqlite_exam_day.roster(*moved)

    assert (report.changed, report.problems) == (50_000, 0)
    assert time.process_time() - started < 15


class TestReadiness:
    def test_says_who_cannot_be_verified_and_why(self, hall: ExamDay) -> None:
        hall.enrol("old", "4")
        hall.enrol("gone", "5")
        hall.roster("c1,", "c2,x", "c3,", "old,", "gone,", header="external_id,manual_identification")
        with hall.desk.database.write() as db:
            db.add(ModelRow(id=OTHER_MODEL, name="old", dim=32, state="retired", facts={}))
            db.flush()
            mine = TemplateRow.subject_id == hall.subjects["old"]
            db.execute(update(TemplateRow).where(mine).values(model_id=OTHER_MODEL))
        hall.desk.gallery.erase(hall.subjects["gone"], actor="test")

        found = readiness(hall.desk, hall.session.id)

        assert (found.candidates, found.ready) == (5, 1)
        assert {one.external_id: one.reason for one in found.cannot_verify} == {
            "c2": "manual_identification",
            "c3": "no_template",
            "old": "old_model",
            "gone": "subject_erased",
        }

    def test_names_a_template_whose_picture_would_not_be_enrolled_today(self, hall: ExamDay) -> None:
        measures = {
            "inter_eye_distance": 12.0,
            "sharpness": 0.3,
            "luminance_mean": 0.5,
            "under_exposure": 0.0,
            "over_exposure": 0.0,
            "dynamic_range": 7.0,
            "head_pose_yaw": 0.0,
            "head_pose_pitch": 0.0,
            "head_pose_roll": 0.0,
            "face_inside": 1.0,
            "feature_contrast": 0.7,
        }
        hall.roster("c1,Ann,A", "c2,Ben,B")
        with hall.desk.database.write() as db:
            mine = TemplateRow.subject_id == hall.subjects["c1"]
            db.execute(update(TemplateRow).where(mine).values(quality=measures))

        found = readiness(hall.desk, hall.session.id).cannot_verify

        assert [(one.external_id, one.reason, one.detail) for one in found] == [
            ("c1", "poor_quality", "face_too_small")
        ]

    def test_finds_the_pairs_that_look_alike_nearest_first(self, hall: ExamDay) -> None:
        hall.enrol("twin", "1@20")
        hall.enrol("cousin", "1+9@60")
        hall.roster("c1,1", "c2,", "c3,", "twin,1", "cousin,", header="external_id,twin")

        pairs = readiness(hall.desk, hall.session.id).look_alikes

        assert [(one.a.external_id, one.b.external_id, one.flagged_twins) for one in pairs][:2] == [
            ("c1", "twin", True),
            ("c1", "cousin", False),
        ]
        assert pairs[0].d == pytest.approx(0.1206, abs=1e-3)
        assert pairs[0].fmr_at_d is None
        assert pairs[1].fmr_at_d == pytest.approx(3.2e-4, rel=0.1)

    def test_names_who_was_marked_as_a_twin_on_the_roster(self, hall: ExamDay) -> None:
        hall.roster("c1,1", "c2,", header="external_id,twin")

        found = readiness(hall.desk, hall.session.id)

        assert (found.ready, [(one.external_id, one.reason) for one in found.cannot_verify]) == (
            1,
            [("c1", "twin")],
        )

    def test_looks_at_the_session_alone(self, hall: ExamDay) -> None:
        hall.enrol("twin", "1@20")
        hall.roster("c1,Ann,A")

        assert readiness(hall.desk, hall.session.id).look_alikes == []


def test_a_candidate_is_one_however_the_roster_spells_the_id(hall: ExamDay) -> None:
    hall.enrol("José-7", "4")

    report = hall.roster("C1,Ann,A", "Jose\u0301-7,José,B", "ｃ2,Ben,C")

    assert (report.unknown.total, report.without_template.total, report.problems) == (0, 0, 0)
    assert {one.subject_id for one in roster_of(hall)} == set(hall.subjects.values()) - {hall.subjects["c3"]}
    assert [one.external_id for one in roster_of(hall)] == ["C1", "José-7", "ｃ2"]


def test_a_second_spelling_in_one_roster_is_reported_with_the_first(hall: ExamDay) -> None:
    report = refused(hall, "c1,Ann,A", "C1,Ann,A")

    (found,) = report.conflicting_rows.items
    assert (found.row, found.first_row, found.external_id) == (2, 1, "C1")


def test_another_spelling_in_the_next_roster_is_the_same_candidate(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")
    hall.arrive("c1", "1")

    report = hall.roster("C1,Ann,A", "c2,Ben,B")

    assert (report.added, report.changed, report.removed, report.unchanged) == (0, 1, 0, 1)
    assert [one.external_id for one in roster_of(hall)] == ["C1", "c2"]
    assert [one.status for one in roster_of(hall)] == ["admitted", "expected"]


def test_a_new_id_that_looks_like_somebody_elses_is_reported(hall: ExamDay) -> None:
    report = refused(hall, "с1,Ann,A", "x1,Xia,B", "хl,Yan,C", create_subjects=True)

    assert [(one.row, one.first_row, one.other) for one in report.confusable.items] == [
        (1, None, "c1"),
        (3, 2, "x1"),
    ]
    assert report.problems == 2


@pytest.mark.parametrize("number", ["1.23457E+11", '"1,23457E+11"', "1.2e+11", '"=""00123"""'])
def test_a_number_that_a_spreadsheet_has_changed_is_reported(hall: ExamDay, number: str) -> None:
    report = refused(hall, "c1,Ann,A", f"{number},Xia,B", create_subjects=True)

    assert [(one.row, one.line) for one in report.mangled.items] == [(2, 3)]


@pytest.mark.parametrize(("enrolled", "listed"), [("00123", "123"), ("123", "00123")])
def test_a_number_that_lost_its_zeros_is_reported_with_whose_it_may_be(
    hall: ExamDay, enrolled: str, listed: str
) -> None:
    hall.enrol(enrolled)

    report = refused(hall, f"{listed},Ann,A", "77,Ben,B", create_subjects=True)

    assert [(one.external_id, one.other) for one in report.mangled.items] == [(listed, enrolled)]


def test_a_file_that_names_nobody_empties_no_roster_unless_that_is_asked_for(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")

    report = refused(hall)
    tried = hall.roster(dry_run=True)

    assert [one.external_id for one in report.emptied.items] == ["c1", "c2"]
    assert (tried.removed, tried.problems) == (2, 2)
    assert hall.roster(mode="merge").problems == 0
    assert hall.roster(allow_empty=True).removed == 2
    assert roster_of(hall) == []
    assert hall.roster().problems == 0


def test_a_roster_of_before_with_two_spellings_is_put_right_by_the_next(hall: ExamDay) -> None:
    hall.roster("c1,Ann,A", "c2,Ben,B")
    with hall.desk.database.write() as db:
        db.execute(
            update(RosterEntryRow)
            .where(RosterEntryRow.external_id == "c2")
            .values(external_id="C1", external_key="c1")
        )
    with pytest.raises(ExternalIdAmbiguous):
        hall.arrive("ｃ1", "1")
    assert hall.arrive("c1", "1").checkin.outcome == "admitted"
    with hall.desk.database.read() as db:
        (clash,) = roster_clashes(db)
    assert {clash.first, clash.second} == {"c1", "C1"}

    report = hall.roster("C1,Ann,A")

    assert (report.changed, report.removed, report.problems) == (1, 1, 0)
    assert [(one.external_id, one.status) for one in roster_of(hall)] == [("C1", "admitted")]
