"""A thousand kills in the middle of enrolments, processes at once, damaged pictures: is every answer right?

`python -m benchmarks faults`, with `--pictures 20000` for all of them. The workers are those of
`tests/index/test_gallery_processes.py`.
"""

import io
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
from PIL import Image
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from benchmarks.mutations import mutated
from benchmarks.service import Server, family, photo_640x480, serving
from index import audit
from index.database.database import Database
from index.gallery.gallery import Gallery
from index.tables import TemplateRow
from service.settings import Settings

TESTS = Path(__file__).resolve().parent.parent / "tests" / "support"
KILLS = 1000
PEOPLE_EACH = 1500
NEAR = 0.01
PAIRS = 4
PEOPLE_OF_EIGHT = 200

PICTURES = 500
STATUSES = frozenset({200, 413, 415, 422})
PATIENCE_SECONDS = 10.0
MOST_GROWN_MB = 400.0


def run(console: Console, pictures: int = PICTURES) -> None:
    """Send damaged pictures, kill, look at what is left; ends the program if an answer is wrong."""
    send_damaged(console, pictures)
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
    measure_eight_at_once(console)


def send_damaged(console: Console, count: int) -> None:
    """Damaged pictures to the real service: each is used or refused in time, and all others go on as before.

    The oracle: no status but those of a picture, no answer later than `PATIENCE_SECONDS`, the same answer as
    ever for the whole picture in between, and memory that stops growing.
    """
    whole, answers, wrong = photo_640x480(), Counter[str](), list[str]()
    picture = Image.open(io.BytesIO(whole)).convert("RGB")
    started, slowest = time.perf_counter(), 0.0
    with serving(Settings()) as server, client_of(server) as client:
        expected = ask(client, whole)
        before = most = memory_mb(server)
        for number, damaged in enumerate(mutated(picture, count)):
            begun = time.perf_counter()
            status, code = ask(client, damaged)
            taken = time.perf_counter() - begun
            answers[code], slowest = answers[code] + 1, max(slowest, taken)
            if status not in STATUSES or taken > PATIENCE_SECONDS:
                wrong.append(f"picture {number}: {status} {code} after {taken:.1f} s")
            if number % 50 == 0:
                most = max(most, memory_mb(server))
                if ask(client, whole) != expected:
                    wrong.append(f"after picture {number} the whole picture is answered differently")
        grown = most - before
    seconds = time.perf_counter() - started
    table = Table("damaged pictures", "answers", "wrong", "slowest", "memory", "seconds")
    told = ", ".join(f"{n:,} {code}" for code, n in answers.most_common())
    slow = f"{slowest:.2f} s"
    table.add_row(f"{count:,}", told, f"{len(wrong):,}", slow, f"+{grown:.0f} MB", f"{seconds:.0f}")
    console.print(table)
    if wrong or grown > MOST_GROWN_MB:
        sys.exit("; ".join(wrong[:5]) or f"The service grew by {grown:.0f} MB.")


def client_of(server: Server) -> httpx.Client:
    """One connection, with the key for everything."""
    address, bearer = f"http://127.0.0.1:{server.port}", {"Authorization": f"Bearer {server.key}"}
    return httpx.Client(base_url=address, headers=bearer, timeout=60, verify=False)


def ask(client: httpx.Client, picture: bytes) -> tuple[int, str]:
    """The status and the code of an answer; a picture that can be used has the code `used`."""
    answer = client.post("/v1/compare", files={"image_a": picture, "image_b": picture})
    return answer.status_code, answer.json().get("code", "used")


def memory_mb(server: Server) -> float:
    """Resident megabytes of the service's processes."""
    return float(sum(one.memory_info().rss for one in family(server.process))) / 1e6


def measure_eight_at_once(console: Console) -> None:
    """Four such pairs on one database: eight processes."""
    import gallery_workers
    from made_templates import add_subject, open_gallery
    from processes import quick_processes

    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/invigil.db"
        database = Database(url)
        database.upgrade()
        open_gallery(database)
        subjects = [(add_subject(database), add_subject(database)) for _ in range(PAIRS)]
        started = time.perf_counter()
        with ThreadPoolExecutor(PAIRS) as pairs:
            wrong = list(
                pairs.map(
                    lambda pair: gallery_workers.work_at_once(
                        quick_processes(), url, subjects[pair], PEOPLE_OF_EIGHT, first=10_000_000 * (pair + 1)
                    ),
                    range(PAIRS),
                )
            )
        seconds = time.perf_counter() - started
        database.close()
    told = [one for pair in wrong for answers in pair for one in answers]
    table = Table("eight processes at once", "enrolments", "wrong answers", "seconds")
    table.add_row("", f"{2 * PAIRS * PEOPLE_OF_EIGHT:,}", f"{len(told):,}", f"{seconds:.0f}")
    console.print(table)
    if told:
        sys.exit("; ".join(told[:5]))


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
    with database.read() as db:
        rows = db.scalar(select(func.count()).select_from(TemplateRow)) or 0
        chain = audit.verify_chain(db).is_whole
    database.close()
    return found, rows, chain
