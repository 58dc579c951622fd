"""The gallery under several processes, and under processes that are killed in the middle of their work."""

from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import gallery_workers
import pytest
from made_templates import DIM, MODEL, add_subject, made_template, open_gallery
from processes import quick_processes
from sqlalchemy import func, select

from index import audit
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.tables import AuditEventRow, GalleryChangeRow, TemplateRow

pytestmark = pytest.mark.not_quick("processes of their own that are killed")

KILLS = {"sqlite": 100, "postgresql": 30}
PATIENCE_SECONDS = 120


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Starts processes that have imported everything already; 100 of them would else import for minutes."""
    return quick_processes()


@pytest.mark.timeout(600)
def test_what_was_answered_before_a_kill_is_found_and_nothing_is_half_written(
    database: Database, database_url: str, processes: ForkServerContext, tmp_path: Path
) -> None:
    open_gallery(database)
    subject_id = add_subject(database)
    kills = KILLS[database_url.partition(":")[0]]

    answered = gallery_workers.kill_one_after_the_other(
        processes, database_url, subject_id, kills, tmp_path / "answers"
    )

    gallery = Gallery(database, model_id=MODEL, dim=DIM)
    assert len(answered) >= kills
    assert [p for p in answered if not gallery.nearest(made_template(p), 1, max_d=0.01)] == []
    # At most the enrolment that was under way at each kill may have been committed without an answer.
    assert len(answered) <= whole_enrolments(database) <= len(answered) + kills
    assert len(gallery) == whole_enrolments(database)
    with database.read() as db:
        assert audit.verify_chain(db).is_whole


def test_of_two_processes_that_enrol_one_face_at_once_exactly_one_wins(
    database: Database, database_url: str, processes: ForkServerContext
) -> None:
    open_gallery(database)
    rounds, racers = 15, 2
    start = processes.Barrier(racers)
    pipes = [processes.Pipe(duplex=False) for _ in range(racers)]

    workers = [
        processes.Process(
            target=gallery_workers.race_for_a_face,
            args=(database_url, add_subject(database), rounds, start, sender),
        )
        for _, sender in pipes
    ]
    won = run(workers, [receiver for receiver, _ in pipes])

    assert sorted(person for faces in won for person in faces) == list(range(rounds))


def test_two_processes_that_enrol_search_and_remove_at_once_give_no_wrong_answer(
    database: Database, database_url: str, processes: ForkServerContext
) -> None:
    open_gallery(database)
    subjects = add_subject(database), add_subject(database)

    wrong = gallery_workers.work_at_once(processes, database_url, subjects, people_each=25)

    assert wrong == [[], []]
    assert whole_enrolments(database) == 50


def test_a_file_that_may_not_grow_refuses_the_enrolment_and_harms_nothing(
    sqlite_url: str, processes: ForkServerContext
) -> None:
    database = Database(sqlite_url)
    open_gallery(database)
    subject_id = add_subject(database)
    receiver, sender = processes.Pipe(duplex=False)
    max_bytes = 400_000

    ((answered, how),) = run(
        [
            processes.Process(
                target=gallery_workers.enrol_into_a_limited_file,
                args=(sqlite_url, subject_id, max_bytes, sender),
            )
        ],
        [receiver],
    )

    gallery = Gallery(database, model_id=MODEL, dim=DIM)
    assert how == "full"
    assert whole_enrolments(database) == answered > 0
    assert all(gallery.nearest(made_template(p), 1, max_d=0.01) for p in range(answered))
    database.close()


def run(workers: list[Any], receivers: list[Any]) -> list[Any]:
    """Start all, take what each reports, and wait for their end."""
    for worker in workers:
        worker.start()
    reports = [receiver.recv() for receiver in receivers if receiver.poll(PATIENCE_SECONDS)]
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    assert [worker.exitcode for worker in workers] == [0] * len(workers)
    return reports


def whole_enrolments(database: Database) -> int:
    """How many templates are or were enrolled; each must have its gallery change and its audit event."""
    with database.read() as db:
        added, removed, enrolled, templates = (
            db.scalars(select(func.count()).where(condition)).one()
            for condition in (
                GalleryChangeRow.kind == "added",
                GalleryChangeRow.kind == "removed",
                AuditEventRow.action == "template.enrolled",
                TemplateRow.number > 0,
            )
        )
    assert templates == added - removed
    assert added == enrolled
    return added
