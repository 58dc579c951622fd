"""The audit chain's anchor: a tail cut off, a chain written anew, an older copy put back."""

import json
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from made_templates import add_subject, open_gallery
from restoring import keep_copy
from tampering import cut_tail, remove_all_events, write_chain_anew

from index import audit
from index.consent.erasure import erase_returned
from index.database.database import Database
from index.errors import AnchorInvalid
from index.sealing.cipher import TemplateCipher
from index.subjects.subjects import Subjects
from index.trail.anchor import AnchorFile
from index.trail.anchor_lines import find_expected_heads, find_ids

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))


@pytest.fixture
def anchor(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "anchor" / "audit.anchor", TemplateCipher(KEY))


def add_events(database: Database, count: int) -> list[UUID]:
    return [add_subject(database) for _ in range(count)]


def note(database: Database, anchor: AnchorFile) -> None:
    with database.read() as db:
        anchor.note(db)


def fault(database: Database, anchor: AnchorFile) -> str | None:
    with database.read() as db:
        return audit.verify_chain(db, expected_heads=find_expected_heads(anchor.lines())).reason


def erase(database: Database, subject_id: UUID) -> None:
    open_gallery(database).erase(subject_id, actor="test")


@pytest.mark.parametrize("ever_noted", [1, 2, 3])
def test_a_chain_that_only_grew_is_whole(database: Database, anchor: AnchorFile, ever_noted: int) -> None:
    for _ in range(ever_noted):
        add_events(database, 3)
        note(database, anchor)
        note(database, anchor)
    add_events(database, 3)

    assert fault(database, anchor) is None
    assert len(anchor.lines()) == ever_noted


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (lambda database: cut_tail(database, 1), "cut off"),
        (lambda database: cut_tail(database, 4), "cut off"),
        (remove_all_events, "cut off"),
        (lambda database: write_chain_anew(database, without="subject.erased"), "changed"),
    ],
    ids=["one cut off", "several cut off", "all removed", "written anew"],
)
def test_what_a_chain_alone_cannot_show_is_found(
    database: Database, anchor: AnchorFile, tamper: Callable[[Database], None], reason: str
) -> None:
    subjects = add_events(database, 4)
    erase(database, subjects[1])
    add_events(database, 3)
    note(database, anchor)

    tamper(database)
    with database.read() as db:
        assert audit.verify_chain(db).is_whole
    assert fault(database, anchor) == reason
    # More events than before do not hide it.
    add_events(database, 9)
    assert fault(database, anchor) == "changed"


def test_a_chain_written_anew_that_ends_before_all_that_the_anchor_knows_otherwise_is_found(
    database: Database, anchor: AnchorFile
) -> None:
    subjects = add_events(database, 4)
    erase(database, subjects[1])
    note(database, anchor)

    write_chain_anew(database, without="subject.erased")

    assert fault(database, anchor) == "cut off"
    add_events(database, 9)
    assert fault(database, anchor) == "changed"
    # The service goes on to note what is there now, and forgets nothing by it.
    note(database, anchor)
    assert fault(database, anchor) == "changed"


def test_every_erasure_is_noted_by_id_and_once(database: Database, anchor: AnchorFile) -> None:
    subjects = add_events(database, 5)
    erase(database, subjects[0])
    note(database, anchor)
    erase(database, subjects[1])
    erase(database, subjects[2])
    note(database, anchor)
    note(database, anchor)

    lines = anchor.lines()
    assert find_ids(lines, "erased") == set(subjects[:3])
    assert [line.kind for line in lines].count("erased") == 3
    with database.read() as db:
        assert lines[-1].head == audit.find_newest_head(db)


def test_who_was_erased_after_a_copy_is_erased_again(database: Database, anchor: AnchorFile) -> None:
    ana, ben, cem = add_events(database, 3)
    note(database, anchor)
    put_back = keep_copy(database)
    erase(database, ana)
    erase(database, ben)
    note(database, anchor)

    put_back()
    returned = erase_returned(database, find_ids(anchor.lines(), "erased"), actor="restore")
    again = erase_returned(database, find_ids(anchor.lines(), "erased"), actor="restore")

    assert (returned, again) == (2, 0)
    assert [one.id for one in Subjects(database).page(limit=9)] == [cem]


def test_an_erasure_under_the_copy_is_noted_too(database: Database, anchor: AnchorFile) -> None:
    _, ben = add_events(database, 2)
    put_back = keep_copy(database)
    add_events(database, 20)
    note(database, anchor)
    put_back()

    erase(database, ben)
    note(database, anchor)

    assert find_ids(anchor.lines(), "erased") == {ben}
    assert fault(database, anchor) == "cut off"


def test_a_copy_that_was_put_back_on_purpose_is_whole_and_watched_from_then_on(
    database: Database, anchor: AnchorFile
) -> None:
    add_events(database, 2)
    note(database, anchor)
    put_back = keep_copy(database)
    add_events(database, 7)
    note(database, anchor)
    put_back()
    add_events(database, 1)

    before = fault(database, anchor)
    with database.read() as db:
        anchor.note_restored(db)
    after = fault(database, anchor)
    cut_tail(database, 1)

    assert (before, after, fault(database, anchor)) == ("cut off", None, "cut off")


def change_line(lines: list[str], number: int, **changes: object) -> list[str]:
    lines[number] = json.dumps({**json.loads(lines[number]), **changes})
    return lines


@pytest.mark.parametrize(
    "tamper",
    [
        lambda lines: change_line(lines, 1, digest="0" * 64),
        lambda lines: change_line(lines, 1, kind="restored"),
        lambda lines: change_line(lines, 0, subject_id=None),
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
        lambda lines: lines[1:],
        lambda lines: ["{}", *lines],
        lambda lines: ["no line", *lines],
        lambda lines: change_line(lines, -1, key_id="0" * 16),
    ],
)
def test_a_file_that_was_changed_is_refused(
    database: Database, anchor: AnchorFile, tamper: Callable[[list[str]], list[str]]
) -> None:
    for subject in add_events(database, 3):
        erase(database, subject)
        note(database, anchor)
    lines = anchor.path.read_text().splitlines()

    anchor.path.write_text("".join(f"{line}\n" for line in tamper(lines)))

    with pytest.raises(AnchorInvalid):
        anchor.lines()


def test_a_line_that_a_crash_has_torn_is_written_again(database: Database, anchor: AnchorFile) -> None:
    add_events(database, 2)
    note(database, anchor)
    add_events(database, 2)
    note(database, anchor)
    whole = anchor.path.read_text()

    anchor.path.write_text(whole[:-40])
    note(database, anchor)

    assert len(anchor.lines()) == 2
    assert fault(database, anchor) is None


def test_a_line_of_a_former_key_is_vouched_for_by_the_next(database: Database, anchor: AnchorFile) -> None:
    add_events(database, 1)
    note(database, anchor)
    both = AnchorFile(anchor.path, TemplateCipher(OTHER_KEY, KEY))
    new = AnchorFile(anchor.path, TemplateCipher(OTHER_KEY))

    with pytest.raises(AnchorInvalid, match="key"):
        new.lines()
    add_events(database, 1)
    note(database, both)

    assert [line.key_id for line in new.lines()] == [TemplateCipher(key).key_id for key in (KEY, OTHER_KEY)]
    anchor.path.write_text(anchor.path.read_text().replace('"seq": 1', '"seq": 7', 1))
    with pytest.raises(AnchorInvalid):
        new.lines()


def test_a_machine_takes_over_what_another_knows(
    database: Database, anchor: AnchorFile, tmp_path: Path
) -> None:
    ana, ben, _ = add_events(database, 3)
    erase(database, ana)
    note(database, anchor)
    empty = AnchorFile(tmp_path / "new" / "audit.anchor", TemplateCipher(OTHER_KEY))
    empty.take_over(anchor.lines())
    erase(database, ben)
    note(database, anchor)

    empty.take_over(anchor.lines())
    empty.take_over(anchor.lines())

    assert find_ids(empty.lines(), "erased") == {ana, ben}
    assert [line.kind for line in empty.lines()].count("erased") == 2
    assert fault(database, empty) is None


def note_many(url: str, path: Path, times: int) -> None:
    database = Database(url)
    for _ in range(times):
        add_subject(database)
        note(database, AnchorFile(path, TemplateCipher(KEY)))
    database.close()


@pytest.mark.not_quick("processes of their own")
def test_processes_that_write_at_once_leave_whole_lines(
    database: Database, database_url: str, anchor: AnchorFile
) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=note_many, args=(database_url, anchor.path, 5)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [0, 0]
    seqs = [line.seq for line in anchor.lines()]
    assert seqs == sorted(set(seqs))
    assert fault(database, anchor) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda lines: [b"\xff\xfe\x00"],
        lambda lines: [*lines, b"[]"],
        lambda lines: [*lines, b"null"],
        lambda lines: [*lines, lines[0].replace(b'"mac": "', b'"mac": 7, "kind": "')],
        lambda lines: [*lines, json.dumps({**json.loads(lines[0]), "mac": 7}).encode()],
        lambda lines: [*lines, json.dumps({**json.loads(lines[0]), "mac": "\u00e9"}).encode()],
        lambda lines: [*lines, json.dumps({**json.loads(lines[0]), "seq": "1"}).encode()],
        lambda lines: [*lines, json.dumps({**json.loads(lines[0]), "subject_id": "x"}).encode()],
        lambda lines: [*lines, b'{"kind": "head"}'],
        lambda lines: [b"[" * 100_000],
    ],
)
def test_whatever_stands_in_the_file_is_refused_as_no_anchor_and_left_as_it_is(
    database: Database, anchor: AnchorFile, damage: Callable[[list[bytes]], list[bytes]]
) -> None:
    erase(database, add_events(database, 2)[0])
    note(database, anchor)
    spoilt = b"".join(line + b"\n" for line in damage(anchor.path.read_bytes().splitlines()))
    anchor.path.write_bytes(spoilt)

    with pytest.raises(AnchorInvalid):
        anchor.lines()
    with pytest.raises(AnchorInvalid):
        note(database, anchor)

    assert anchor.path.read_bytes() == spoilt
