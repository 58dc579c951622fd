"""The audit chain's anchor through the service: noted at erasures and at the end, compared by the command."""

import re
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from fixtures_cli import CommandLine
from fixtures_service import Service
from restoring import PutBack, keep_copy
from sqlalchemy import delete, update
from tampering import cut_tail, remove_all_events, write_chain_anew

from index import audit
from index.database.database import Database
from index.tables import ApiKeyRow, AuditEventRow, PageSessionRow, utc_now
from index.trail.anchor import AnchorFile
from index.trail.anchor_lines import Kind, find_ids
from service import app
from service.access.page_sessions import digest_of
from service.access.scopes import Scope
from service.app import PURGES
from service.commands.serving import prepare
from service.errors import Unauthenticated
from service.parts import Parts
from service.template_keys import TemplateKeys

HEAD = re.compile(r"\b([0-9]+:[0-9a-f]{64})\b")


@pytest.fixture
def cli_here(cli: CommandLine, tmp_path: Path) -> CommandLine:
    """The command line with the services' data folder."""
    return CommandLine(cli.folder, cli.bundle, {"INVIGIL_DATA_DIR": str(tmp_path)})


def anchor_of(service: Service) -> AnchorFile:
    settings = service.parts.settings
    cipher = TemplateKeys(settings).cipher()
    assert cipher is not None
    return AnchorFile(settings.anchor, cipher)


def test_an_erasure_is_noted_before_it_is_answered(service: Service) -> None:
    subject = service.subject()

    service.call("DELETE", f"/v1/subjects/{subject}")

    assert {str(one) for one in find_ids(anchor_of(service).lines(), "erased")} == {subject}


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


def test_a_key_file_that_is_spoilt_while_the_service_runs_undoes_no_erasure_and_stops_no_purge(
    start_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PURGE_SECONDS", 0.05)
    service = start_service()
    subject, token = service.subject(), sign_in(service)
    (service.parts.settings.data_dir / "template.keys").write_text("no key\n")

    erased = service.call("DELETE", f"/v1/subjects/{subject}")
    with service.parts.database.write() as db:
        db.execute(update(PageSessionRow).values(created_at=utc_now() - timedelta(days=2)))
    digest = digest_of(token)
    wait_until(lambda: not service.parts.page_sessions.alive([digest]))
    service.client.__exit__(None, None, None)

    assert erased.status_code == 200


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


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def sign_in(service: Service) -> str:
    """The cookie of a console that an administrator's key has opened."""
    caller = service.parts.keys.authenticate(service.key(Scope.ADMIN))
    return service.parts.page_sessions.open("console", caller).token


def is_signed_in(service: Service, token: str) -> bool:
    try:
        service.parts.page_sessions.find("console", token)
    except Unauthenticated:
        return False
    return True


def restart(service: Service, start_service: Callable[..., Service], put_back: PutBack) -> Service:
    service.client.__exit__(None, None, None)
    put_back()
    return start_service()


def test_a_start_on_an_older_copy_signs_everybody_out_once(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    token = sign_in(service)
    put_back = keep_copy(service.parts.database)
    service.parts.page_sessions.end(token)
    service.subject()

    again = restart(service, start_service, put_back)
    signed_out = not is_signed_in(again, token)
    later = sign_in(again)
    third = restart(again, start_service, lambda: None)

    assert signed_out
    assert is_signed_in(third, later)


def test_a_start_on_a_whole_database_signs_nobody_out(start_service: Callable[..., Service]) -> None:
    service = start_service()
    token = sign_in(service)

    again = restart(service, start_service, lambda: None)

    assert is_signed_in(again, token)


def test_each_older_copy_signs_everybody_out_anew(start_service: Callable[..., Service]) -> None:
    service = start_service()
    token = sign_in(service)
    put_back = keep_copy(service.parts.database)
    service.subject()
    service = restart(service, start_service, put_back)
    first = is_signed_in(service, token)

    service = restart(service, start_service, put_back)

    assert (first, is_signed_in(service, token)) == (False, False)


def test_a_loss_is_accepted_with_everybody_signed_out(
    start_service: Callable[..., Service], cli_here: CommandLine
) -> None:
    service = start_service()
    token = sign_in(service)
    put_back = keep_copy(service.parts.database)
    service.subject()
    service.client.__exit__(None, None, None)
    put_back()

    accepted = cli_here.run("audit", "accept", "--reason", "the disk was lost")

    assert accepted.status == 0, accepted
    assert not is_signed_in(start_service(), token)


def test_the_link_of_the_first_administrator_works_after_a_start_on_an_older_copy(
    start_service: Callable[..., Service],
) -> None:
    service = start_service()
    put_back = keep_copy(service.parts.database)
    service.subject()
    service.client.__exit__(None, None, None)
    put_back()

    first = prepare(service.parts.settings)
    again = start_service()

    assert first.token is not None
    assert again.parts.invitations.find(first.token).operator is None


def test_a_removed_template_that_came_back_with_a_copy_matches_nobody(
    start_service: Callable[..., Service], astronaut_jpeg: bytes
) -> None:
    service = start_service()
    ana = service.subject()
    path = f"/v1/subjects/{ana}/templates"
    enrolled = service.call("POST", path, files={"image": astronaut_jpeg}).json()["template"]["id"]
    put_back = keep_copy(service.parts.database)
    assert service.call("DELETE", f"{path}/{enrolled}").status_code == 204

    again = restart(service, start_service, put_back)

    answer = again.call("POST", f"/v1/subjects/{ana}/verify", files={"image": astronaut_jpeg})
    assert answer.json()["code"] == "no_template"


def test_a_running_service_notices_a_loss_that_no_template_shows(
    service_everywhere: Service,
) -> None:
    service = service_everywhere
    token = sign_in(service)
    facts, text = service.parts.keys.create("lost tablet", [Scope.SUBJECTS_READ], actor="test")
    assert service.call("DELETE", f"/v1/keys/{facts.id}").status_code == 200
    # What is lost has to have been seen.
    newest = anchor_of(service).lines()[-1].head
    wait_until(lambda: service.parts.following.is_known(newest))

    # A standby that had not heard of the last commit: PostgreSQL makes no copy of a database in use.
    with service.parts.database.write() as db:
        db.execute(delete(AuditEventRow).where(AuditEventRow.seq == newest[0]))
        db.execute(update(ApiKeyRow).where(ApiKeyRow.id == facts.id).values(revoked_at=None))

    wait_until(lambda: service.call("GET", "/v1/subjects", key=text).status_code == 401)
    wait_until(lambda: not is_signed_in(service, token))


@pytest.mark.parametrize("what", ["key", "operator"])
def test_what_a_command_without_the_anchors_disk_ends_is_noted_by_the_service(
    service: Service, cli: CommandLine, tmp_path: Path, what: str
) -> None:
    elsewhere = CommandLine(
        cli.folder,
        cli.bundle,
        {"INVIGIL_DATA_DIR": str(tmp_path), "INVIGIL_ANCHOR_FILE": str(tmp_path / "elsewhere" / "anchor")},
    )
    fields = {"login": "ada@example.org", "name": "Ada", "role": "invigilator"}
    operator = service.call("POST", "/v1/operators", json=fields).json()["id"]
    facts, _ = service.parts.keys.create("lost tablet", [Scope.SUBJECTS_READ], actor="test")

    arguments = ("keys", "revoke", facts.prefix) if what == "key" else ("operators", "end", fields["login"])
    assert elsewhere.run(*arguments).status == 0

    kind: Kind = "revoked" if what == "key" else "ended"
    ended = facts.id if what == "key" else UUID(operator)
    wait_until(lambda: ended in find_ids(anchor_of(service).lines(), kind))


def test_an_operator_who_is_ended_is_noted_before_the_answer(service: Service) -> None:
    fields = {"login": "ada@example.org", "name": "Ada", "role": "invigilator"}
    operator = service.call("POST", "/v1/operators", json=fields).json()["id"]

    service.call("DELETE", f"/v1/operators/{operator}")

    assert find_ids(anchor_of(service).lines(), "ended") == {UUID(operator)}
