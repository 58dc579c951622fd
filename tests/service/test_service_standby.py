"""A real primary is lost, and a real standby takes its place under a service that is not restarted."""

import time
from collections.abc import Callable, Iterator

import pytest
from fixtures_service import Service
from standby import Pair, primary_and_standby

pytestmark = pytest.mark.slow("starts two servers, of which one follows the other")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with primary_and_standby() as both:
        yield both


@pytest.fixture(autouse=True)
def _no_outcome_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("index.database.write_trial.TRIAL_SECONDS", 0.0)


def add(service: Service, external_id: str) -> tuple[int, str, bool]:
    answer = service.call("POST", "/v1/subjects", json={"external_id": external_id})
    return answer.status_code, answer.json().get("code", ""), "retry-after" in answer.headers


def readiness(service: Service) -> int:
    return service.call("GET", "/health/ready", key="").status_code


def await_ready(service: Service) -> bool:
    """Whether it is well again within a minute, by itself."""
    for _ in range(120):
        if readiness(service) == 200:
            return True
        time.sleep(0.5)
    return False


UNAVAILABLE = (503, "database_unavailable", True)


def test_a_service_goes_on_with_the_standby_that_was_promoted(
    pair: Pair, start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(database_url=pair.address)
    ana = service.enrolled(astronaut_jpeg, "ana")
    pair.await_standby()
    verify = f"/v1/subjects/{ana}/verify"

    pair.lose_primary()
    lost = [add(service, "ben"), add(service, "cid")]
    ready_without = readiness(service)
    pair.promote()
    is_well = await_ready(service)

    assert lost == [UNAVAILABLE] * 2
    assert ready_without == 503
    assert is_well
    assert service.call("POST", verify, files={"image": astronaut_jpeg}).json()["decision"] == "match"
    assert [add(service, name)[0] for name in ("ben", "cid")] == [201, 201]


def test_on_a_standby_that_nobody_has_promoted_people_are_verified_and_nothing_is_written(
    pair: Pair, start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(database_url=f"{pair.address}?target_session_attrs=any")
    ana = service.enrolled(astronaut_jpeg, "ana")
    pair.await_standby()

    pair.lose_primary()
    refused = [add(service, name) for name in ("ben", "cid")]
    ready = readiness(service)
    answer = service.call("POST", f"/v1/subjects/{ana}/verify", files={"image": astronaut_jpeg})
    pair.promote()

    assert (refused, ready) == ([UNAVAILABLE] * 2, 503)
    assert answer.json()["decision"] == "match"
    assert await_ready(service)
    assert add(service, "ben")[0] == 201
