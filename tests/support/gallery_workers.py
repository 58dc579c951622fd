"""What the processes of `test_gallery_processes.py` do; a module of its own, which they import quickly."""

import os
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from made_templates import DIM, MODEL, add_subject, enrol, made_template, open_gallery

from index.database.database import Database
from index.errors import DatabaseBusy, DatabaseFull, DuplicateIdentity
from index.gallery.gallery import Gallery

NEAR = 0.1
PATIENCE_SECONDS = 120

Result = TypeVar("Result")


def fork_workers(url: str, subject_id: UUID, kills: int, answers: Path, pids: Connection) -> None:
    """Start one worker after the other, each when the one before was killed; tell each one's process id.

    They are forked from a process that has enrolled somebody, elsewhere: none spends its short life on
    learning how.
    """
    with tempfile.TemporaryDirectory() as folder:
        practice = Database(f"sqlite:///{folder}/practice.db")
        practice.upgrade()
        enrol(open_gallery(practice), add_subject(practice), made_template(1))
        practice.close()
    for kill in range(kills):
        pid = os.fork()
        if pid == 0:
            enrol_until_killed(url, subject_id, 1000 * kill, answers)
        pids.send(pid)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def enrol_until_killed(url: str, subject_id: UUID, first_person: int, answers: Path) -> None:
    """Enrol one made person after the other; write down each that was answered.

    When whoever started the processes is gone, nobody is left to kill this one, and it ends by itself.
    """
    parent = os.getppid()
    gallery = Gallery(Database(url), model_id=MODEL, dim=DIM)
    file = os.open(answers, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    person = first_person
    while os.getppid() == parent:
        enrol(gallery, subject_id, made_template(person))
        os.write(file, b"%010d\n" % person)
        person += 1
    os._exit(1)


def kill_one_after_the_other(
    context: ForkServerContext, url: str, subject_id: UUID, kills: int, answers: Path
) -> list[int]:
    """Let workers enrol and kill each at a random moment after its first answer; whom they answered for."""
    chance = random.Random(0)
    answers.touch()
    receiver, sender = context.Pipe(duplex=False)
    forks = context.Process(target=fork_workers, args=(url, subject_id, kills, answers, sender))
    forks.start()
    for _ in range(kills):
        before = answers.stat().st_size
        assert receiver.poll(PATIENCE_SECONDS), "no worker started"
        pid = receiver.recv()
        until = time.monotonic() + PATIENCE_SECONDS
        while answers.stat().st_size == before and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(pid, signal.SIGKILL)
    forks.join()
    assert forks.exitcode == 0
    return [int(line) for line in answers.read_text().split()]


def race_for_a_face(url: str, subject_id: UUID, rounds: int, start: Barrier, answers: Connection) -> None:
    """Enrol the same faces as the others, each in the same moment as they; tell which were answered."""
    gallery = Gallery(Database(url), model_id=MODEL, dim=DIM)
    gallery.catch_up()
    won = []
    for person in range(rounds):
        start.wait()
        try:
            enrol(gallery, subject_id, made_template(person, sample=1 + os.getpid() % 1000))
            won.append(person)
        except DuplicateIdentity:
            pass
    answers.send(won)


def work_at_once(
    context: ForkServerContext, url: str, subjects: tuple[UUID, UUID], people_each: int, first: int = 0
) -> list[list[str]]:
    """Let two processes enrol, search and remove at once; what each found wrong with the answers.

    Several such pairs may work at once, each from a `first` person of its own.
    """
    peers = context.Pipe()
    reports = [context.Pipe(duplex=False) for _ in subjects]
    starts = (first, first + 1_000_000)
    workers = [
        context.Process(
            target=enrol_search_and_remove,
            args=(url, subject_id, range(first, first + people_each), peer, sender),
        )
        for subject_id, first, peer, (_, sender) in zip(subjects, starts, peers, reports, strict=True)
    ]
    for worker in workers:
        worker.start()
    wrong = [receiver.recv() for receiver, _ in reports if receiver.poll(PATIENCE_SECONDS * people_each / 20)]
    for worker in workers:
        worker.join(PATIENCE_SECONDS)
    assert [worker.exitcode for worker in workers] == [0, 0]
    return wrong


def repeat_while_busy(work: Callable[[], Result]) -> Result:
    """Write as a client does that is told to come again: so many at once may keep each other waiting."""
    for _ in range(50):
        with suppress(DatabaseBusy):
            return work()
    return work()


def enrol_search_and_remove(
    url: str, subject_id: UUID, people: range, peer: Connection, report: Connection
) -> None:
    """Do everything at once with another process and check each answer; report the wrong ones.

    Both tell each other what they have enrolled and removed, after it was answered.
    """
    gallery = Gallery(Database(url), model_id=MODEL, dim=DIM)
    news = News(gallery, peer)
    wrong: list[str] = []
    for person in people:
        template = repeat_while_busy(partial(enrol, gallery, subject_id, made_template(person)))
        peer.send(("enrolled", person))
        if not is_found(gallery, person):
            wrong.append(f"own {person} was not found")
        if person % 2:
            repeat_while_busy(partial(gallery.remove, subject_id, template.id, actor="test"))
            peer.send(("removed", person))
            if is_found(gallery, person):
                wrong.append(f"own {person} was found after its removal")
        news.check()
    peer.send(("done", people.stop))
    while not news.is_over:
        news.check()
    report.send(wrong + news.wrong)


class News:
    """What the other process tells, checked in this one's gallery.

    An even person stays and must be found as soon as it was told. An odd one may be removed between the
    telling and the search; once that is told, it must never be found again.
    """

    def __init__(self, gallery: Gallery, peer: Connection) -> None:
        self.wrong: list[str] = []
        self.is_over = False
        self._gallery = gallery
        self._peer = peer

    def check(self) -> None:
        """Check all that has come by now."""
        while not self.is_over and self._peer.poll(0.001):
            what, person = self._peer.recv()
            self.is_over = what == "done"
            if what == "removed" and is_found(self._gallery, person):
                self.wrong.append(f"the other's {person} was found after its removal")
            if what == "enrolled" and person % 2 == 0 and not is_found(self._gallery, person):
                self.wrong.append(f"the other's {person} was not found")


def is_found(gallery: Gallery, person: int) -> bool:
    """Whether a search finds the made person."""
    return bool(gallery.nearest(made_template(person), 1, max_d=NEAR))


def enrol_into_a_limited_file(url: str, subject_id: UUID, max_bytes: int, report: Connection) -> None:
    """Enrol until the system lets no file grow; tell how many were answered before, and how it ended."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))
    gallery = Gallery(Database(url), model_id=MODEL, dim=DIM)
    answered = 0
    try:
        while True:
            enrol(gallery, subject_id, made_template(answered))
            answered += 1
    except DatabaseFull:
        report.send((answered, "full"))
