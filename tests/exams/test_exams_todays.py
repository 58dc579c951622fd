"""Today's admission beside the enrolment at a return: nearer counts, disagreement is referred, and it goes.

The photograph of the morning is 50° off the enrolment: a match (up to 53°).
"""

from collections.abc import Callable
from typing import Any

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from sqlalchemy import func, select

from index.database.database import Database
from index.resealing import find_unreadable_rows, reseal
from index.sealing.cipher import TemplateCipher
from service.exams.checkin.document import IdentificationTerms, identify
from service.exams.checkin.moving import MovementTerms, move
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.photograph import checkins_page
from service.exams.checkin.todays import ADMISSION_TEMPLATES, next_closing, purge_todays
from service.exams.errors import ExamInvalid, ReturnByDocument
from service.exams.exams import change_exam
from service.exams.schemas import Checkin
from service.exams.sessions import change_session
from service.exams.tables import AdmissionTemplateRow
from service.exams.terms import ExamChanges, SessionChanges
from service.settings import Settings
from service.template_keys import find_unreadable

Open = Callable[..., ExamDay]
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


def start(database: Database, open_exam_day: Open, *, keeps: bool = True) -> ExamDay:
    """A room with c1, who came in by a photograph of the morning."""
    hall = open_exam_day(database, cipher=TemplateCipher(KEY), keep_admission_template=keeps)
    hall.enrol("c1", "1")
    hall.roster("c1,Ana,A1")
    assert hall.arrive("c1", "1@50").checkin.outcome == "admitted"
    return hall


def come_back(hall: ExamDay, picture: str) -> Checkin:
    terms = MovementTerms.model_validate({"candidate": "c1", "kind": "exit"})
    move(hall.desk, hall.session.id, terms, ORIGIN, by_person=False)
    return hall.arrive("c1", picture, kind="return").checkin


def kept(hall: ExamDay) -> int:
    with hall.desk.database.read() as db:
        return db.scalar(select(func.count()).select_from(AdmissionTemplateRow)) or 0


@pytest.mark.parametrize(
    ("keeps", "outcome", "reasons"), [(True, "admitted", ["todays_admission"]), (False, "referred", [])]
)
def test_who_looks_as_this_morning_comes_back_though_the_enrolment_is_old(
    keeps: bool, outcome: str, reasons: list[str], database: Database, open_exam_day: Open
) -> None:
    hall = start(database, open_exam_day, keeps=keeps)

    # 85° off the enrolment, 35° off the morning.
    back = come_back(hall, "1@85")

    assert (back.outcome, back.reasons, kept(hall)) == (outcome, reasons, int(keeps))
    assert (back.template_id is None, back.d is not None) == (keeps, True)


def test_the_enrolment_counts_where_it_is_nearer(database: Database, open_exam_day: Open) -> None:
    hall = start(database, open_exam_day)

    back = come_back(hall, "1@5")

    assert (back.outcome, back.reasons, back.template_id is not None) == ("admitted", [], True)


def test_a_return_by_somebody_else_than_was_let_in_is_referred_though_the_enrolment_matches(
    database: Database, open_exam_day: Open
) -> None:
    hall = start(database, open_exam_day)

    # 52° off the enrolment towards another side: 67° off the morning, beyond what is referred.
    back = come_back(hall, "1+7@52")

    assert (back.decision, back.outcome, back.reasons) == ("match", "referred", ["not_as_admitted"])


def test_a_stranger_is_no_nearer_for_it(database: Database, open_exam_day: Open) -> None:
    hall = start(database, open_exam_day)

    assert come_back(hall, "9").outcome == "referred"


def gone_by_erasure(hall: ExamDay) -> None:
    hall.desk.gallery.erase(hall.subjects["c1"], actor="test")


def gone_by_withdrawal(hall: ExamDay) -> None:
    hall.desk.gallery.withdraw(hall.subjects["c1"], actor="test")


def gone_by_correction(hall: ExamDay) -> None:
    (row,) = checkins_page(hall.desk, hall.session.id, 5)
    terms = OverrideTerms.model_validate({"outcome": "refused", "reason_code": "wrong_candidate"})
    override(hall.desk, row.id, terms, ORIGIN)


def gone_by_closing(hall: ExamDay) -> None:
    window: dict[str, Any] = {"opens_at": hours_from_now(-3), "closes_at": hours_from_now(-0.01)}
    changes = SessionChanges.model_validate({**window, "reason": "ended early"})
    assert purge_todays(hall.desk.database) == 0
    change_session(hall.desk, hall.session.id, changes, ORIGIN)
    assert next_closing(hall.desk.database) == changes.closes_at
    assert purge_todays(hall.desk.database) == 1


def gone_by_turning_off(hall: ExamDay) -> None:
    change_exam(hall.desk, hall.exam.id, ExamChanges(keep_admission_template=False), ORIGIN)
    assert purge_todays(hall.desk.database) == 1


@pytest.mark.parametrize(
    "end",
    [gone_by_erasure, gone_by_withdrawal, gone_by_correction, gone_by_closing, gone_by_turning_off],
)
def test_it_goes_with_whatever_ends_its_purpose(
    end: Callable[[ExamDay], None], database: Database, open_exam_day: Open
) -> None:
    hall = start(database, open_exam_day)
    assert kept(hall) == 1

    end(hall)

    assert kept(hall) == 0


def test_who_came_in_by_a_document_leaves_no_template_and_returns_by_one(
    database: Database, open_exam_day: Open
) -> None:
    hall = open_exam_day(database, cipher=TemplateCipher(KEY), keep_admission_template=True)
    hall.enrol("c1", "1")
    hall.roster("c1,Ana,A1")
    terms = IdentificationTerms.model_validate({"candidate": "c1", "document_type": "passport"})
    identify(hall.desk, hall.session.id, terms, ORIGIN)

    with pytest.raises(ReturnByDocument):
        come_back(hall, "1")

    assert kept(hall) == 0


def test_a_new_key_seals_it_anew_and_a_damaged_one_is_named_and_not_used(
    database: Database, open_exam_day: Open
) -> None:
    hall = start(database, open_exam_day)
    both = TemplateCipher(OTHER_KEY, KEY)

    report = reseal(database, both, [ADMISSION_TEMPLATES], actor="test")

    assert report.sealed == {"admission_templates": 1}
    with database.snapshot() as db:
        assert find_unreadable_rows(db, TemplateCipher(OTHER_KEY), ADMISSION_TEMPLATES) == []
    # This desk has the former key alone: the enrolment decides by itself.
    assert come_back(hall, "1@85").outcome == "referred"


def test_every_sealed_row_is_tried_on_each_kind_of_database(
    database: Database, open_exam_day: Open, settings_for: Callable[..., Settings]
) -> None:
    start(database, open_exam_day)

    assert find_unreadable(settings_for(template_key=KEY.hex()), database) == []


def test_an_exam_keeps_none_without_a_key_to_seal_it(database: Database, open_exam_day: Open) -> None:
    with pytest.raises(ExamInvalid, match="keep_admission_template"):
        open_exam_day(database, keep_admission_template=True)
