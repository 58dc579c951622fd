"""Evidence: exported for one candidate, compared with the audit chain, gone when its time has come."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from fixtures_exams import ORIGIN, ExamDay, hours_from_now
from PIL import Image
from sqlalchemy import delete, event, func, select, text, update

from index import audit
from index.database.database import Database
from index.sealing.cipher import TemplateCipher
from index.tables import utc_now
from service.exams.audit import ROSTER_IMPORTED
from service.exams.checkin.overrides import OverrideTerms, override
from service.exams.checkin.thumbnails import open_thumbnail, shrunk
from service.exams.errors import (
    ExamInvalid,
    ExamNotFound,
    ExamPurged,
    NotOnRoster,
    RetentionRunning,
    ThumbnailNotFound,
)
from service.exams.evidence.export import export_evidence
from service.exams.evidence.retention import keep_tallies, purge_exam, remove_rows
from service.exams.evidence.sweeping import Swept, sweep
from service.exams.evidence.verifying import verify_evidence
from service.exams.exams import change_exam, find_exam
from service.exams.sessions import change_session, session_row
from service.exams.status import candidates_page, counts_of
from service.exams.tables import CheckinRow, OverrideRow, RosterEntryRow, ThumbnailRow
from service.exams.terms import ExamChanges, SessionChanges

PAST = {
    "starts_at": hours_from_now(-48),
    "ends_at": hours_from_now(-24),
    "opens_at": hours_from_now(-1),
    "closes_at": hours_from_now(1),
}
CLOSING = SessionChanges(closes_at=hours_from_now(-0.5), reason="the hall is empty")
TOMORROW = timedelta(hours=25)


def staffed(day: ExamDay) -> ExamDay:
    """Two candidates were at the door, and one override was made."""
    day.enrol("c1", "1")
    day.enrol("c2", "2")
    day.roster("c1,Ann,A", "c2,Ben,B", "c3,Cat,C", create_subjects=True)
    day.arrive("c1", "1")
    referred = day.arrive("c2", "9").checkin
    terms = OverrideTerms.model_validate({"outcome": "refused", "reason_code": "impersonation_suspected"})
    override(day.desk, referred.id, terms, ORIGIN)
    return day


@pytest.fixture
def hall(exam_day: ExamDay) -> ExamDay:
    return staffed(exam_day)


def remove_guards(database: Database) -> None:
    """What somebody with the rights of the database's owner could do."""
    with database.write() as db:
        for table in ("checkin", "checkin_override"):
            on_table = "" if database.is_sqlite else f" ON {table}"
            db.execute(text(f"DROP TRIGGER {table}_is_written_once{on_table}"))


class TestTheEvidenceOfOneCandidate:
    def test_is_one_document_whose_rows_are_those_that_the_chain_has_digested(self, hall: ExamDay) -> None:
        evidence = export_evidence(hall.desk, hall.session.id, "c2", ORIGIN)

        assert evidence.intact
        assert [one.table for one in evidence.rows] == ["checkin", "checkin_override"]
        digests = {event.details.get("evidence") for event in evidence.events}
        assert {one.digest for one in evidence.rows} <= digests
        assert evidence.candidate.status == "refused"
        assert evidence.checkins[0].overrides[0].reason_code == "impersonation_suspected"

    def test_can_be_checked_with_nothing_but_the_document(self, hall: ExamDay) -> None:
        import hashlib
        import json

        document = json.loads(export_evidence(hall.desk, hall.session.id, "c1", ORIGIN).model_dump_json())

        for row in document["rows"]:
            canonical = json.dumps(row["row"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            assert hashlib.sha256(canonical.encode()).hexdigest() == row["digest"]

    def test_says_nothing_about_anybody_else(self, hall: ExamDay) -> None:
        assert "Ann" not in export_evidence(hall.desk, hall.session.id, "c2", ORIGIN).model_dump_json()

    def test_holds_the_attempts_that_a_person_has_found_to_be_theirs(self, hall: ExamDay) -> None:
        terms = {"outcome": "admitted", "reason_code": "document_checked", "candidate": "c3"}
        unknown = hall.arrive(None, "9").checkin
        override(hall.desk, unknown.id, OverrideTerms.model_validate(terms), ORIGIN)

        evidence = export_evidence(hall.desk, hall.session.id, "c3", ORIGIN)

        assert evidence.intact
        assert [one.id for one in evidence.checkins] == [unknown.id]
        assert [one.action for one in evidence.events] == ["checkin.recorded", "override.recorded"]

    def test_is_itself_an_event(self, hall: ExamDay) -> None:
        export_evidence(hall.desk, hall.session.id, "c1", ORIGIN)

        with hall.desk.database.read() as db:
            assert len(audit.list_events(db, limit=10, action="evidence.exported")) == 1

    def test_needs_a_candidate_of_the_session(self, hall: ExamDay) -> None:
        with pytest.raises(NotOnRoster):
            export_evidence(hall.desk, hall.session.id, "nobody", ORIGIN)


@contextmanager
def meanwhile(day: ExamDay, after: str, happening: Callable[[], object], *, time: int = 1) -> Iterator[None]:
    """Somebody else does something between two statements of whoever reads: after one like this."""
    reader, engine, seen = threading.get_ident(), day.desk.database.engine, list[str]()

    def act(*given: object) -> None:
        if threading.get_ident() != reader or after not in f"{given[2]} {given[3]}":
            return
        seen.append(after)
        if len(seen) == time:
            somebody_else = threading.Thread(target=happening)
            somebody_else.start()
            somebody_else.join()

    event.listen(engine, "after_cursor_execute", act)
    yield
    event.remove(engine, "after_cursor_execute", act)
    assert len(seen) >= time


class TestWhileTheDoorIsOpen:
    def test_an_export_is_of_one_moment(self, hall: ExamDay) -> None:
        hall.enrol("c4", "4")
        hall.roster("c1,Ann,A", "c2,Ben,B", "c3,Cat,C", "c4,Dan,D")

        with meanwhile(hall, "FROM checkin", lambda: hall.arrive("c4", "9")):
            evidence = export_evidence(hall.desk, hall.session.id, "c4", ORIGIN)

        assert evidence.intact
        assert evidence.checkins == []

    def test_what_is_recorded_meanwhile_is_no_tampering(self, hall: ExamDay) -> None:
        longer = ("c1,Ann,A", "c2,Ben,B", "c3,Cat,C", "c4,Dan,D")

        # After the last block of imports, and before their candidates are counted.
        importing = partial(hall.roster, *longer, create_subjects=True)
        with meanwhile(hall, ROSTER_IMPORTED, importing, time=2):
            found = verify_evidence(hall.desk.database)

        assert found == []


class TestTheAuditChain:
    def test_is_whole_and_agrees_with_the_evidence(self, hall: ExamDay) -> None:
        with hall.desk.database.read() as db:
            assert audit.verify_chain(db).is_whole
        assert verify_evidence(hall.desk.database) == []

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE checkin SET d = 0.1 WHERE outcome = 'referred'",
            "UPDATE checkin SET outcome = 'admitted' WHERE outcome = 'referred'",
            "UPDATE checkin_override SET note = 'never mind'",
        ],
    )
    def test_finds_a_row_that_was_changed_past_the_triggers(self, hall: ExamDay, change: str) -> None:
        remove_guards(hall.desk.database)
        with hall.desk.database.write() as db:
            db.execute(text(change))

        assert [one.reason for one in verify_evidence(hall.desk.database)] == ["changed"]

    def test_finds_a_row_of_evidence_that_is_gone(self, hall: ExamDay) -> None:
        with hall.desk.database.write() as db:
            db.execute(text("DELETE FROM checkin_override"))

        assert [one.reason for one in verify_evidence(hall.desk.database)] == ["missing"]

    def test_holds_no_names(self, hall: ExamDay) -> None:
        with hall.desk.database.read() as db:
            details = str([one.details for one in audit.list_events(db, limit=1000)])

        assert "'Ann'" not in details
        assert "'c1'" not in details


class TestAnExport:
    def test_reads_nothing_of_the_evidence_while_every_writer_waits(self, hall: ExamDay) -> None:
        statements: list[str] = []
        engine = hall.desk.database.engine
        event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))

        export_evidence(hall.desk, hall.session.id, "c1", ORIGIN)

        lock = next(n for n, one in enumerate(statements) if "IMMEDIATE" in one or "advisory" in one)
        assert any("FROM checkin" in one for one in statements[:lock])
        assert not any("checkin" in one for one in statements[lock:])

    def test_of_somebody_who_was_taken_off_the_roster_past_the_program_is_missed(self, hall: ExamDay) -> None:
        with hall.desk.database.write() as db:
            db.execute(delete(RosterEntryRow).where(RosterEntryRow.external_id == "c3"))

        (found,) = verify_evidence(hall.desk.database)

        assert found.row_id == hall.session.id
        assert found.reason == "miscounted: the imports came to 3 candidates, the roster has 2"


class TestRetention:
    @pytest.fixture
    def over(self, database: Database, open_exam_day: Callable[..., ExamDay]) -> ExamDay:
        """An exam whose appeals ended a day ago and whose rows are kept for no day more."""
        day = staffed(open_exam_day(database, **PAST, retention_days=0))
        # Attempts of long ago: nothing goes sooner than a month after the last one.
        remove_guards(database)
        with database.write() as db:
            db.execute(update(CheckinRow).values(created_at=hours_from_now(-24 * 31)))
        change_session(day.desk, day.session.id, CLOSING, ORIGIN)
        return day

    @staticmethod
    def sweep_twice(day: ExamDay) -> Swept:
        """Announce what is due, and a day later remove it."""
        assert sweep(day.desk.database, ORIGIN).purges == []
        return sweep(day.desk.database, ORIGIN, utc_now() + TOMORROW)

    def test_removes_the_rows_and_leaves_the_counts_and_the_chain(self, over: ExamDay) -> None:
        database = over.desk.database
        with database.read() as db:
            before = counts_of(db, session_row(db, over.session.id))

        purge = purge_exam(database, over.exam.id, ORIGIN)

        assert (purge.roster_entries, purge.checkins, purge.overrides) == (3, 2, 1)
        with database.read() as db:
            assert db.scalar(select(func.count()).select_from(CheckinRow)) == 0
            assert db.scalar(select(func.count()).select_from(RosterEntryRow)) == 0
            after = counts_of(db, session_row(db, over.session.id))
            assert audit.verify_chain(db).is_whole
        assert after == before
        assert (after.admitted, after.refused, after.attempts, after.overrides) == (1, 1, 2, 1)
        assert verify_evidence(database) == []

    def test_counts_what_was_recorded_so_that_a_row_that_went_before_is_missed(self, over: ExamDay) -> None:
        database = over.desk.database
        with database.write() as db:
            db.execute(delete(OverrideRow))

        purge_exam(database, over.exam.id, ORIGIN)

        (found,) = verify_evidence(database)
        assert found.row_id == over.exam.id
        assert found.reason == "miscounted: 1 overrides were recorded, the purge removed 0"

    def test_that_nobody_asked_for_is_told_though_the_tallies_look_like_one(self, over: ExamDay) -> None:
        database = over.desk.database
        with database.write() as db:
            keep_tallies(db, over.exam.id)
            remove_rows(db, over.exam.id)

        reasons = [one.reason for one in verify_evidence(database)]

        assert reasons == ["missing"] * 3 + ["miscounted: the imports came to 3 candidates, the roster has 0"]

    def test_leaves_nothing_that_can_be_put_back_unseen(self, over: ExamDay) -> None:
        database = over.desk.database
        with database.read() as db:
            row = db.scalars(select(CheckinRow).order_by(CheckinRow.id)).first()
            assert row is not None
            values = {column.key: getattr(row, column.key) for column in row.__table__.columns}
        purge_exam(database, over.exam.id, ORIGIN)
        with database.write() as db:
            db.add(CheckinRow(**(values | {"entry_id": None})))

        assert [(one.row_id, one.reason) for one in verify_evidence(database)] == [
            (row.id, "not recorded, or purged")
        ]

    def test_leaves_the_people_and_their_templates(self, over: ExamDay) -> None:
        purge_exam(over.desk.database, over.exam.id, ORIGIN)

        assert len(over.desk.gallery.templates_of(over.subjects["c1"])) == 1

    def test_happens_once(self, over: ExamDay) -> None:
        purge_exam(over.desk.database, over.exam.id, ORIGIN)
        again = purge_exam(over.desk.database, over.exam.id, ORIGIN)

        assert again.checkins == 0
        with over.desk.database.read() as db:
            assert len(audit.list_events(db, limit=10, action="exam.purged")) == 1
            assert counts_of(db, session_row(db, over.session.id)).attempts == 2

    def test_does_not_begin_before_its_time(self, hall: ExamDay) -> None:
        with pytest.raises(RetentionRunning):
            purge_exam(hall.desk.database, hall.exam.id, ORIGIN)

        assert verify_evidence(hall.desk.database) == []

    def test_waits_for_the_last_session_though_the_exam_was_to_end_before(self, over: ExamDay) -> None:
        over.another_session()

        with pytest.raises(RetentionRunning):
            purge_exam(over.desk.database, over.exam.id, ORIGIN)
        assert self.sweep_twice(over).purges == []

    def test_of_none_keeps_the_rows(self, hall: ExamDay) -> None:
        change_exam(hall.desk, hall.exam.id, ExamChanges(retention_days=None), ORIGIN)

        with pytest.raises(RetentionRunning, match="as long as nobody sets"):
            purge_exam(hall.desk.database, hall.exam.id, ORIGIN)

    def test_can_be_tried_without_doing_it(self, hall: ExamDay) -> None:
        purge = purge_exam(hall.desk.database, hall.exam.id, ORIGIN, dry_run=True)

        assert (purge.purged, purge.checkins) == (False, 2)
        assert verify_evidence(hall.desk.database) == []

    def test_sweeps_what_is_due_and_nothing_else(
        self, over: ExamDay, open_exam_day: Callable[..., ExamDay]
    ) -> None:
        running = open_exam_day(over.desk.database)

        swept = self.sweep_twice(over)

        assert [one.exam_id for one in swept.purges] == [over.exam.id]
        assert find_exam(over.desk, over.exam.id).purged_at is not None
        assert find_exam(over.desk, running.exam.id).purged_at is None
        assert sweep(over.desk.database, ORIGIN, utc_now() + TOMORROW).purges == []

    def test_leaves_an_exam_that_takes_no_new_roster(self, over: ExamDay) -> None:
        self.sweep_twice(over)

        with pytest.raises(ExamPurged):
            over.roster("c1,Ann,A")

    def test_needs_an_exam(self, hall: ExamDay) -> None:
        with pytest.raises(ExamNotFound):
            purge_exam(hall.desk.database, hall.session.id, ORIGIN)


class TestErasure:
    def test_takes_the_name_from_the_roster_and_leaves_the_evidence_by_number(self, hall: ExamDay) -> None:
        hall.desk.gallery.erase(hall.subjects["c1"], actor="test")

        with hall.desk.database.read() as db:
            candidate = candidates_page(db, hall.session.id)[0]
        assert (candidate.external_id, candidate.display_name, candidate.subject_id) == ("c1", None, None)
        assert candidate.status == "admitted"
        assert verify_evidence(hall.desk.database) == []


class TestKeptPictures:
    @pytest.fixture
    def album(self, database: Database, open_exam_day: Callable[..., ExamDay]) -> ExamDay:
        """An exam that keeps pictures, with two enrolled candidates."""
        day = open_exam_day(database, cipher=TemplateCipher(bytes(range(32))), keep_probe_thumbnails=True)
        for number in (1, 2):
            day.enrol(f"c{number}", str(number))
        day.roster("c1,Ann,A", "c2,Ben,B")
        return day

    def test_need_a_key_to_encrypt_them(self, exam_day: ExamDay) -> None:
        with pytest.raises(ExamInvalid, match="template key"):
            change_exam(exam_day.desk, exam_day.exam.id, ExamChanges(keep_probe_thumbnails=True), ORIGIN)

    def test_are_not_kept_unless_the_exam_says_so(self, hall: ExamDay, astronaut_jpeg: bytes) -> None:
        checkin = hall.arrive(None, "9", photograph=astronaut_jpeg).checkin

        assert not checkin.has_thumbnail
        with pytest.raises(ThumbnailNotFound):
            open_thumbnail(hall.desk, checkin.id, ORIGIN)

    def test_are_small_upright_and_carry_nothing_but_the_picture(self, astronaut_jpeg: bytes) -> None:
        turned = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6  # Orientation: turn by 90 degrees
        exif[0x010E] = "a secret description"
        Image.new("RGB", (600, 300), "red").save(turned, "JPEG", exif=exif)

        small = Image.open(io.BytesIO(shrunk(turned.getvalue())))

        assert small.size == (128, 256)
        assert not small.getexif()
        assert len(shrunk(astronaut_jpeg)) < 20_000

    def test_are_kept_of_a_picture_whose_exif_block_is_damaged(self) -> None:
        damaged = io.BytesIO()
        Image.new("RGB", (300, 300), "red").save(damaged, "PNG", exif=b"Exif\0\0no TIFF header")

        assert Image.open(io.BytesIO(shrunk(damaged.getvalue()))).size == (256, 256)

    def test_are_sealed_in_the_database_and_opened_for_the_record(
        self, album: ExamDay, astronaut_jpeg: bytes
    ) -> None:
        checkin = album.arrive("c1", "1", photograph=astronaut_jpeg).checkin

        assert checkin.has_thumbnail
        assert open_thumbnail(album.desk, checkin.id, ORIGIN) == shrunk(astronaut_jpeg)
        with album.desk.database.read() as db:
            sealed = db.scalar(select(ThumbnailRow.sealed))
            assert b"JFIF" not in (sealed or b"JFIF")
            assert len(audit.list_events(db, limit=10, action="thumbnail.viewed")) == 1

    def test_go_when_their_days_are_over(self, album: ExamDay, astronaut_jpeg: bytes) -> None:
        checkin = album.arrive("c1", "1", photograph=astronaut_jpeg).checkin
        with album.desk.database.write() as db:
            db.execute(text("UPDATE probe_thumbnail SET expires_at = '2026-01-01 00:00:00'"))

        with pytest.raises(ThumbnailNotFound):
            open_thumbnail(album.desk, checkin.id, ORIGIN)
        assert sweep(album.desk.database, ORIGIN).thumbnails == 0
        assert sweep(album.desk.database, ORIGIN, utc_now() + TOMORROW).thumbnails == 1

    def test_go_when_the_person_is_erased(self, album: ExamDay, astronaut_jpeg: bytes) -> None:
        checkin = album.arrive("c1", "1", photograph=astronaut_jpeg).checkin

        album.desk.gallery.erase(album.subjects["c1"], actor="test")

        with pytest.raises(ThumbnailNotFound):
            open_thumbnail(album.desk, checkin.id, ORIGIN)
