"""The Python client against a service in a process of its own."""

import asyncio
import runpy
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fixtures_service import ServedProcess, prepare, serve
from invigil_client import AsyncClient, Client, InvigilError, models

from benchmarks.server import free_port
from index.database.database import Database
from service.access.keys import Keys
from service.access.scopes import Scope
from service.settings import Settings

pytestmark = pytest.mark.not_quick("starts the service in a process of its own")

PACKAGE = Path(__file__).parents[2] / "clients" / "python"


def test_the_client_is_what_the_openapi_document_says(tmp_path: Path) -> None:
    runpy.run_path(str(PACKAGE / "generate.py"))["generate"](tmp_path)

    for name in ("models.py", "operations.py"):
        committed = (PACKAGE / "invigil_client" / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == committed, "python clients/python/generate.py"


def test_a_person_is_enrolled_verified_and_erased(
    invigil: Client, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "door.jpg").write_bytes(astronaut_variants["mirrored"])

    ana = invigil.add_subject(models.SubjectFields(external_id="s/1001", display_name="Ana"))
    enrolment = invigil.enrol_template(ana.id, astronaut_jpeg)
    decision = invigil.verify_subject("ext:s/1001", tmp_path / "door.jpg")
    receipt = invigil.erase_subject(ana.id)

    assert decision.decision == "match"
    assert decision.template_id == enrolment.template.id
    assert receipt.subject_id == ana.id
    with pytest.raises(InvigilError) as refused:
        invigil.show_subject(ana.id)
    problem = refused.value
    assert (problem.status, problem.code, problem.retryable) == (404, "subject_not_found", False)
    assert problem.request_id == problem.problem["request_id"]


def test_a_list_is_gone_through_page_after_page(invigil: Client) -> None:
    added = [invigil.add_subject(models.SubjectFields(external_id=f"page-{n}")).id for n in range(5)]

    assert [one.id for one in invigil.iterate_subjects(limit=2, q="page-")] == added
    assert [one.id for one in invigil.list_subjects(limit=2, q="page-").items] == added[:2]
    assert [one.id for one in invigil.iterate_subjects(external_id="page-3")] == added[3:4]


def test_the_client_for_asyncio_has_the_same_operations(
    service_of_all: ServedProcess, astronaut_jpeg: bytes
) -> None:
    async def enrol_two_alike() -> list[str | None]:
        async with AsyncClient(service_of_all.address, service_of_all.key) as invigil:
            fields = [models.SubjectFields(external_id=f"async-{n}") for n in range(3)]
            added = await asyncio.gather(*[invigil.add_subject(one) for one in fields])
            await invigil.enrol_template(added[0].id, astronaut_jpeg)
            with pytest.raises(InvigilError, match="duplicate_identity"):
                await invigil.enrol_template(added[1].id, astronaut_jpeg)
            await invigil.erase_subject(added[0].id)
            return [one.external_id async for one in invigil.iterate_subjects(limit=1, q="async-")]

    assert sorted(str(one) for one in asyncio.run(enrol_two_alike())) == ["async-1", "async-2"]


def test_a_request_that_is_sent_again_with_its_key_is_done_once(invigil: Client) -> None:
    fields = models.SubjectFields(display_name="sent twice")

    first, again = (invigil.add_subject(fields, idempotency_key="import-1") for _ in range(2))

    assert first == again
    assert [one.id for one in invigil.iterate_subjects(q="sent twice")] == [first.id]


def test_a_request_that_is_made_while_the_service_starts_is_answered_once_it_is_up(
    settings_for: Callable[..., Settings], empty_sqlite: bytes
) -> None:
    settings, port = settings_for(), free_port()
    prepare(settings, empty_sqlite)
    database = Database(settings.database)
    key = Keys(database).create("test", [Scope.ADMIN], actor="test")[1]
    database.close()

    with Client(f"http://127.0.0.1:{port}", key, tries=14) as invigil, ThreadPoolExecutor() as threads:
        asked = threads.submit(invigil.add_subject, models.SubjectFields(external_id="s-1"))
        process = serve(settings, port, settings.data_dir / "service.log")
        try:
            assert asked.result(timeout=180).external_id == "s-1"
        finally:
            process.terminate()
            process.wait(timeout=30)


def test_a_client_waits_as_long_as_the_service_asks(served: Callable[..., ServedProcess]) -> None:
    process = served(INVIGIL_REQUESTS_PER_MINUTE="30")

    with (
        Client(process.address, process.key, tries=1) as hasty,
        Client(process.address, process.key) as patient,
    ):
        with pytest.raises(InvigilError, match="rate_limited"):
            deque((hasty.list_exams() for _ in range(40)), maxlen=0)
        assert patient.list_exams().items == []


def test_the_live_board_is_followed(invigil: Client) -> None:
    now = datetime.now(UTC)
    exam = invigil.create_exam(
        models.ExamTerms(name="Algebra", starts_at=now, ends_at=now + timedelta(hours=2))
    )
    opens_at, closes_at = now - timedelta(hours=1), now + timedelta(hours=2)
    session = invigil.create_session(
        exam.id, models.SessionTerms(room="A", opens_at=opens_at, closes_at=closes_at)
    )
    events = invigil.follow_session(session.id)

    assert next(events).event == "snapshot"
    assert next(invigil.follow_rooms(exam_id=exam.id)).event == "rooms"
    invigil.put_roster(session.id, "external_id;display_name\nboard-1;Ana\n", create_subjects=True)
    assert next(events).event == "roster"
    assert [one.external_id for one in invigil.iterate_roster(session.id)] == ["board-1"]
