"""`invigil demo`: one command, and everything is there to be looked at; nobody in it exists."""

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from fixtures_cli import CommandLine, Running
from fixtures_service import Service
from playwright.sync_api import Page, expect

SECONDS = 200


@dataclass(frozen=True)
class Demo:
    """A demonstration that serves."""

    running: Running
    links: dict[str, str]

    def ask(self, path: str) -> Any:
        """A GET with the key that was printed."""
        base = self.links["console"].removesuffix("/console")
        headers = {"Authorization": f"Bearer {self.links['admin_key']}"}
        answer = httpx.get(base + path, headers=headers, timeout=60)
        assert answer.is_success, answer.text
        return answer.json()

    def roster(self) -> list[dict[str, Any]]:
        """Every candidate and how each stands."""
        items: list[dict[str, Any]] = self.ask(f"/v1/sessions/{self.links['session_id']}/roster?limit=100")[
            "items"
        ]
        return items

    def stop(self) -> None:
        """Press Ctrl-C and wait."""
        self.running.interrupt()
        self.running.ended()


def start(cli: CommandLine, *arguments: str, **settings: str) -> Demo:
    """Starts it and waits for the one JSON document; whatever goes wrong, no process is left behind."""
    running = cli.start("demo", "--json", "--port", "0", *arguments, **settings)
    try:
        return Demo(running, links_of(running))
    except BaseException:
        running.process.kill()
        running.ended()
        raise


def printed(running: Running) -> str:
    return running.stdout.read_text().rstrip() if running.stdout.exists() else ""


def links_of(running: Running) -> dict[str, str]:
    until = time.monotonic() + SECONDS
    while not (text := printed(running)).endswith("}"):
        assert running.process.is_alive(), running.stderr.read_text()
        assert time.monotonic() < until, running.stderr.read_text()
        time.sleep(0.1)
    links: dict[str, str] = json.loads(text)
    return links


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demonstration of this module lives."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(folder: Path, shipped_bundle: Path) -> Iterator[Demo]:
    """A demonstration that runs, begun from nothing."""
    demo = start(CommandLine(folder, shipped_bundle))
    yield demo
    demo.stop()


@pytest.mark.slow("makes a whole installation")
def test_one_command_fills_a_board_with_every_state(demo: Demo) -> None:
    roster = demo.roster()

    stands = Counter(candidate["status"] for candidate in roster)
    twins = [one for one in roster if one["flags"]["twin"]]
    readiness = demo.ask(f"/v1/sessions/{demo.links['session_id']}/readiness")
    assert stands == {
        "admitted": 22, "expected": 32, "referred": 4, "refused": 1, "identified_manually": 1,
    }  # fmt: skip
    assert [one["status"] for one in twins] == ["referred", "referred"]
    assert "no_template" in {one["reason"] for one in readiness["cannot_verify"]}
    pairs = [(pair["a"]["external_id"], pair["b"]["external_id"]) for pair in readiness["look_alikes"]]
    assert ("D009", "D010") in pairs


@pytest.mark.slow("makes a whole installation")
def test_a_made_up_person_is_admitted_before_the_simulated_camera(
    demo: Demo, browse: Callable[..., Page]
) -> None:
    page = browse()
    page.goto(demo.links["kiosk"])
    expect(page.locator("#candidate")).to_be_focused()
    page.select_option("#demo-person", "D031")
    expect(page.locator("#demo-person")).to_have_attribute("data-shown", "D031")

    page.fill("#candidate", "D031")
    page.keyboard.press("Enter")
    page.click("#yes")

    expect(page.locator("#result-title")).to_have_text("Welcome, Kaya Specimen")


@pytest.mark.slow("makes a whole installation")
def test_somebody_else_before_the_simulated_camera_is_referred(
    demo: Demo, browse: Callable[..., Page]
) -> None:
    page = browse()
    page.goto(demo.links["kiosk"])
    expect(page.locator("#candidate")).to_be_focused()
    page.select_option("#demo-person", "D040")
    expect(page.locator("#demo-person")).to_have_attribute("data-shown", "D040")

    page.fill("#candidate", "D041")
    page.keyboard.press("Enter")
    page.click("#yes")

    expect(page.locator("#result")).to_have_class("result wait")


@pytest.mark.slow("makes a whole installation")
def test_a_second_run_goes_on_and_a_fresh_one_begins_anew(cli: CommandLine) -> None:
    first = start(cli)
    first.stop()
    second = start(cli)
    roster = second.roster()
    busy = cli.run("demo", "--port", "0")
    second.stop()
    fresh = start(cli, "--fresh")
    anew = fresh.roster()
    fresh.stop()

    assert second.links["session_id"] == first.links["session_id"]
    assert len(roster) == len(anew) == 60
    assert "runs from" in busy.complaint
    assert fresh.links["session_id"] != first.links["session_id"]
    assert {one["subject_id"] for one in anew}.isdisjoint(one["subject_id"] for one in roster)


@pytest.mark.slow("makes a whole installation")
def test_a_run_that_was_killed_while_it_filled_begins_anew(cli: CommandLine, tmp_path: Path) -> None:
    leftover = tmp_path / "invigil-demo" / "var"
    leftover.mkdir(parents=True)
    (leftover / "invigil.db").write_bytes(b"half of a database")
    (leftover.parent / "demo.json").write_text("{}")

    demo = start(cli)
    roster = demo.roster()
    demo.stop()

    assert len(roster) == 60


@pytest.mark.slow("makes a whole installation")
def test_a_real_installation_is_neither_read_nor_written(cli: CommandLine, tmp_path: Path) -> None:
    real = tmp_path / "real"
    (tmp_path / ".env").write_text(f"INVIGIL_ANCHOR_FILE={real}/anchor\n")

    demo = start(
        cli,
        INVIGIL_DATA_DIR=str(real),
        INVIGIL_DATABASE_URL=f"sqlite:///{real}/other.db",
        INVIGIL_TEMPLATE_KEY="not a key",
        INVIGIL_WORKERS="2",
    )
    demo.stop()

    assert not real.exists()


def test_a_folder_with_something_else_is_left_alone(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.tex").write_text("mine")

    refused = cli.run("demo", "--port", "0", "--folder", "papers", "--fresh")

    assert refused.status == 2
    assert "something else" in refused.complaint
    assert [path.name for path in (tmp_path / "papers").iterdir()] == ["thesis.tex"]


def test_a_port_that_is_taken_is_named_in_one_line(cli: CommandLine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = cli.run("demo", "--port", str(port))

    assert refused.status == 2
    assert f"Port {port}" in refused.complaint
    assert "--port" in refused.complaint
    assert not (tmp_path / "invigil-demo").exists()


def test_no_other_installation_has_a_simulated_camera(service: Service) -> None:
    script = service.client.get("/demo/camera.js")
    page = service.client.get("/kiosk")

    assert script.status_code == 404
    assert "/demo/" not in page.text
