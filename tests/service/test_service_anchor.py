"""The audit chain's anchor through the service: noted at erasures and at the end, compared by the command."""

import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from fixtures_service import Service
from restoring import keep_copy
from tampering import cut_tail, remove_all_events, write_chain_anew

from index import audit
from index.anchor import Anchor, find_erased_subjects
from index.database.database import Database
from service.app import PURGES
from service.parts import Parts
from service.template_keys import TemplateKeys

HEAD = re.compile(r"\b([0-9]+:[0-9a-f]{64})\b")


@pytest.fixture
def cli_here(cli: CommandLine, tmp_path: Path) -> CommandLine:
    """The command line with the services' data folder."""
    return CommandLine(cli.folder, cli.bundle, {"INVIGIL_DATA_DIR": str(tmp_path)})


def anchor_of(service: Service) -> Anchor:
    settings = service.parts.settings
    cipher = TemplateKeys(settings).cipher()
    assert cipher is not None
    return Anchor(settings.anchor, cipher)


def test_an_erasure_is_noted_before_it_is_answered(service: Service) -> None:
    subject = service.subject()

    service.call("DELETE", f"/v1/subjects/{subject}")

    assert {str(one) for one in find_erased_subjects(anchor_of(service).lines())} == {subject}


def test_what_a_purge_records_while_the_service_stops_is_noted_too(
    start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, recorded = threading.Event(), list[int]()

    def purge_slowly(parts: Parts) -> dict[str, int]:
        begun.set()
        time.sleep(0.5)
        with parts.database.write() as db:
            recorded.append(audit.record(db, action="crops.purged", actor="test").seq)
        return {}

    monkeypatch.setitem(PURGES, "evidence", purge_slowly)
    service = start_service()
    assert begun.wait(10)

    service.client.__exit__(None, None, None)

    assert [anchor_of(service).lines()[-1].seq] == recorded


def test_the_newest_event_is_noted_when_the_service_stops(
    start_service: Callable[..., Service], cli_here: CommandLine
) -> None:
    service = start_service()
    service.subject()
    service.client.__exit__(None, None, None)

    found = cli_here.run("audit", "verify", "--json")

    assert found.document["is_anchored"] is True
    assert found.document["newest"] == "{}:{}".format(*anchor_of(service).lines()[-1].head)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda database: cut_tail(database, 2),
        remove_all_events,
        lambda database: write_chain_anew(database, without="key.created"),
    ],
    ids=["cut off", "emptied", "written anew"],
)
def test_the_command_finds_what_the_chain_alone_does_not_show(
    service: Service, cli_here: CommandLine, tamper: Callable[[Database], None]
) -> None:
    for _ in range(3):
        service.subject()
    service.call("DELETE", f"/v1/subjects/{service.subject()}")
    before = cli_here.run("audit", "verify")

    tamper(service.parts.database)

    assert (before.status, cli_here.run("audit", "verify").status) == (0, 1)


def test_an_event_noted_elsewhere_is_expected(service: Service, cli_here: CommandLine) -> None:
    noted = []
    for _ in range(2):
        service.subject()
        noted += HEAD.findall(cli_here.run("audit", "verify").stdout)
    service.subject()

    whole = cli_here.run("audit", "verify", "--expect", noted[0], "--expect", noted[1])
    write_chain_anew(service.parts.database, without="key.created")
    service.parts.settings.anchor.unlink()
    alone = cli_here.run("audit", "verify")
    found = cli_here.run("audit", "verify", "--expect", noted[0])
    wrong = cli_here.run("audit", "verify", "--expect", "7")

    assert [one.status for one in (whole, alone, found, wrong)] == [0, 0, 1, 2]
    assert "Nothing was noted" in alone.stdout
    assert "SEQ:DIGEST" in wrong.complaint


def test_an_anchor_that_was_changed_is_no_anchor(service: Service, cli_here: CommandLine) -> None:
    service.call("DELETE", f"/v1/subjects/{service.subject()}")
    path = service.parts.settings.anchor
    path.write_text(path.read_text().replace('"erased"', '"head"', 1))

    refused = cli_here.run("audit", "verify")

    assert refused.status == 2
    assert "audit.anchor, line" in refused.complaint


def test_who_came_back_with_a_copy_is_erased_before_the_first_request(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, cli_here: CommandLine
) -> None:
    service = start_service()
    ana, ben = service.enrolled(astronaut_jpeg), service.subject()
    put_back = keep_copy(service.parts.database)
    service.call("DELETE", f"/v1/subjects/{ana}")
    service.client.__exit__(None, None, None)
    put_back()
    with closing(sqlite3.connect(service.parts.settings.data_dir / "invigil.db")) as connection:
        assert connection.execute("SELECT count(*) FROM subject").fetchone() == (2,)

    again = start_service()

    assert again.call("GET", f"/v1/subjects/{ana}").status_code == 404
    assert again.call("GET", f"/v1/subjects/{ben}").status_code == 200
    assert again.call("POST", "/v1/search", files={"image": astronaut_jpeg}).json()["matches"] == []
    # The chain ends before what was noted of it, and that was nobody's attack.
    assert cli_here.run("audit", "verify").status == 1
    accepted = cli_here.run("audit", "accept", "--reason", "the disk was lost")
    assert accepted.status == 0, accepted
    assert cli_here.run("audit", "verify").status == 0
    assert cli_here.run("audit", "accept", "--reason", "once more").status == 2
