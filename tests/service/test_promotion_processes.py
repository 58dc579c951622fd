"""A switch of models under two running services: nobody waits, nobody is lost, everybody follows."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fixtures_service import await_ready
from made_bundles import turned_bundle

from benchmarks.server import free_port, start_server
from index.database.database import Database
from index.models.models import Models
from service.access.keys import Keys
from service.access.scopes import Scope

KEY = "ab" * 32
FOLLOWING_SECONDS = 2.0


def start(folder: Path, url: str, log: Path) -> tuple[str, subprocess.Popen[str]]:
    """One service, as operators run it."""
    port = free_port()
    environment = {
        **os.environ,
        "INVIGIL_DATA_DIR": str(folder),
        "INVIGIL_DATABASE_URL": url,
        "INVIGIL_TEMPLATE_KEY": KEY,
        "INVIGIL_STORE_CROPS": "true",
    }
    with log.open("w") as stream:
        process = start_server(port, environment, stream)
    return f"http://127.0.0.1:{port}", process


@pytest.fixture
def clients(database: Database, database_url: str, tmp_path: Path) -> Iterator[list[httpx.Client]]:
    """Clients of two services on one database."""
    key = Keys(database).create("test", [Scope.ADMIN], actor="test")[1]
    with ExitStack() as running:
        started = [start(tmp_path, database_url, tmp_path / f"{number}.log") for number in range(2)]
        for _, process in started:
            running.callback(process.wait, timeout=30)
            running.callback(process.terminate)
        for address, process in started:
            await_ready(address, process)
        bearer = {"Authorization": f"Bearer {key}"}
        yield [
            running.enter_context(httpx.Client(base_url=address, headers=bearer, timeout=120, verify=False))
            for address, _ in started
        ]


def add_person(client: httpx.Client, picture: bytes) -> str:
    """A new subject with one template; forced, for the test has one face only."""
    subject = str(client.post("/v1/subjects", json={}).json()["id"])
    path = f"/v1/subjects/{subject}/templates?force=true&reason=made"
    answer = client.post(path, files={"image": picture})
    assert answer.status_code == 201, answer.text
    return subject


def verified_with(client: httpx.Client, subject: str, picture: bytes) -> str:
    """The model that a match was decided with."""
    answer = client.post(f"/v1/subjects/{subject}/verify", files={"image": picture})
    assert answer.status_code == 200, answer.text
    assert answer.json()["decision"] == "match"
    return str(answer.json()["model_id"])


def model_of(client: httpx.Client, model_id: str) -> dict[str, Any]:
    return dict(client.get(f"/v1/models/{model_id}").json())


def wait_until(what: Callable[[], bool], seconds: float) -> float:
    """How long it took."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - started


def decides_with(client: httpx.Client, model_id: str) -> Callable[[], bool]:
    def asked() -> bool:
        return model_of(client, model_id)["in_use"] is not None

    return asked


@pytest.mark.slow("two services under load through a switch of models")
@pytest.mark.timeout(400)
def test_two_services_switch_and_roll_back_while_people_are_enrolled(
    clients: list[httpx.Client],
    database: Database,
    shipped_bundle: Path,
    tmp_path: Path,
    astronaut_jpeg: bytes,
) -> None:
    here, there = clients
    turned = turned_bundle(shipped_bundle, tmp_path / "turned")
    Models(database).register_bundle(turned, actor="test")
    first_id = next(one["id"] for one in here.get("/v1/models").json()["items"] if one["state"] == "active")
    people = [add_person(client, astronaut_jpeg) for client in clients]
    stop, wrong = threading.Event(), []

    def enrol_and_ask() -> None:
        """Enrol and verify on the other service, and look whether it is ready, all the time."""
        with httpx.Client(
            base_url=there.base_url, headers=there.headers, timeout=120, verify=False
        ) as client:
            while not stop.is_set():
                try:
                    people.append(add_person(client, astronaut_jpeg))
                    verified_with(client, people[-1], astronaut_jpeg)
                    ready = client.get("/health/ready")
                    assert ready.status_code == 200, ready.text
                except Exception as error:
                    wrong.append(repr(error))
                    return

    # Both open it before: what is measured is the following and not the opening on a busy machine.
    Models(database).announce(turned.model_id)
    wait_until(lambda: all(model_of(one, turned.model_id)["loaded"] for one in clients), 120)
    busy = threading.Thread(target=enrol_and_ask)
    busy.start()
    try:
        promoted = here.post(
            f"/v1/models/{turned.model_id}/promote", json={"override_reason": "a test compares nothing"}
        )
        followed = wait_until(decides_with(there, turned.model_id), 30)
        time.sleep(1)
    finally:
        stop.set()
        busy.join()

    assert (promoted.status_code, wrong) == (200, [])
    assert len(people) > 3
    if os.getloadavg()[0] < 2 * (os.cpu_count() or 1):
        assert followed < FOLLOWING_SECONDS
    # Whoever was enrolled by a request that began before the switch is taken along behind it.
    wait_until(lambda: not here.get(f"/v1/models/{turned.model_id}/lacking").json()["items"], 10)
    for client in clients:
        assert {verified_with(client, one, astronaut_jpeg) for one in people} == {turned.model_id}

    after = add_person(there, astronaut_jpeg)
    back = here.post("/v1/models/rollback")
    wait_until(lambda: verified_with(there, people[0], astronaut_jpeg) == first_id, 30)

    assert (back.status_code, back.json()["subjects_lacking"]) == (200, 0)
    for client in clients:
        assert verified_with(client, people[0], astronaut_jpeg) == first_id
        assert verified_with(client, after, astronaut_jpeg) == first_id
