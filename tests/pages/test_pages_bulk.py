"""Many photos at once in the console: a folder, ZIP files of every kind, a list; refusals and another try."""

import base64
import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest
from fixtures_pages import Desk
from playwright.sync_api import Page, expect

READ = """async ([base64, limits]) => {
  const { readArchive, LIMITS } = await import("/static/js/archive.js");
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  try {
    const { files, skipped } = await readArchive(new Blob([bytes]), { ...LIMITS, ...limits });
    const read = [];
    for (const one of files) {
      try { read.push([one.name, (await (await one.read()).text()).length]); }
      catch (error) { read.push([one.name, error.code]); }
    }
    const codes = Object.fromEntries(skipped.map((one) => [one.name, one.code]));
    return { read: Object.fromEntries(read), skipped: codes };
  } catch (error) { return error.code; }
}"""


def zipped(*entries: tuple[zipfile.ZipInfo | str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in entries:
            archive.writestr(name, data, method)
    return target.getvalue()


def link_to(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def raw_name(archive: bytes, ascii_name: bytes, name: bytes) -> bytes:
    """The archive with a name in bytes that nothing declares to be UTF-8; both have the same length."""
    assert len(ascii_name) == len(name)
    return archive.replace(ascii_name, name)


def encrypted(archive: bytes) -> bytes:
    """The archive whose entries say that they are locked."""
    changed = bytearray(archive)
    at = changed.find(b"PK\x01\x02")
    while at >= 0:
        changed[at + 8] |= 1
        at = changed.find(b"PK\x01\x02", at + 4)
    return bytes(changed)


def overlapping(archive: bytes) -> bytes:
    """The archive whose last entry is the data of its first."""
    changed = bytearray(archive)
    struct.pack_into("<I", changed, changed.rfind(b"PK\x01\x02") + 42, 0)
    return bytes(changed)


def wrong_sum(archive: bytes) -> bytes:
    """The archive whose first entry has another CRC."""
    changed = bytearray(archive)
    changed[changed.find(b"PK\x01\x02") + 16] ^= 0xFF
    return bytes(changed)


def lying_size(archive: bytes, size: int) -> bytes:
    """The archive whose first entry claims to be this long."""
    changed = bytearray(archive)
    struct.pack_into("<I", changed, changed.find(b"PK\x01\x02") + 24, size)
    return bytes(changed)


PAIR = (("p/s-1/a.jpg", b"one"), ("p/s-2/b.jpg", b"two"))
ARCHIVES: dict[str, tuple[bytes, dict[str, int], object]] = {
    "plain": (zipped(*PAIR), {}, {"read": {"p/s-1/a.jpg": 3, "p/s-2/b.jpg": 3}, "skipped": {}}),
    "stored": (zipped(PAIR[0], method=zipfile.ZIP_STORED), {}, {"read": {"p/s-1/a.jpg": 3}, "skipped": {}}),
    "what systems add": (
        zipped(PAIR[0], ("__MACOSX/p/s-1/._a.jpg", b"x"), ("p/.DS_Store", b"x"), ("p/s-1/Thumbs.db", b"x")),
        {},
        {"read": {"p/s-1/a.jpg": 3}, "skipped": {}},
    ),
    "names that lead elsewhere": (
        zipped(("../x.jpg", b"1"), ("/etc/x.jpg", b"1"), ("C:\\x.jpg", b"1"), ("a/../../x.jpg", b"1")),
        {},
        {
            "read": {},
            "skipped": dict.fromkeys(("../x.jpg", "/etc/x.jpg", "C:/x.jpg", "a/../../x.jpg"), "unsafe_name"),
        },
    ),
    "a link": (
        zipped(link_to("s-1/a.jpg", "/etc/passwd")),
        {},
        {"read": {}, "skipped": {"s-1/a.jpg": "not_a_file"}},
    ),
    "locked": (encrypted(zipped(PAIR[0])), {}, {"read": {}, "skipped": {"p/s-1/a.jpg": "encrypted"}}),
    "other compression": (
        zipped(PAIR[0], method=zipfile.ZIP_LZMA),
        {},
        {"read": {}, "skipped": {"p/s-1/a.jpg": "unknown_compression"}},
    ),
    "a bomb": (
        zipped(("s-1/a.jpg", bytes(3_000_000))),
        {},
        {"read": {}, "skipped": {"s-1/a.jpg": "grows_too_much"}},
    ),
    "a bomb that lies": (
        lying_size(zipped(("s-1/a.jpg", bytes(3_000_000))), 1000),
        {},
        {"read": {"s-1/a.jpg": "grows_too_much"}, "skipped": {}},
    ),
    "too large a picture": (
        zipped(PAIR[0]),
        {"picture": 2},
        {"read": {}, "skipped": {"p/s-1/a.jpg": "image_too_large"}},
    ),
    "damaged": (wrong_sum(zipped(PAIR[0])), {}, {"read": {"p/s-1/a.jpg": "entry_damaged"}, "skipped": {}}),
    "one piece of data twice": (overlapping(zipped(*PAIR)), {}, "archive_overlapping"),
    "a name of macOS": (
        raw_name(zipped(("xxxx/a.jpg", b"1")), b"xxxx/a.jpg", "ü-1/a.jpg".encode()),
        {},
        {"read": {"ü-1/a.jpg": 1}, "skipped": {}},
    ),
    "a name of Windows": (
        raw_name(zipped(("xxx/a.jpg", b"1")), b"xxx/a.jpg", b"\x81-1/a.jpg"),
        {},
        {"read": {"ü-1/a.jpg": 1}, "skipped": {}},
    ),
    "a name in two forms": (
        zipped(("\u00fc/a.jpg", b"1"), ("u\u0308/a.jpg", b"22")),
        {},
        {"read": {"\u00fc/a.jpg": 1}, "skipped": {"u\u0308/a.jpg": "duplicate_name"}},
    ),
    "too many": (zipped(*PAIR), {"entries": 1}, "archive_too_many"),
    "too large": (zipped(*PAIR), {"bytes": 10}, "archive_too_large"),
    "no archive": (b"PK\x03\x04 no", {}, "archive_unreadable"),
    "cut off": (zipped(*PAIR)[:-30], {}, "archive_unreadable"),
    "empty": (b"", {}, "archive_unreadable"),
}


def test_every_kind_of_archive_is_read_or_refused_with_its_code(desk: Desk, console: Page) -> None:
    found = {
        name: console.evaluate(READ, [base64.b64encode(data).decode(), limits])
        for name, (data, limits, _) in ARCHIVES.items()
    }

    assert found == {name: expected for name, (_, _, expected) in ARCHIVES.items()}


@pytest.fixture
def folder(tmp_path: Path, astronaut_jpeg: bytes, stranger_jpeg: bytes, black_jpeg: bytes) -> Path:
    photos = tmp_path / "photos"
    given = {"s-1/a.jpg": astronaut_jpeg, "s-2/twin.jpg": astronaut_jpeg, "s-3/black.jpg": black_jpeg}
    for name, data in {**given, "loose.jpg": stranger_jpeg}.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(data)
    return photos


def test_a_folder_is_tried_enrolled_and_gone_on_with_after_a_reload(
    desk: Desk, console: Page, folder: Path, stranger_jpeg: bytes, tmp_path: Path
) -> None:
    def result(name: str) -> str:
        return console.locator(".counts div").filter(has_text=name).locator("b").first.inner_text()

    console.goto(f"{desk.base}/console#/enrol")
    console.check("#dry-run")
    console.set_input_files("#bulk-folder", folder)
    expect(console.get_by_text("What would happen")).to_be_visible()
    assert desk.call("GET", "/v1/subjects").json()["items"] == []

    console.uncheck("#dry-run")
    console.set_input_files("#bulk-folder", folder)
    expect(console.get_by_text("Result")).to_be_visible()
    assert (result("enrolled"), result("refused"), result("skipped")) == ("1", "2", "1")
    expect(console.locator("#without li")).to_have_count(2)
    expect(console.locator(".refusals img")).to_have_count(2)
    black = console.locator(".refusals li").filter(has_text="s-3")
    expect(black).to_contain_text("No face")
    good = tmp_path / "good.jpg"
    good.write_bytes(stranger_jpeg)
    black.locator("input[type=file]").set_input_files(good)
    expect(black.get_by_text("Enrolled.")).to_be_visible()

    console.reload()
    expect(console.get_by_text("Result")).to_be_visible()
    expect(console.locator(".refusals li")).to_have_count(2)
    expect(console.locator(".refusals img")).to_have_count(0)
    console.set_input_files("#bulk-folder", folder)
    expect(console.locator(".refusals img")).to_have_count(2)
    assert (result("enrolled before"), result("refused")) == ("1", "2")
    numbers = {
        one["external_id"]: one["templates"] for one in desk.call("GET", "/v1/subjects").json()["items"]
    }
    assert sorted(numbers) == ["s-1", "s-2", "s-3"]
    assert sum(numbers.values()) == 2


def test_a_list_in_a_zip_gives_names(
    desk: Desk, console: Page, astronaut_jpeg: bytes, stranger_jpeg: bytes, tmp_path: Path
) -> None:
    rows = (
        "external_id;display_name;path\n"
        "1001;Éva <b>Kiss</b>;pictures\\one.jpg\n"
        "1002;Nobody;pictures/gone.jpg\n"
    )
    archive = tmp_path / "list.zip"
    pictures = [("in/pictures/ONE.jpg", astronaut_jpeg), ("in/pictures/other.jpg", stranger_jpeg)]
    archive.write_bytes(zipped(("in/people.csv", rows.encode()), *pictures))
    console.goto(f"{desk.base}/console#/enrol")

    console.set_input_files("#bulk-files", archive)

    expect(console.get_by_text("Skipped files: 2")).to_be_visible()
    (one,) = desk.call("GET", "/v1/subjects").json()["items"]
    assert (one["external_id"], one["display_name"], one["templates"]) == ("1001", "Éva <b>Kiss</b>", 1)
