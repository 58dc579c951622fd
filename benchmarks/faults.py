"""A thousand kills in the middle of enrolments, and two processes at once: is every answer right?

`python -m benchmarks faults`. The workers are those of `tests/index/test_gallery_processes.py`.
"""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from index import audit
from index.database import Database
from index.gallery import Gallery
from index.tables import TemplateRow

TESTS = Path(__file__).resolve().parent.parent / "tests" / "support"
KILLS = 1000
PEOPLE_EACH = 1500
NEAR = 0.01


def run(console: Console) -> None:
    """Kill, look at what is left, print one table; ends the program if anything is lost or invented."""
    sys.path.insert(0, str(TESTS))
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/invigil.db"
        started = time.perf_counter()
        answered = kill_often(url, Path(scratch) / "answers")
        seconds = time.perf_counter() - started
        found, whole, chain = what_is_left(url, answered)
    table = Table("kill -9", "enrolments answered", "of them found", "rows", "audit trail", "seconds")
    table.add_row(
        f"{KILLS:,}",
        f"{len(answered):,}",
        f"{found:,}",
        f"{whole:,}",
        "whole" if chain else "BROKEN",
        f"{seconds:.0f}",
    )
    console.print(table)
    # At each kill one enrolment may have been committed whose answer was never written down.
    if found != len(answered) or not len(answered) <= whole <= len(answered) + KILLS or not chain:
        sys.exit("Something was lost, or something is there that was never enrolled.")
    measure_two_at_once(console)


def measure_two_at_once(console: Console) -> None:
    """Two processes enrol, search and remove for about a minute and check each other's answers."""
    import gallery_workers
    from made_templates import add_subject, open_gallery
    from processes import quick_processes

    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{scratch}/invigil.db")
        database.upgrade()
        open_gallery(database)
        subjects = add_subject(database), add_subject(database)
        started = time.perf_counter()
        wrong = gallery_workers.work_at_once(
            quick_processes(), f"sqlite:///{scratch}/invigil.db", subjects, PEOPLE_EACH
        )
        seconds = time.perf_counter() - started
        database.close()
    table = Table("two processes at once", "enrolments", "removals", "wrong answers", "seconds")
    answers = sum(map(len, wrong))
    table.add_row("", f"{2 * PEOPLE_EACH:,}", f"{PEOPLE_EACH:,}", f"{answers:,}", f"{seconds:.0f}")
    console.print(table)
    if answers:
        sys.exit("; ".join(wrong[0] + wrong[1]))


def kill_often(url: str, answers: Path) -> list[int]:
    """Start a process that enrols and kill it at a random moment, a thousand times; whom it answered for."""
    import gallery_workers
    from made_templates import add_subject, open_gallery
    from processes import quick_processes

    database = Database(url)
    database.upgrade()
    open_gallery(database)
    subject_id = add_subject(database)
    database.close()
    return gallery_workers.kill_one_after_the_other(quick_processes(), url, subject_id, KILLS, answers)


def what_is_left(url: str, answered: list[int]) -> tuple[int, int, bool]:
    """How many of those answered are found, how many rows there are, and whether the audit trail is whole."""
    from made_templates import DIM, MODEL, made_template

    database = Database(url)
    gallery = Gallery(database, model_id=MODEL, dim=DIM)
    found = sum(bool(gallery.nearest(made_template(person), 1, max_d=NEAR)) for person in answered)
    with database.read() as session:
        rows = session.scalar(select(func.count()).select_from(TemplateRow)) or 0
        chain = audit.verify_chain(session).is_whole
    database.close()
    return found, rows, chain
