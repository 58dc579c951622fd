"""When a legal basis ends: who is left out, who is erased and when, and who comes back."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from made_templates import enrol, made_template, open_gallery
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from index import audit
from index.clock import CONFIRMED, confirm_clock
from index.consent.expiry import ANNOUNCED, ExpirySweep, sweep_expired
from index.consent.legal_basis import BasisState
from index.consent.withdrawal import issue_link
from index.database.database import Database
from index.errors import ClockLeapt, LegalBasisExpired, LinkInvalid, NoTemplate, SubjectNotFound
from index.gallery.gallery import Gallery
from index.subjects.listing import Wanted
from index.subjects.subjects import Subjects
from index.tables import SubjectRow, WithdrawalLinkRow, utc_now

DAY = timedelta(days=1)
TOMORROW = timedelta(hours=25)


def basis_until(days: float, **more: object) -> dict[str, object]:
    """A legal basis that ends so many days from now; before now, where they are negative."""
    return {"basis": "consent", "expires_at": (utc_now() + timedelta(days=days)).isoformat(), **more}


def person(database: Database, gallery: Gallery, number: int, days: float = 30) -> UUID:
    """Somebody with one template."""
    subject_id = Subjects(database).add(legal_basis=basis_until(10), actor="test").id
    enrol(gallery, subject_id, made_template(number))
    Subjects(database).change(subject_id, legal_basis=basis_until(days), actor="test")
    return subject_id


def found(gallery: Gallery, number: int) -> list[UUID]:
    return [one.subject_id for one in gallery.nearest(made_template(number), 3, max_d=1.0)]


def test_whoever_has_no_basis_any_more_is_neither_compared_nor_found_nor_enrolled(database: Database) -> None:
    gallery = open_gallery(database)
    ana = person(database, gallery, 1, days=-1)
    ben = person(database, gallery, 2)

    assert (found(gallery, 1), found(gallery, 2)) == ([], [ben])
    assert gallery.nearest(made_template(1), 2, max_d=4.0, within=[ana, ben])[0].subject_id == ben
    assert gallery.find_close_pairs([ana, ben], 4.0) == []
    with pytest.raises(LegalBasisExpired):
        gallery.distance_to(ana, made_template(1))
    with pytest.raises(LegalBasisExpired):
        enrol(gallery, ana, made_template(1, 1))


def test_the_nearest_in_force_is_found_behind_a_hundred_whose_basis_has_ended(database: Database) -> None:
    gallery = open_gallery(database)
    subjects = Subjects(database)
    ended = [subjects.add(actor="test").id for _ in range(100)]
    for number, subject_id in enumerate(ended):
        enrol(gallery, subject_id, made_template(1, number + 1), force_reason="made")
    ben = subjects.add(actor="test").id
    enrol(gallery, ben, made_template(1, 500), force_reason="made")
    with database.write() as db:
        db.execute(update(SubjectRow).where(SubjectRow.id != ben).values(basis_expires_at=utc_now() - DAY))

    assert found(gallery, 1) == [ben]
    everybody = gallery.nearest(made_template(1), 1, max_d=4.0, within=[*ended, ben])
    assert [one.subject_id for one in everybody] == [ben]


def test_a_renewed_basis_brings_an_expired_person_back_in_every_process(database: Database) -> None:
    gallery, other = open_gallery(database), open_gallery(database)
    ana = person(database, gallery, 1, days=-1)
    assert found(other, 1) == []

    Subjects(database).change(ana, legal_basis=basis_until(365), actor="test")

    assert found(other, 1) == found(gallery, 1) == [ana]
    assert other.distance_to(ana, made_template(1)).d == pytest.approx(0.0, abs=1e-5)


def test_a_withdrawal_takes_templates_away_for_good_in_every_process(database: Database) -> None:
    gallery, other = open_gallery(database), open_gallery(database)
    ana = person(database, gallery, 1)
    assert found(other, 1) == [ana]

    receipt = gallery.withdraw(ana, actor="test")
    Subjects(database).change(ana, legal_basis=basis_until(365, reference="asked anew"), actor="test")

    assert (receipt.templates, receipt.crops) == (1, 0)
    assert found(other, 1) == found(gallery, 1) == []
    assert len(gallery) == len(other) == 0
    with pytest.raises(NoTemplate):
        gallery.distance_to(ana, made_template(1))
    enrol(gallery, ana, made_template(1))
    assert found(other, 1) == [ana]


def test_the_same_basis_sent_again_does_not_undo_a_withdrawal(database: Database) -> None:
    gallery, subjects = open_gallery(database), Subjects(database)
    basis = basis_until(30)
    ana = subjects.add(legal_basis=basis, actor="test").id
    gallery.withdraw(ana, actor="test")

    changed = subjects.change(ana, legal_basis=basis, display_name="Ana", actor="nightly import")

    assert (changed.legal_basis_state, changed.display_name) == (BasisState.WITHDRAWN, "Ana")
    with pytest.raises(LegalBasisExpired):
        enrol(gallery, ana, made_template(1))


def test_withdrawing_twice_keeps_the_first_moment(database: Database) -> None:
    gallery = open_gallery(database)
    ana = person(database, gallery, 1)
    first = gallery.withdraw(ana, actor="test", withdrawn_at=datetime(2026, 1, 1, tzinfo=UTC))

    again = gallery.withdraw(ana, actor="test")

    assert again.withdrawn_at == first.withdrawn_at
    assert (first.templates, again.templates) == (1, 0)


@pytest.mark.parametrize(
    ("state", "days"),
    [(BasisState.IN_FORCE, 31), (BasisState.EXPIRING, 29), (BasisState.EXPIRED, -1)],
)
def test_subjects_are_listed_by_how_their_basis_stands(
    database: Database, state: BasisState, days: float
) -> None:
    subjects = Subjects(database, timedelta(days=30))
    for each in (31, 29, -1):
        subjects.add(external_id=str(each), legal_basis=basis_until(each), actor="test")
    subjects.add(external_id="none", actor="test")

    listed = subjects.page(Wanted(bases=[state]))

    assert [(one.external_id, one.legal_basis_state) for one in listed] == [(str(days), state)]


class TestLinks:
    def issue(self, database: Database, subject_id: UUID) -> str:
        with database.write() as db:
            return issue_link(db, subject_id, days=7, actor="test").token

    def test_work_once_and_end_all_others(self, database: Database) -> None:
        gallery = open_gallery(database)
        ana = person(database, gallery, 1)
        first, second = self.issue(database, ana), self.issue(database, ana)

        assert gallery.withdraw_by_link(first).templates == 1

        for token in (first, second):
            with pytest.raises(LinkInvalid):
                gallery.withdraw_by_link(token)

    def test_end_with_their_days(self, database: Database) -> None:
        gallery = open_gallery(database)
        token = self.issue(database, person(database, gallery, 1))
        with database.write() as db:
            db.execute(update(WithdrawalLinkRow).values(expires_at=utc_now() - timedelta(seconds=1)))

        with pytest.raises(LinkInvalid):
            gallery.withdraw_by_link(token)
        assert len(gallery) == 1

    def test_are_not_kept_as_they_are(self, database: Database) -> None:
        token = self.issue(database, person(database, open_gallery(database), 1))

        with database.read() as db:
            row = db.scalars(select(WithdrawalLinkRow)).one()
        assert token not in str(vars(row))


class TestErasureOfTheExpired:
    def events(self, database: Database, action: str) -> list[UUID | None]:
        with database.read() as db:
            return [event.subject_id for event in audit.list_events(db, limit=100, action=action)]

    def test_announces_first_and_erases_a_day_later(self, database: Database) -> None:
        gallery = open_gallery(database)
        ana, ben = person(database, gallery, 1, days=-8), person(database, gallery, 2, days=-6)

        assert sweep_expired(database, 7 * DAY, actor="retention") == ExpirySweep(announced=1)
        assert sweep_expired(database, 7 * DAY, actor="retention") == ExpirySweep()
        later = utc_now() + TOMORROW
        assert sweep_expired(database, 7 * DAY, actor="retention", now=later) == ExpirySweep(1, 1)

        assert self.events(database, ANNOUNCED) == [ana, ben]
        assert self.events(database, "subject.erased") == [ana]
        with pytest.raises(SubjectNotFound):
            Subjects(database).find(ana)
        gallery.catch_up()
        assert len(gallery) == 1

    def test_leaves_whoever_was_renewed_in_between(self, database: Database) -> None:
        gallery = open_gallery(database)
        ana = person(database, gallery, 1, days=-8)
        sweep_expired(database, 7 * DAY, actor="retention")

        Subjects(database).change(ana, legal_basis=basis_until(30), actor="test")

        assert sweep_expired(database, 7 * DAY, actor="retention", now=utc_now() + TOMORROW) == ExpirySweep()
        assert found(gallery, 1) == [ana]

    def test_announces_anew_where_the_end_is_another(self, database: Database) -> None:
        ana = person(database, open_gallery(database), 1, days=-8)
        sweep_expired(database, 7 * DAY, actor="retention")

        Subjects(database).change(ana, legal_basis=basis_until(-9), actor="test")

        later = utc_now() + TOMORROW
        assert sweep_expired(database, 7 * DAY, actor="retention", now=later) == ExpirySweep(announced=1)

    @pytest.mark.parametrize("leap", [timedelta(days=400), -timedelta(days=2)])
    def test_stops_where_the_clock_has_leapt(self, database: Database, leap: timedelta) -> None:
        ana = person(database, open_gallery(database), 1, days=-8)
        sweep_expired(database, 7 * DAY, actor="retention")

        with pytest.raises(ClockLeapt):
            sweep_expired(database, 7 * DAY, actor="retention", now=utc_now() + leap)
        assert Subjects(database).find(ana).id == ana

    def test_begins_anew_after_the_clock_was_confirmed(self, database: Database) -> None:
        person(database, open_gallery(database), 1, days=-8)
        sweep_expired(database, 7 * DAY, actor="retention")

        with database.write() as db:
            confirm_clock(db, actor="test")

        later = utc_now() + TOMORROW
        assert sweep_expired(database, 7 * DAY, actor="retention", now=later) == ExpirySweep(announced=1)
        assert self.events(database, CONFIRMED) == [None]

    def test_takes_hundreds_in_turns(self, database: Database) -> None:
        subjects = Subjects(database)
        with database.write() as db:
            add_many(db, 450)
        ben = subjects.add(legal_basis=basis_until(30), actor="test").id

        assert sweep_expired(database, 7 * DAY, actor="retention") == ExpirySweep(announced=450)
        later = utc_now() + TOMORROW
        assert sweep_expired(database, 7 * DAY, actor="retention", now=later) == ExpirySweep(erased=450)

        assert [one.id for one in subjects.page()] == [ben]


def add_many(db: Session, count: int) -> None:
    """People whose basis ended eight days ago."""
    db.add_all(SubjectRow(basis_expires_at=utc_now() - 8 * DAY) for _ in range(count))
