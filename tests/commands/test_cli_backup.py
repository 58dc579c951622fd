"""`invigil backup` and `invigil restore`: a machine is lost, and nobody but those who were erased."""

import json
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fixtures_cli import CommandLine
from fixtures_exams import hours_from_now
from fixtures_service import Service
from former_tables import insert, upgrade_to
from full_disk import files_of_at_most
from installations import Machine, enrol_made, found
from restoring import keep_copy
from sqlalchemy import select
from tampering import write_chain_anew

from embedding.bundle import Bundle
from embedding.installation import copy_bundle
from index.audit import Origin
from index.copying import copy_rows
from index.database.database import Database
from index.errors import DatabaseError, RowsRefused
from index.ids import uuid7
from index.sealing.cipher import SealingKey
from index.sealing.key_file import KeyFile
from index.tables import SubjectRow
from service.access.operators import OperatorTerms
from service.access.roles import Role
from service.access.scopes import Scope
from service.backup.folder import read_manifest, record_files, write_manifest
from service.errors import BackupRefused, Unauthenticated
from service.exams.tables import RosterEntryRow

OLDER_REVISION = "20261127_with_owners"


@contextmanager
def people_at_work(service: Service, picture: bytes, subject: str) -> Iterator[list[int]]:
    """Verify somebody and add somebody else again and again; the statuses of all answers."""
    answers: list[int] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            answers.append(service.call("POST", "/v1/subjects", json={}).status_code)
            verify = f"/v1/subjects/{subject}/verify"
            answers.append(service.call("POST", verify, files={"image": picture}).status_code)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield answers
    finally:
        over.set()
        worker.join()


def stop(service: Service) -> None:
    service.client.__exit__(None, None, None)


def decision(service: Service, subject: str, picture: bytes) -> str:
    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": picture})
    return str(answer.json().get("decision", answer.json().get("code")))


def test_a_lost_machine_comes_back_with_everybody_but_those_erased_since(
    machines: list[Machine], tmp_path: Path, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    lost, new = machines
    service = lost.start()
    ana, ben = service.enrolled(astronaut_jpeg, "ana"), service.enrolled(stranger_jpeg, "ben")
    made = enrol_made(service, range(30))
    with people_at_work(service, astronaut_jpeg, ana) as answers:
        done = lost.run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    assert done.status == 0, done
    assert set(answers) <= {200, 201}
    for erased in (ben, made[7]):
        assert service.call("DELETE", f"/v1/subjects/{erased}").status_code == 200
    assert service.call("POST", "/v1/subjects", json={"external_id": "too late"}).status_code == 201
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.status == 0, restored
    assert restored.document["removed_again"] == 2
    assert decision(again, ana, astronaut_jpeg) == "match"
    assert again.call("GET", f"/v1/subjects/{ben}").status_code == 404
    assert again.call("POST", "/v1/search", files={"image": stranger_jpeg}).json()["matches"] == []
    for person, subject_id in made.items():
        assert found(again, person) == ([] if person == 7 else [subject_id])
    assert new.run("audit", "verify").status == 0
    # Numbers of those who were lost are not given to others.
    later = enrol_made(again, range(100, 105))
    assert [found(again, person) for person in later] == [[one] for one in later.values()]
    assert again.call("POST", "/v1/subjects", json={"external_id": "too late"}).status_code == 201


def test_keys_and_sign_ins_that_were_ended_after_the_backup_open_nothing_after_the_restore(
    machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = machines
    service = lost.start()
    keys, sessions = service.parts.keys, service.parts.page_sessions
    (by_api, one), (by_command, two), (kept, three) = (
        keys.create(name, [Scope.SUBJECTS_READ], actor="test") for name in ("api", "command", "kept")
    )
    signed_in = sessions.open("console", keys.authenticate(three))
    done = lost.run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    assert done.status == 0, done
    assert service.call("DELETE", f"/v1/keys/{by_api.id}").status_code == 200
    assert lost.run("keys", "revoke", by_command.prefix).status == 0
    sessions.end(signed_in.token)
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.document["revoked_again"] == 2
    answers = [again.call("GET", "/v1/subjects", key=text).status_code for text in (one, two, three)]
    assert answers == [401, 401, 200]
    with pytest.raises(Unauthenticated):
        again.parts.page_sessions.find("console", signed_in.token)
    assert kept.revoked_at is None
    assert new.run("audit", "verify").status == 0


def test_operators_who_were_ended_after_the_backup_are_ended_after_the_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    for login in ("ada@example.org", "ben@example.org"):
        fields = {"login": login, "name": login, "role": "invigilator"}
        assert service.call("POST", "/v1/operators", json=fields).status_code == 201
    ada, _ = service.parts.operators.page(2)
    lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    assert service.call("DELETE", f"/v1/operators/{ada.id}").status_code == 200
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.document["ended_again"] == 1
    assert [one.ended_at is None for one in again.parts.operators.page(2)] == [False, True]
    assert new.run("audit", "verify").status == 0


def test_a_key_that_came_back_with_a_copy_of_the_database_is_revoked_before_the_first_request(
    sqlite_machines: list[Machine],
) -> None:
    machine = sqlite_machines[0]
    service = machine.start()
    facts, text = service.parts.keys.create("lost tablet", [Scope.SUBJECTS_READ], actor="test")
    put_back = keep_copy(service.parts.database)
    assert service.call("DELETE", f"/v1/keys/{facts.id}").status_code == 200
    stop(service)
    put_back()

    service = machine.start()

    assert service.call("GET", "/v1/subjects", key=text).status_code == 401


def test_the_kiosks_of_a_deleted_exam_open_nothing_after_a_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    times = {"starts_at": hours_from_now(-1).isoformat(), "ends_at": hours_from_now(2).isoformat()}
    exam = service.call("POST", "/v1/exams", json={"name": "Maths", **times}).json()["id"]
    window = {"opens_at": hours_from_now(1).isoformat(), "closes_at": hours_from_now(2).isoformat()}
    session = service.call("POST", f"/v1/exams/{exam}/sessions", json={"room": "R1", **window}).json()["id"]
    key = service.call("POST", f"/v1/sessions/{session}/kiosk-keys", json={}).json()["key"]
    lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    assert service.call("DELETE", f"/v1/exams/{exam}").status_code == 204
    stop(service)
    lost.lose()

    new.restore(tmp_path / "backup", tmp_path / "keys.txt")

    assert new.start().call("GET", f"/v1/sessions/{session}", key=key).status_code == 401


def test_the_kiosks_of_an_archived_exam_open_nothing_after_a_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    times = {"starts_at": hours_from_now(-1).isoformat(), "ends_at": hours_from_now(2).isoformat()}
    exam = service.call("POST", "/v1/exams", json={"name": "Maths", **times}).json()["id"]
    window = {"opens_at": hours_from_now(-1).isoformat(), "closes_at": hours_from_now(2).isoformat()}
    session = service.call("POST", f"/v1/exams/{exam}/sessions", json={"room": "R1", **window}).json()["id"]
    added = service.call(
        "PUT",
        f"/v1/sessions/{session}/roster?create_subjects=true",
        content=b"external_id,display_name\nc1,Ann\n",
        headers={"Content-Type": "text/csv"},
    )
    assert added.status_code == 200, added.text
    key = service.call("POST", f"/v1/sessions/{session}/kiosk-keys", json={}).json()["key"]
    shown = {"candidate": "c1", "document_type": "passport", "operator": "Ada"}
    attempt = service.call("POST", f"/v1/sessions/{session}/identifications", json=shown)
    assert attempt.status_code == 201, attempt.text
    lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    archived = service.call("DELETE", f"/v1/exams/{exam}?reason=fire+alarm")
    assert archived.status_code == 200, archived.text
    stop(service)
    lost.lose()

    new.restore(tmp_path / "backup", tmp_path / "keys.txt")

    assert new.start().call("GET", f"/v1/sessions/{session}", key=key).status_code == 401


def test_exams_that_were_taken_away_after_the_backup_are_away_after_the_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    archived, deleted, purged = (
        exam_with_candidate(service, name, starts=starts, ends=ends)
        for name, starts, ends in (("archived", -1, 2), ("deleted", 1, 2), ("purged", -9, -8))
    )
    shown = {"candidate": "c1", "document_type": "passport", "operator": "Ada"}
    attempt = service.call("POST", f"/v1/sessions/{archived[1]}/identifications", json=shown)
    assert attempt.status_code == 201, attempt.text
    done = lost.run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    assert done.status == 0, done
    gone = [service.call("DELETE", f"/v1/exams/{one[0]}?reason=over") for one in (archived, deleted)]
    gone.append(service.call("POST", f"/v1/exams/{purged[0]}/purge", json={}))
    assert [one.status_code for one in gone] == [200, 204, 200], [one.text for one in gone]
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.document["exams_again"] == 3
    assert again.call("GET", f"/v1/exams/{archived[0]}").json()["archived_at"] is not None
    late = again.call("POST", f"/v1/sessions/{archived[1]}/identifications", json=shown)
    assert late.json()["code"] == "exam_archived"
    assert again.call("GET", f"/v1/exams/{deleted[0]}").status_code == 404
    assert again.call("GET", f"/v1/exams/{purged[0]}").json()["purged_at"] is not None
    with again.parts.database.read() as db:
        rosters = db.scalars(select(RosterEntryRow.session_id)).all()
    assert {str(one) for one in rosters} == {archived[1]}
    assert new.run("audit", "verify").status == 0


def test_what_was_put_on_hold_after_the_backup_is_on_hold_after_the_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    exam = exam_with_candidate(service, "appealed", starts=-9, ends=-8)[0]
    person, other = (service.call("POST", "/v1/subjects", json={}).json()["id"] for _ in range(2))
    done = lost.run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    assert done.status == 0, done
    for target in ({"exam_id": exam}, {"subject_id": person}, {"subject_id": other}):
        hold = {**target, "kind": "appeal", "reason": "a letter has come"}
        put = service.call("POST", "/v1/holds", json=hold)
        assert put.status_code == 201, put.text
    lifted = service.call("POST", f"/v1/holds/{put.json()['id']}/lift", json={"reason": "settled"})
    assert lifted.status_code == 200, lifted.text
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.document["holds_again"] == 2
    holds = again.call("GET", "/v1/holds").json()["items"]
    assert {(one["exam_id"], one["subject_id"]) for one in holds} == {(exam, None), (None, person)}
    assert {one["kind"] for one in holds} == {"legal"}
    # Who lifts one of them has lifted it: no later start puts it again.
    assert again.call("POST", f"/v1/holds/{holds[0]['id']}/lift", json={"reason": "settled"}).is_success
    stop(again)
    assert len(new.start().call("GET", "/v1/holds").json()["items"]) == 1
    assert new.run("audit", "verify").status == 0


def test_a_password_or_a_role_that_was_changed_after_the_backup_opens_nothing_after_the_restore(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    people = [operator_of(service, login) for login in ("ada", "ben", "cem")]
    lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    lowered = service.call("PATCH", f"/v1/operators/{people[0]}", json={"role": "invigilator"})
    renamed = service.call("PATCH", f"/v1/operators/{people[1]}", json={"name": "Benjamin"})
    assert (lowered.status_code, renamed.status_code) == (200, 200)
    by = Origin("test")
    service.parts.signing_in.change_password(people[2], PASSWORD, "another long passphrase", by, None, None)
    stop(service)
    lost.lose()

    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--json")
    again = new.start()

    assert restored.document["passwords_again"] == 2
    facts = [again.call("GET", f"/v1/operators/{one}").json()["has_password"] for one in people]
    assert facts == [False, True, False]


PASSWORD = "a long and winding road"


def operator_of(service: Service, login: str) -> UUID:
    """An exam office that has set a password."""
    terms = OperatorTerms(login, login.title(), Role.EXAM_OFFICE)
    facts, link = service.parts.invitations.create(terms, Origin("test"), uuid7())
    service.parts.invitations.accept(link.token, PASSWORD)
    return facts.id


def exam_with_candidate(service: Service, name: str, *, starts: float, ends: float) -> tuple[str, str]:
    """An exam and its session, with c1 on the roster; times in hours from now."""
    times = {"starts_at": hours_from_now(starts).isoformat(), "ends_at": hours_from_now(ends).isoformat()}
    terms = {"name": name, "retention_days": 0, **times}
    exam = service.call("POST", "/v1/exams", json=terms).json()["id"]
    window = {"opens_at": times["starts_at"], "closes_at": times["ends_at"]}
    session = service.call("POST", f"/v1/exams/{exam}/sessions", json={"room": "R1", **window}).json()["id"]
    added = service.call(
        "PUT",
        f"/v1/sessions/{session}/roster?create_subjects=true",
        content=b"external_id,display_name\nc1,Ann\n",
        headers={"Content-Type": "text/csv"},
    )
    assert added.status_code == 200, added.text
    return exam, session


@pytest.fixture
def backed_up(machines: list[Machine], tmp_path: Path) -> list[Machine]:
    """Three people in a backup."""
    service = machines[0].start()
    enrol_made(service, range(3))
    stop(service)
    done = machines[0].run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    assert done.status == 0, done
    return machines


@pytest.fixture
def sqlite_machines(start_service: Callable[..., Service], cli: CommandLine, tmp_path: Path) -> list[Machine]:
    """The machines with SQLite alone, for what asks about files."""
    folders = [tmp_path / name for name in ("machine-1", "machine-2", "machine-3")]
    return [Machine(start_service, cli, folder, f"sqlite:///{folder}/var/invigil.db") for folder in folders]


@pytest.fixture
def backup(sqlite_machines: list[Machine], tmp_path: Path) -> Path:
    """A backup of three people."""
    service = sqlite_machines[0].start()
    enrol_made(service, range(3))
    stop(service)
    sqlite_machines[0].back_up(tmp_path / "backup", tmp_path / "keys.txt")
    return tmp_path / "backup"


def is_empty(machine: Machine) -> bool:
    """Whether nothing was put in place."""
    file = machine.data_dir / "invigil.db"
    if not file.exists():
        return True
    with closing(sqlite3.connect(file)) as connection:
        return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))


def test_a_backup_is_private_and_holds_no_key(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"
    files = [path for path in backup.rglob("*") if path.is_file()]

    assert {path.name for path in backup.iterdir()} == {
        "manifest.json",
        "database.db",
        "audit.anchor",
        "models",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*files, keys)} == {0o600}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    (line,) = [one for one in keys.read_bytes().splitlines() if not one.startswith(b"#")]
    assert not any(line in path.read_bytes() for path in files)
    assert not list(tmp_path.glob(".backup*"))


def test_a_backup_is_put_back_once_and_never_over_anything(backed_up: list[Machine], tmp_path: Path) -> None:
    lost, new = backed_up
    call = ("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt")

    over_itself = lost.run(*call)
    first, second = new.run(*call), new.run(*call)

    assert [over_itself.status, first.status, second.status] == [2, 0, 2]
    assert "installation already" in over_itself.complaint
    assert "installation already" in second.complaint


def test_a_backup_of_one_kind_of_database_is_put_back_into_the_other(
    backed_up: list[Machine], sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    other = sqlite_machines[2]

    restored = other.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    service = other.start()

    assert restored.status == 0, restored
    assert all(len(found(service, person)) == 1 for person in range(3))
    assert other.run("audit", "verify").status == 0


@pytest.mark.parametrize("change", ["vector = zeroblob(540)", "key_id = '0123456789abcdef'"])
def test_one_changed_row_stops_neither_a_check_nor_a_backup_nor_a_restore_and_each_names_it(
    sqlite_machines: list[Machine], tmp_path: Path, change: str
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    made = enrol_made(service, range(3))
    stop(service)
    with closing(sqlite3.connect(lost.data_dir / "invigil.db")) as db, db:
        db.execute(f"UPDATE template SET {change} WHERE number = 2")
        (row,) = db.execute("SELECT id FROM template WHERE number = 2").fetchone()

    checked = lost.run("db", "check", "--json")
    backed_up = lost.run("backup", tmp_path / "backup", "--keys", tmp_path / "keys.txt")
    restored = new.run("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt")

    row_id = str(UUID(hex=row))
    assert (checked.status, backed_up.status, restored.status) == (1, 0, 0)
    assert [(one["table"], one["row_id"]) for one in checked.document["unreadable"]] == [
        ("templates", row_id)
    ]
    assert row_id in backed_up.stderr
    assert row_id in restored.stderr
    assert row_id in new.run("db", "check").stdout
    service = new.start()
    assert [found(service, person) for person in made] == [[made[0]], [], [made[2]]]


def test_without_an_anchor_that_outlived_the_machine_it_says_what_nobody_knows(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    sqlite_machines[0].anchor.unlink()

    restored = sqlite_machines[1].run("restore", backup, "--keys", tmp_path / "keys.txt")

    assert restored.status == 0
    assert "No anchor outlived" in restored.stdout
    assert sqlite_machines[1].run("audit", "verify").status == 0


def test_an_anchor_that_was_kept_elsewhere_is_named(sqlite_machines: list[Machine], tmp_path: Path) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    made = enrol_made(service, range(3))
    lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    assert service.call("DELETE", f"/v1/subjects/{made[0]}").status_code == 200
    stop(service)
    kept = Path(shutil.copy(lost.anchor, tmp_path / "kept.anchor"))
    lost.anchor.unlink()

    call = ("restore", tmp_path / "backup", "--keys", tmp_path / "keys.txt", "--anchor")
    missing = new.run(*call, tmp_path / "nowhere")
    restored = new.run(*call, kept)

    assert (missing.status, restored.status) == (2, 0)
    again = new.start()
    assert [found(again, person) for person in made] == [[], [made[1]], [made[2]]]


def cut_short(folder: Path) -> None:
    path = folder / "database.db"
    path.write_bytes(path.read_bytes()[:-4096])


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def drop_bundle(folder: Path) -> None:
    next(folder.glob("models/*/*.onnx")).unlink()


def change_row(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "database.db")) as connection:
        connection.execute("UPDATE subject SET display_name = 'somebody'")
        connection.commit()


def change_manifest(folder: Path) -> None:
    """With the digest of what was changed."""
    change_row(folder)
    drop_digests(folder)


def drop_digests(folder: Path) -> None:
    rewrite(folder, files=[])


def of_another_form(folder: Path) -> None:
    rewrite(folder, format="invigil-backup/2")


def of_a_newer_program(folder: Path) -> None:
    rewrite(folder, revision="20300101_later")


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (cut_short, "database.db"),
        (drop_manifest, "no whole backup"),
        (drop_bundle, ".onnx"),
        (change_row, "database.db"),
        (change_manifest, "was changed"),
        (of_another_form, "another version"),
        (of_a_newer_program, "newer program"),
    ],
    ids=lambda one: one.__name__ if callable(one) else "",
)
def test_a_spoilt_backup_is_refused_and_nothing_is_put_in_place(
    sqlite_machines: list[Machine],
    backup: Path,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    reason: str,
) -> None:
    spoil(backup)

    with pytest.raises(BackupRefused, match=reason):
        sqlite_machines[1].restore(backup, tmp_path / "keys.txt")

    assert is_empty(sqlite_machines[1])


@pytest.mark.parametrize("place", [None, "nowhere.txt", "no-keys.txt", "other.txt"])
def test_the_wrong_keys_open_nothing(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path, place: str | None
) -> None:
    KeyFile(tmp_path / "other.txt").make()
    (tmp_path / "no-keys.txt").write_text("these are no keys\n")
    new = sqlite_machines[1]

    with pytest.raises(BackupRefused, match="key"):
        new.restore(backup, tmp_path / place if place else None)

    assert is_empty(new)
    assert not (new.data_dir / "template.keys").exists()


def test_a_backup_whose_trail_was_written_anew_is_taken_with_a_reason_only(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    enrol_made(service, range(3))
    # The anchor holds an event that the shorter chain has another in the place of.
    assert service.parts.anchoring is not None
    service.parts.anchoring.note()
    enrol_made(service, range(3, 5))
    stop(service)
    write_chain_anew(Database(lost.database_url), without="key.created")
    keys = ("--keys", tmp_path / "keys.txt")
    assert lost.run("backup", tmp_path / "backup", *keys).status == 0

    refused = new.run("restore", tmp_path / "backup", *keys)
    forced = new.run("restore", tmp_path / "backup", *keys, "--force", "--reason", "there is no other")

    assert (refused.status, forced.status) == (2, 0)
    assert "anchor" in refused.complaint or "breaks at event" in refused.complaint
    events = new.start().call("GET", "/v1/audit-events?action=database.restored").json()["items"]
    assert [one["details"]["forced_because"] for one in events] == ["there is no other"]


def test_a_backup_goes_nowhere_where_something_is(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    machine, keys, other = sqlite_machines[0], tmp_path / "keys.txt", tmp_path / "other"
    before = (backup / "manifest.json").read_bytes()
    (tmp_path / "link").symlink_to(other, target_is_directory=True)

    for folder, place in (
        (backup, keys),
        (other, other / "keys"),
        (other, tmp_path / "link" / "keys"),
        (other, machine.data_dir),
        (Path("/"), keys),
    ):
        with pytest.raises(BackupRefused):
            machine.back_up(folder, place)

    assert (backup / "manifest.json").read_bytes() == before
    assert not other.exists()


def test_the_command_asks_where_the_keys_go(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    nobody_answers = sqlite_machines[0].run("backup", tmp_path / "other")
    no_database = sqlite_machines[1].run("backup", tmp_path / "other", "--keys", tmp_path / "keys.txt")

    assert (nobody_answers.status, no_database.status) == (2, 2)
    assert "--keys" in nobody_answers.stderr
    assert "no database" in no_database.complaint
    assert is_empty(sqlite_machines[1])
    assert not (tmp_path / "other").exists()


def test_of_two_backups_at_once_one_is_made(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    machine = sqlite_machines[0]
    settings = {
        "INVIGIL_DATA_DIR": str(machine.data_dir),
        "INVIGIL_DATABASE_URL": machine.database_url,
        "INVIGIL_ANCHOR_FILE": str(machine.anchor),
    }
    call = ("backup", tmp_path / "at-once", "--keys", tmp_path / "keys.txt")

    running = [machine.cli.start(*call, **settings) for _ in range(2)]

    assert sorted(one.ended().status for one in running) == [0, 2]
    assert sqlite_machines[1].run("restore", *call[1:]).status == 0


def test_what_a_killed_backup_leaves_is_no_backup_and_goes_with_the_next(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    left, keys = tmp_path / ".second.unfinished-abc", tmp_path / "keys.txt"
    shutil.copytree(backup, left)

    with pytest.raises(BackupRefused, match="no whole backup"):
        sqlite_machines[1].restore(tmp_path / "second", keys)
    sqlite_machines[0].back_up(tmp_path / "second", keys)

    assert not left.exists()
    assert sqlite_machines[1].restore(tmp_path / "second", keys).removed_again == 0


def test_a_backup_during_another_template_key_opens_with_the_keys_that_it_wrote(
    sqlite_machines: list[Machine], tmp_path: Path
) -> None:
    lost, new = sqlite_machines[:2]
    service = lost.start()
    made = enrol_made(service, range(3))
    KeyFile(lost.data_dir / "template.keys").add()
    made |= enrol_made(service, range(3, 6))
    half = lost.back_up(tmp_path / "half", tmp_path / "keys.txt")
    assert lost.run("db", "reseal").status == 0
    stop(service)
    # The next one needs the new key alone, and the former one stays for the backups before.
    whole = lost.back_up(tmp_path / "whole", tmp_path / "keys.txt")

    new.restore(tmp_path / "half", tmp_path / "keys.txt")

    assert (len(half.key_ids), len(whole.key_ids)) == (2, 1)
    service = new.start()
    assert [found(service, person) for person in made] == [[one] for one in made.values()]


def test_a_backup_holds_every_bundle_in_use(
    sqlite_machines: list[Machine], tmp_path: Path, turned: Bundle, nobody_else: None
) -> None:
    lost, new = sqlite_machines[:2]
    # Of its own: what is lost is lost with all copies of it.
    bundle = copy_bundle(turned, tmp_path / "bundle")
    service = lost.start()
    made = enrol_made(service, range(3))
    model = service.parts.models.register_bundle(bundle, actor="test")
    promoted = service.call(
        "POST", f"/v1/models/{model.id}/promote", json={"override_reason": "a test of backups"}
    )
    assert promoted.status_code == 200, promoted.text
    stop(service)
    manifest = lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    lost.lose()
    shutil.rmtree(bundle.path)

    new.restore(tmp_path / "backup", tmp_path / "keys.txt")
    service = new.start()

    assert len(manifest.models) == 2
    assert service.parts.serving.active.id == model.id
    assert len(made) == sum(len(one.gallery) for one in service.parts.serving.former)


def test_a_backup_during_a_promotion_shows_the_moment_before_it(
    sqlite_machines: list[Machine],
    tmp_path: Path,
    turned: Bundle,
    nobody_else: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost, new = sqlite_machines[:2]
    bundle = copy_bundle(turned, tmp_path / "bundle")
    service = lost.start()
    made = enrol_made(service, range(3))
    former = service.parts.serving.active.id
    model = service.parts.models.register_bundle(bundle, actor="test")
    promotion = {"override_reason": "a test of backups"}
    promoted: list[int] = []

    def copy_rows_and_promote(*arguments: Any) -> dict[str, int]:
        rows = copy_rows(*arguments)
        answer = service.call("POST", f"/v1/models/{model.id}/promote", json=promotion)
        promoted.append(answer.status_code)
        return rows

    # Another process has announced the model, and has made no template yet.
    service.parts.models.announce(model.id)
    monkeypatch.setattr("service.backup.making.copy_rows", copy_rows_and_promote)
    manifest = lost.back_up(tmp_path / "backup", tmp_path / "keys.txt")
    now_active = service.parts.serving.active.id
    stop(service)
    lost.lose()
    shutil.rmtree(bundle.path)

    new.restore(tmp_path / "backup", tmp_path / "keys.txt")
    service = new.start()

    assert (promoted, now_active) == ([200], model.id)
    assert [one.id for one in manifest.models] == [former]
    assert service.parts.serving.active.id == former
    assert [found(service, person) for person in made] == [[one] for one in made.values()]
    assert [one.state for one in service.parts.models.all() if one.id == model.id] == ["candidate"]


def test_a_backup_without_a_bundle_in_use_is_not_made(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    machine = sqlite_machines[0]
    shutil.rmtree(machine.data_dir / "models")
    with closing(sqlite3.connect(machine.data_dir / "invigil.db")) as connection:
        for column in ("model SET id", "template SET model_id"):
            connection.execute(f"UPDATE {column} = 'sha256:gone'")
        connection.commit()

    with pytest.raises(BackupRefused, match="sha256:gone"):
        machine.back_up(tmp_path / "other", tmp_path / "keys.txt")

    assert not (tmp_path / "other").exists()


def test_a_database_whose_rows_refer_to_nothing_is_refused_in_one_line(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    machine = sqlite_machines[0]
    with closing(sqlite3.connect(machine.data_dir / "invigil.db")) as connection:
        connection.execute("UPDATE template SET subject_id = '00000000000070008000000000000000'")
        connection.commit()

    with pytest.raises(RowsRefused, match="template"):
        machine.back_up(tmp_path / "other", tmp_path / "keys.txt")

    assert not (tmp_path / "other").exists()


def test_a_full_disk_leaves_no_backup_and_no_half_of_an_installation(
    sqlite_machines: list[Machine], backup: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.txt"

    with files_of_at_most(100_000), pytest.raises((OSError, DatabaseError)):
        sqlite_machines[0].back_up(tmp_path / "other", keys)
    with files_of_at_most(100_000), pytest.raises((OSError, DatabaseError)):
        sqlite_machines[1].restore(backup, keys)

    assert not (tmp_path / "other").exists()
    assert not list(tmp_path.glob(".other*"))
    assert is_empty(sqlite_machines[1])
    # With room it is done.
    sqlite_machines[1].restore(backup, keys)


def test_an_older_backup_is_upgraded(sqlite_machines: list[Machine], backup: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    older = make_older(backup, tmp_path / "older", KeyFile(keys).read()[0])
    sqlite_machines[0].anchor.unlink()

    sqlite_machines[1].restore(older, keys)

    assert sqlite_machines[1].start().call("GET", "/v1/subjects/ext:of-before").status_code == 200


def make_older(backup: Path, folder: Path, key: bytes) -> Path:
    """A backup as an earlier version has made it, of one person without templates."""
    manifest = read_manifest(Path(shutil.copytree(backup, folder)))
    for name in ("database.db", "audit.anchor", "manifest.json"):
        (folder / name).unlink()
    database = Database(f"sqlite:///{folder / 'database.db'}")
    upgrade_to(database, OLDER_REVISION)
    now = datetime.now(UTC)
    with database.engine.begin() as connection:
        insert(connection, SubjectRow, id=uuid7(), external_id="of-before", created_at=now, changed_at=now)
    database.close()
    changes = {
        "revision": OLDER_REVISION,
        "audit_seq": 0,
        "audit_digest": "0" * 64,
        "files": record_files(folder),
        "key_ids": [],
    }
    write_manifest(folder, manifest.model_copy(update=changes).with_mac(SealingKey(key)))
    return folder
