"""What each service's role may do in a real PostgreSQL, and that each can do its work with it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from fixtures_database import started_postgresql
from made_templates import DIM, OTHER_MODEL, made_template, open_gallery
from sqlalchemy import make_url, text

from index.consent.erasure import erase_returned
from index.crops import Crops, NewCrop, purge_crops
from index.database.database import Database
from index.errors import DatabaseUnavailable
from index.jobs.jobs import Jobs
from index.models.models import Models
from index.models.reembedding import write_templates
from index.roles import API, TRAINER, WORKER
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.tables import utc_now
from training.jobs.worker import Worker
from training.jobs.workshop import Workshop

pytestmark = pytest.mark.not_quick("a PostgreSQL of its own")

ROLES = Path(__file__).parents[2] / "postgres" / "roles.sql"
CIPHER = TemplateCipher(bytes(range(32)))


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    """A server of its own: roles are the whole server's."""
    with started_postgresql() as server:
        yield server


@pytest.fixture(scope="module")
def urls(server: Any) -> dict[str, str]:
    """The address of a migrated database, for each role."""
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE invigil")
    address = make_url(server.get_uri(database="invigil"))
    with psycopg.connect(address.render_as_string(hide_password=False), autocommit=True) as connection:
        for _ in range(2):
            connection.execute(ROLES.read_text(encoding="utf-8").encode())
    found = {
        name: address.set(username=name).render_as_string(hide_password=False)
        for name in ("invigil_migrate", API, WORKER, TRAINER)
    }
    owner = Database(found["invigil_migrate"])
    owner.upgrade()
    owner.upgrade()
    owner.close()
    return found


@pytest.fixture
def as_role(urls: dict[str, str]) -> Iterator[Callable[[str], Database]]:
    """Open the database as a role."""
    opened: list[Database] = []

    def open_as(role: str) -> Database:
        opened.append(Database(urls[role]))
        return opened[-1]

    yield open_as
    for database in opened:
        database.close()


FORBIDDEN = [
    (API, "UPDATE audit_event SET actor = 'nobody'"),
    (API, "DELETE FROM audit_event"),
    (API, "DELETE FROM gallery_change"),
    (API, "UPDATE checkin SET outcome = 'admitted'"),
    (API, "CREATE TABLE own (id integer)"),
    (API, "CREATE SCHEMA own"),
    (API, "ALTER TABLE checkin DISABLE TRIGGER ALL"),
    (API, "CREATE TABLE dbos.own (id integer)"),
    (WORKER, "SELECT vector FROM template"),
    (WORKER, "SELECT * FROM template"),
    (WORKER, "UPDATE template SET subject_id = subject_id"),
    (WORKER, "DELETE FROM template"),
    (WORKER, "SELECT display_name FROM subject"),
    (WORKER, "SELECT external_id FROM subject"),
    (WORKER, "DELETE FROM subject"),
    (WORKER, "SELECT * FROM checkin"),
    (WORKER, "SELECT * FROM roster_entry"),
    (WORKER, "SELECT * FROM api_key"),
    (WORKER, "SELECT * FROM idempotency_record"),
    (WORKER, "SELECT * FROM withdrawal_link"),
    (WORKER, "UPDATE audit_event SET actor = 'nobody'"),
    (WORKER, "INSERT INTO job (id, kind) VALUES (gen_random_uuid(), 'retrain')"),
    (TRAINER, "SELECT * FROM crop"),
    (TRAINER, "SELECT * FROM subject"),
    (TRAINER, "UPDATE model SET state = 'active'"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_a_role_may_not(as_role: Callable[[str], Database], role: str, statement: str) -> None:
    with (
        pytest.raises(DatabaseUnavailable, match=r"permission denied|must be owner"),
        as_role(role).engine.begin() as connection,
    ):
        connection.execute(text(statement))


@pytest.mark.slow("starts the engine of jobs")
def test_the_tables_of_the_engine_are_the_workers_alone(
    as_role: Callable[[str], Database], shipped_bundle: Path, tmp_path: Path
) -> None:
    with Worker(Workshop(as_role(WORKER), tmp_path, shipped_bundle)) as worker:
        worker.look()

    for role in (API, TRAINER):
        refused = pytest.raises(DatabaseUnavailable, match="permission denied")
        with refused, as_role(role).engine.begin() as connection:
            connection.execute(text("INSERT INTO dbos.workflow_status (workflow_uuid) VALUES ('1')"))


def test_the_service_enrols_erases_and_withdraws_and_the_worker_does_its_jobs(
    as_role: Callable[[str], Database],
) -> None:
    api, worker = as_role(API), as_role(WORKER)
    gallery, subjects = open_gallery(api, cipher=CIPHER), Subjects(api)
    basis = {"basis": "consent", "reference": "form 7", "training": True}
    ana, ben = (subjects.add(legal_basis=basis, actor="test").id for _ in range(2))
    for number, subject_id in ((1, ana), (2, ben)):
        gallery.enrol(
            subject_id,
            made_template(number),
            quality={},
            duplicate_threshold=0.2,
            actor="test",
            crop=NewCrop(b"picture", days=30),
        )
    job = Jobs(api).submit("reembed", {"model_id": OTHER_MODEL}, actor="test")

    api.upgrade()  # as `invigil serve` does at its start
    worker.require_current()
    models = Models(worker)
    models.register(OTHER_MODEL, name="made", dim=DIM, actor="job")
    Jobs(worker).begin(job.id, "worker")
    kept = list(Crops(worker, CIPHER).open_trainable())
    reembedded = reembed_made_vectors(worker, OTHER_MODEL)
    Jobs(worker).end(job.id, "worker", "done", result={})

    assert (len(kept), reembedded) == (2, 2)
    assert [one.subject_id for one in gallery.nearest(made_template(1), 1, max_d=0.1)] == [ana]
    assert gallery.withdraw(ana, actor="test").templates == 2
    assert gallery.erase(ben, actor="test").crops == 1
    assert erase_returned(api, {ana}, actor="test") == 1
    assert purge_crops(api, until=utc_now(), actor="test") == 0
    api.require_writable()


def reembed_made_vectors(database: Database, model_id: str) -> int:
    """What re-embedding writes, of vectors that are made here."""
    crops = list(Crops(database, CIPHER).open_unembedded(model_id))
    vectors = np.stack([made_template(50 + number).vector for number in range(len(crops))])
    with database.write() as db:
        return write_templates(db, model_id, CIPHER, crops, vectors)
