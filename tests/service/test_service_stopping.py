"""A server that is told to stop does not wait for its live boards to be closed."""

import time
from collections.abc import Callable

import httpx2 as httpx
from fixtures_exams import hours_from_now
from fixtures_service import ServedProcess


def test_a_server_stops_although_somebody_watches(served: Callable[[], ServedProcess]) -> None:
    running = served()
    bearer = {"Authorization": f"Bearer {running.key}"}
    before, after = hours_from_now(-1).isoformat(), hours_from_now(1).isoformat()
    with httpx.Client(base_url=running.address, headers=bearer, verify=False, timeout=60) as client:
        exam = client.post("/v1/exams", json={"name": "M", "starts_at": before, "ends_at": after}).json()[
            "id"
        ]
        window = {"room": "R1", "opens_at": before, "closes_at": after}
        session = client.post(f"/v1/exams/{exam}/sessions", json=window).json()["id"]

        with client.stream("GET", f"/v1/sessions/{session}/live") as board:
            first = next(board.iter_lines())
            running.process.terminate()
            started = time.monotonic()
            running.process.wait(120)

    assert first.startswith("retry")
    assert time.monotonic() - started < 60
