"""What the service refuses to take on, and what it answers while its database cannot work."""

import json
import socket
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx2 as httpx
import numpy as np
import pytest
from fixtures_database import started_postgresql
from fixtures_service import ServedProcess, Service
from sqlalchemy import event

from embedding.template import Template
from index.gallery.gallery import Gallery
from index.sealing.cipher import TemplateCipher
from service.access.rates import Rates
from service.errors import RateLimited

pytestmark = pytest.mark.not_quick("waits for limits to pass")

VERIFY = "/v1/subjects/ext:s-1/verify"


def test_a_picture_too_many_is_refused_with_a_time_to_come_back(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(picture_workers=1, picture_queue=1)
    service.enrolled(astronaut_jpeg, "s-1")

    with service.parts.pictures.admit(), service.parts.pictures.admit():
        refused = service.call("POST", VERIFY, files={"image": astronaut_jpeg})
        alive = service.call("GET", "/health/live", key="")
    afterwards = service.call("POST", VERIFY, files={"image": astronaut_jpeg})

    assert (refused.status_code, refused.json()["code"]) == (503, "queue_full")
    assert refused.json()["retryable"] is True
    assert int(refused.headers["retry-after"]) >= 1
    assert alive.status_code == 200
    assert afterwards.status_code == 200


def test_a_place_is_given_back_after_a_refused_picture(
    start_service: Callable[..., Service], black_jpeg: bytes
) -> None:
    service = start_service(picture_workers=1, picture_queue=0)

    answers = [service.call("POST", "/v1/compare", files={"image_a": black_jpeg}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [422, 422, 422]
    assert service.parts.pictures.count() == 0


def test_a_body_that_declares_too_much_is_refused_unread(service: Service) -> None:
    too_much = service.parts.settings.max_upload_bytes + 100_000

    answer = service.call(
        "POST",
        VERIFY,
        content=b"",
        headers={"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(too_much)},
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


def test_a_body_of_undeclared_length_is_counted(start_service: Callable[..., Service]) -> None:
    service = start_service(max_upload_bytes=100_000)

    def stream() -> Iterator[bytes]:
        yield bytes(200_000)

    answer = service.call(
        "POST", VERIFY, content=stream(), headers={"Content-Type": "multipart/form-data; boundary=x"}
    )

    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


def test_a_picture_over_the_limit_is_refused_though_the_form_is_not(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service(max_upload_bytes=len(astronaut_jpeg) - 1)

    answer = service.call("POST", "/v1/quality", files={"image": astronaut_jpeg})

    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
    assert answer.json()["actual"] == len(astronaut_jpeg)


def test_a_json_body_has_a_limit_of_its_own(service: Service) -> None:
    answer = service.call("POST", "/v1/subjects", json={"display_name": "x" * 1_100_000})

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_locked_database_is_a_503_and_nothing_is_written(service: Service) -> None:
    other = sqlite3.connect(service.parts.settings.data_dir / "invigil.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    refused = service.call("POST", "/v1/subjects", json={"external_id": "s-1"})
    other.execute("ROLLBACK")
    other.close()

    assert (refused.status_code, refused.json()["retryable"]) == (503, True)
    assert "retry-after" in refused.headers
    assert service.call("GET", "/v1/subjects").json()["items"] == []
    assert service.call("POST", "/v1/subjects", json={"external_id": "s-1"}).status_code == 201


def test_a_full_disk_is_a_503_and_nothing_is_half_written(service: Service) -> None:
    database = service.parts.database
    body = {"metadata": {"note": "x" * 16_000}}
    database.engine.dispose()
    event.listen(database.engine, "connect", stop_growing)

    answers = [service.call("POST", "/v1/subjects", json=body) for _ in range(12)]

    made = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(made) + len(refused) == len(answers)
    assert {answer.json()["code"] for answer in refused} == {"database_full"}
    assert len(service.call("GET", "/v1/subjects").json()["items"]) == len(made)


def test_without_its_database_the_service_is_alive_but_not_ready(
    start_service: Callable[..., Service],
) -> None:
    with started_postgresql() as server:
        service = start_service(database_url=server.get_uri())
        ready = service.call("GET", "/health/ready", key="")
    gone = service.call("GET", "/health/ready", key="")
    work = service.call("GET", "/v1/subjects")

    assert (ready.status_code, set(ready.json()["parts"].values())) == (200, {"up"})
    assert (gone.status_code, gone.json()["code"]) == (503, "not_ready")
    assert gone.json()["parts"]["database"] == "down"
    assert (work.status_code, work.json()["retryable"]) == (503, True)
    assert service.call("GET", "/health/live", key="").status_code == 200


def test_with_a_row_that_its_key_does_not_open_the_service_is_alive_but_not_ready(service: Service) -> None:
    embedder, database = service.parts.embedder, service.parts.database
    other = Gallery(
        database, model_id=embedder.model_id, dim=embedder.dim, cipher=TemplateCipher(bytes(range(32)))
    )
    template = Template(np.eye(embedder.dim, dtype=np.float32)[0], embedder.model_id)
    subject = UUID(service.subject())
    other.enrol(subject, template, quality={}, duplicate_threshold=0.0, actor="test")

    ready = service.call("GET", "/health/ready", key="")

    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
    assert ready.json()["parts"] == {"database": "up", "models": "up", "index": "down"}
    assert service.call("GET", "/health/live", key="").status_code == 200


def stop_growing(connection: Any, _: object) -> None:
    """A disk with room for a few more pages."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 12}")


@pytest.mark.parametrize("sent", ["door-7", "A.b_c~1-2"])
def test_a_request_id_comes_back(service: Service, sent: str) -> None:
    assert service.call("GET", "/health/live", headers={"X-Request-Id": sent}).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, "<script>"])
def test_a_request_id_that_could_do_harm_is_replaced(service: Service, sent: str) -> None:
    given = service.call("GET", "/health/live", headers={"X-Request-Id": sent}).headers["x-request-id"]

    assert given != sent
    assert len(given) == 36


def test_a_key_that_sends_too_much_is_told_when_to_come_back_and_others_are_served(
    start_service: Callable[..., Service],
) -> None:
    service = start_service(requests_per_minute=3)
    made = service.call("POST", "/v1/keys", json={"name": "other", "scopes": ["subjects:read"]}).json()

    answers = [service.call("GET", "/v1/subjects") for _ in range(4)]
    of_other = service.call("GET", "/v1/subjects", key=made["key"])

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert answers[-1].json()["code"] == "rate_limited"
    assert answers[-1].json()["retryable"] is True
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert of_other.status_code == 200


def test_a_key_that_was_idle_sends_no_more_at_once_than_in_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    bucket, key = Rates(per_minute=5), uuid4()
    for _ in range(5):
        bucket.take(key)
    now[0] += 3600

    for _ in range(5):
        bucket.take(key)

    with pytest.raises(RateLimited):
        bucket.take(key)


def test_slow_senders_of_one_key_leave_places_to_the_others(served: Callable[[], ServedProcess]) -> None:
    service = served()
    slow = [upload_slowly(service) for _ in range(40)]

    with httpx.Client(base_url=service.address, timeout=60) as client:
        made = client.post(
            "/v1/keys",
            json={"name": "other", "scopes": ["verify"]},
            headers={"Authorization": f"Bearer {service.key}"},
        )
        answer = client.post(
            "/v1/quality",
            files={"image": b"no picture"},
            headers={"Authorization": f"Bearer {made.json()['key']}"},
        )
        ends = [one.recv(12) for one in slow]

    assert answer.json()["code"] == "unsupported_media"
    assert {end[9:] for end in ends} <= {b"408", b"503"}
    for one in slow:
        one.close()


def upload_slowly(service: ServedProcess) -> socket.socket:
    """An upload that stops after its first bytes."""
    address = urlsplit(service.address)
    sender = socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60)
    sender.sendall(
        f"POST /v1/quality HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.key}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x".encode()
    )
    return sender


def test_every_body_that_trickles_is_let_go(served: Callable[[], ServedProcess]) -> None:
    address = urlsplit(served().address)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as sender:
        sender.sendall(
            b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 500\r\n\r\n{"
        )

        assert b" 408 " in sender.recv(100)


def test_a_client_that_sends_everything_first_reads_why_it_is_too_much(
    served: Callable[[], ServedProcess],
) -> None:
    service = served()
    request = urllib.request.Request(
        f"{service.address}/v1/quality",
        b"--x\r\n" + bytes(20_000_000),
        {"Authorization": f"Bearer {service.key}", "Content-Type": "multipart/form-data; boundary=x"},
    )

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)

    assert refused.value.code == 413
    assert json.loads(refused.value.read())["code"] == "image_too_large"


def test_a_header_without_end_is_refused(served: Callable[[], ServedProcess]) -> None:
    address = urlsplit(served().address)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as sender:
        sender.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000)

        assert sender.recv(100).startswith(b"HTTP/1.1 400")
