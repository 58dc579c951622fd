"""Bulk enrolment: resumable, robust against bad pictures, honest about what it refused."""

import csv
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from fixtures_cli import CommandLine
from fixtures_pictures import Picture, jpeg, resized

from benchmarks.picture_corpus import flat_png
from index import audit
from index.database.database import Database

LIMIT_BYTES = 200_000


def rows_of(report: Path) -> list[dict[str, str]]:
    with report.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def count(cli: CommandLine, table: str) -> int:
    with sqlite3.connect(cli.folder / "var" / "invigil.db") as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.close()
    return int(found)


def write(folder: Path, pictures: Mapping[str, bytes]) -> Path:
    for name, picture in pictures.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    return folder


@pytest.fixture
def photos(
    cli: CommandLine,
    astronaut_jpeg: bytes,
    astronaut_variants: Mapping[str, bytes],
    stranger_jpeg: bytes,
    faceless_pictures: Mapping[str, bytes],
    two_faces_jpeg: bytes,
) -> Path:
    """Two people who can be enrolled, and every kind of photo that cannot."""
    pictures = {
        "collins/portrait.jpg": astronaut_jpeg,
        "collins/mirrored.jpg": astronaut_variants["mirrored"],
        "hopper/portrait.jpg": stranger_jpeg,
        "hopper/cup.jpg": faceless_pictures["coffee"],
        "hopper/truncated.jpg": stranger_jpeg[:4000],
        "hopper/notes.txt": b"call back on Monday",
        "impostor/brighter.jpg": astronaut_variants["brighter"],
        "nobody/pair.jpg": two_faces_jpeg,
        "nobody/empty.jpg": b"",
        "nobody/large.jpg": astronaut_jpeg + bytes(LIMIT_BYTES),
        "nobody/.hidden.jpg": astronaut_jpeg,
    }
    return write(cli.folder / "photos", pictures)


def test_a_bad_picture_is_reported_and_never_stops_the_run(cli: CommandLine, photos: Path) -> None:
    limited = {"INVIGIL_MAX_UPLOAD_BYTES": str(LIMIT_BYTES), "INVIGIL_TEMPLATE_KEY": "ab" * 32}
    ended = cli.run("enrol", photos, "--json", **limited)

    rows = rows_of(cli.folder / "var" / "refusals.csv")
    refused = {Path(row["path"]).name: row["code"] for row in rows if row["path"]}
    assert (ended.status, ended.stderr) == (1, "")
    assert ended.document["without_template"] == ["impostor", "nobody"]
    assert ended.document["enrolled"] == 3
    assert ended.document["people"] == 2
    assert ended.document["refused"] == len(refused) == 7
    assert refused == {
        "cup.jpg": "face_not_found",
        "truncated.jpg": "decode_failed",
        "notes.txt": "unsupported_media",
        "brighter.jpg": "duplicate_identity",
        "pair.jpg": "multiple_faces",
        "empty.jpg": "decode_failed",
        "large.jpg": "image_too_large",
    }


def test_a_list_from_a_spreadsheet_is_read_and_a_changed_number_is_named(
    cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    write(cli.folder, {"1.jpg": astronaut_jpeg})
    (cli.folder / "list.csv").write_bytes(b"sep=;\rexternal_id;path\r00123;1.jpg\r")
    (cli.folder / "spoiled.csv").write_bytes(b"external_id,path\n1.23E+11,1.jpg\n")

    read = cli.run("enrol", cli.folder / "list.csv", "--json")
    refused = cli.run("enrol", cli.folder / "spoiled.csv")

    assert read.document["enrolled"] == 1
    assert (refused.status, "1.23E+11" in refused.complaint) == (2, True)


def test_a_folder_whose_name_is_spelled_otherwise_is_the_same_person(
    cli: CommandLine, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    cli.run("enrol", write(cli.folder / "first", {"José-7/1.jpg": astronaut_jpeg}))
    pictures = {"Jose\u0301-7/1.jpg": astronaut_jpeg, "J\u043esé-7/1.jpg": stranger_jpeg}

    ended = cli.run("enrol", write(cli.folder / "second", pictures), "--json")

    assert (ended.document["known"], ended.document["reasons"]) == (1, {"external_id_exists": 1})
    assert ended.document["without_template"] == ["J\u043esé-7"]
    assert count(cli, "subject") == 1


def test_a_picture_of_somebody_else_in_a_folder_is_refused_unless_there_is_a_reason(
    cli: CommandLine, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    folder = write(cli.folder / "photos", {"collins/1.jpg": astronaut_jpeg, "collins/2.jpg": stranger_jpeg})

    first = cli.run("enrol", folder, "--json")
    (refused,) = rows_of(cli.folder / "var" / "refusals.csv")
    short = cli.run("enrol", folder, "--force-reason", " ")
    forced = cli.run("enrol", folder, "--json", "--force-reason", "before the operation")
    (warned,) = rows_of(cli.folder / "var" / "refusals.csv")

    assert (first.document["enrolled"], first.document["reasons"]) == (1, {"not_the_same_person": 1})
    assert (Path(refused["path"]).name, refused["code"]) == ("2.jpg", "not_the_same_person")
    assert short.status == 2
    assert (forced.document["enrolled"], forced.document["warnings"]) == (1, {"disagreement_not_refused": 1})
    assert (warned["external_id"], warned["code"]) == ("collins", "disagreement_not_refused")


def test_who_would_match_somebody_else_is_enrolled_and_both_are_in_the_report(
    cli: CommandLine, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    folder = write(cli.folder / "photos", {"collins/1.jpg": astronaut_jpeg, "hopper/1.jpg": stranger_jpeg})

    # At so high a rate of false matches these two strangers match; they are no duplicates.
    ended = cli.run("enrol", folder, "--json", INVIGIL_MATCH_FMR="0.3", INVIGIL_REFER_FMR="0.4")

    (row,) = rows_of(cli.folder / "var" / "refusals.csv")
    assert (ended.document["enrolled"], ended.document["warnings"]) == (2, {"near_other_subject": 1})
    assert (row["external_id"], row["code"]) == ("hopper", "near_other_subject")
    assert "collins" in row["detail"]


def test_a_second_run_enrols_only_what_is_missing(
    cli: CommandLine, photos: Path, astronaut_variants: Mapping[str, bytes]
) -> None:
    first = cli.run("enrol", photos, "--json").document
    (photos / "collins" / "portrait.jpg").rename(photos / "collins" / "renamed.jpg")
    write(photos, {"collins/closer.jpg": astronaut_variants["closer"]})

    second = cli.run("enrol", photos, "--json").document

    assert (first["enrolled"], first["known"]) == (3, 0)
    assert (second["enrolled"], second["known"]) == (1, 3)
    assert count(cli, "template") == 4
    assert count(cli, "subject") == 4


def test_the_same_picture_twice_is_one_template(cli: CommandLine, astronaut_jpeg: bytes) -> None:
    folder = write(cli.folder / "photos", {"a/one.jpg": astronaut_jpeg, "a/two.jpg": astronaut_jpeg})

    ended = cli.run("enrol", folder, "--json")

    assert (ended.document["enrolled"], ended.document["known"]) == (1, 1)
    assert count(cli, "template") == 1


def test_who_is_enrolled_while_another_process_has_the_gallery_open_is_found_by_it(
    cli: CommandLine, photos: Path, astronaut_jpeg: bytes
) -> None:
    (cli.folder / "door.jpg").write_bytes(astronaut_jpeg)
    cli.run("enrol", photos)

    found = cli.run("search", "door.jpg", "--json").document["matches"]
    verified = cli.run("verify", "collins", "door.jpg", "--json")

    assert [match["subject_id"] for match in found] == [verified.document["subject_id"]]
    assert verified.status == 0


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_list_names_people_and_their_photos(cli: CommandLine, photos: Path, delimiter: str) -> None:
    rows = [
        ["path", "display_name", "external_id"],
        ["photos/collins/portrait.jpg", "Eileen Collins", "s 1/ü"],
        ["photos/absent.jpg", "", "s-2"],
        [],
    ]
    people = cli.folder / "people.csv"
    with people.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)

    ended = cli.run("enrol", people, "--json")
    found = cli.run("search", photos / "collins" / "mirrored.jpg")

    refused, left = rows_of(cli.folder / "var" / "refusals.csv")
    assert (ended.status, ended.document["enrolled"]) == (1, 1)
    assert (left["external_id"], left["code"]) == ("s-2", "no_template")
    assert (refused["external_id"], refused["code"]) == ("s-2", "picture_unreadable")
    assert "s 1/ü" in found.stdout
    assert "Eileen Collins" in found.stdout


def test_a_report_of_refusals_runs_no_formula(
    cli: CommandLine, faceless_pictures: Mapping[str, bytes]
) -> None:
    name = '=HYPERLINK("http:evil","x")'
    folder = write(cli.folder / "photos", {f"{name}/cup.jpg": faceless_pictures["coffee"]})

    cli.run("enrol", folder, "--refusals", "why.csv")

    for row in rows_of(cli.folder / "why.csv"):
        assert row["external_id"] == "'" + name


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("list.csv", "external_id,photo\na,b\n", "list.csv, line 1: the column path is missing"),
        ("list.csv", "external_id,path\n,b.jpg\n", "list.csv, line 2: external_id or path is empty"),
        ("list.csv", "external_id,path\n", "list.csv: it lists no photo"),
        ("list.csv", "external_id,path\nM\xfcller,b.jpg\n", "list.csv: line 2 is not UTF-8 (byte 0xfc)"),
        ("photos/loose.jpg", "", "photos: loose.jpg lies beside the people's folders"),
        ("photos/a/.hidden", "", "photos: it lists no photo"),
    ],
)
def test_a_source_that_cannot_be_read_is_one_line_and_no_database(
    cli: CommandLine, name: str, content: str, complaint: str
) -> None:
    write(cli.folder, {name: content.encode("latin-1")})

    ended = cli.run("enrol", name.split("/")[0])

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)
    assert not (cli.folder / "var").exists()


def test_an_external_id_that_cannot_be_one_is_refused(cli: CommandLine, astronaut_jpeg: bytes) -> None:
    write(cli.folder, {"a.jpg": astronaut_jpeg})
    (cli.folder / "list.csv").write_text(f"external_id,path\n{'x' * 10_000},a.jpg\n")

    ended = cli.run("enrol", "list.csv", "--json")

    assert ended.document["reasons"] == {"validation_failed": 1}


def test_after_ctrl_c_everything_is_whole_and_the_next_run_goes_on(
    cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    # JPEG readers ignore what follows the picture: many different files of one face.
    many = {f"collins/{number:04}.jpg": astronaut_jpeg + number.to_bytes(2) for number in range(2000)}
    folder = write(cli.folder / "photos", many)
    cli.run("db", "upgrade")

    running = cli.start("enrol", folder, "--json")
    until = time.monotonic() + 120
    while count(cli, "template") < 40 and time.monotonic() < until:
        time.sleep(0.02)
    running.interrupt()
    ended = running.ended()

    done = count(cli, "template")
    assert ended.status == 130
    # One may have been committed in the very moment, and not been counted any more.
    assert 40 <= done - 1 <= ended.document["enrolled"] <= done < 2000
    assert ended.document["left"] == 2000 - ended.document["enrolled"]
    assert cli.run("audit", "verify").status == 0
    for name in list(many)[done + 20 :]:
        (folder / name).unlink()
    second = cli.run("enrol", folder, "--json").document
    assert (second["known"], second["enrolled"]) == (done, 20)


def test_an_outdated_database_is_not_touched(cli: CommandLine, photos: Path) -> None:
    cli.run("db", "upgrade")
    database = cli.folder / "var" / "invigil.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'another'")
    connection.close()
    before = shutil.copy(database, cli.folder / "before.db")

    ended = cli.run("enrol", photos)

    assert ended.status == 2
    assert "revision another" in ended.complaint
    assert Path(before).read_bytes() == database.read_bytes()


def test_two_runs_over_one_folder_at_once_enrol_each_photo_once(
    cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    many = {f"collins/{number:02}.jpg": astronaut_jpeg + bytes([number]) for number in range(40)}
    folder = write(cli.folder / "photos", many)
    cli.run("db", "upgrade")

    runs = [cli.start("enrol", folder, "--refusals", f"{run}.csv", "--json") for run in range(2)]
    ended = [run.ended() for run in runs]

    assert [one.status for one in ended] == [0, 0], ended
    assert [one.document["refused"] for one in ended] == [0, 0]
    assert (count(cli, "template"), count(cli, "subject")) == (40, 1)


def test_names_of_any_bytes_and_folders_of_any_shape_stop_nothing(
    cli: CommandLine, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    folder = write(
        cli.folder / "photos",
        {
            "collins/face\n1.jpg": astronaut_jpeg,
            "hopper/2024/summer/deep.jpg": stranger_jpeg,
            "loose.jpg": stranger_jpeg,
            "hopper/\udcff\udcfe.jpg": b"no picture",
            "J\udce9r\udcf4me/a.jpg": astronaut_jpeg,
            'x, "quote"/b.jpg': b"no picture",
        },
    )
    (folder / "hopper" / "up").symlink_to(folder / "hopper", target_is_directory=True)
    (folder / "hopper" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    os.mkfifo(folder / "hopper" / "pipe.jpg")

    ended = cli.run("enrol", folder, "--json")

    codes = [row["code"] for row in rows_of(cli.folder / "var" / "refusals.csv") if row["path"]]
    assert ended.status == 1
    assert (ended.document["enrolled"], ended.document["people"]) == (2, 2)
    assert sorted(codes) == [
        "picture_unreadable",
        "picture_unreadable",
        "unsupported_media",
        "unsupported_media",
        "validation_failed",
        "validation_failed",
    ]
    assert ended.document["without_template"] == ["J\udce9r\udcf4me", 'x, "quote"']


def test_a_report_that_cannot_be_written_is_written_elsewhere_and_stops_nothing(
    cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    folder = write(cli.folder / "photos", {"collins/1.jpg": astronaut_jpeg, "collins/2.jpg": b"no picture"})
    (cli.folder / "file").write_text("in the way")

    ended = cli.run("enrol", folder, "--json", "--refusals", "file/why.csv")

    assert (ended.status, ended.document["enrolled"]) == (0, 1)
    assert ended.document["refusals"] == "var/refusals.csv"
    (row,) = rows_of(cli.folder / "var" / "refusals.csv")
    assert row["code"] == "unsupported_media"


def test_a_report_whose_disk_is_full_stops_nothing(cli: CommandLine, astronaut_jpeg: bytes) -> None:
    folder = write(cli.folder / "photos", {"collins/1.jpg": astronaut_jpeg, "collins/2.jpg": b"no picture"})

    ended = cli.run("enrol", folder, "--json", "--refusals", "/dev/full")

    assert (ended.status, ended.document["enrolled"], ended.document["refused"]) == (0, 1, 1)
    assert len(rows_of(cli.folder / "var" / "refusals.csv")) == 1


def test_a_dry_run_says_what_a_run_would_come_to_and_changes_nothing(cli: CommandLine, photos: Path) -> None:
    first = cli.run("enrol", photos, "--dry-run", "--json", INVIGIL_MAX_UPLOAD_BYTES=str(LIMIT_BYTES))
    was_made = (cli.folder / "var" / "invigil.db").exists()
    done = cli.run("enrol", photos, "--json", INVIGIL_MAX_UPLOAD_BYTES=str(LIMIT_BYTES))
    before = [count(cli, table) for table in ("subject", "template", "audit_event", "gallery_change")]
    again = cli.run("enrol", photos, "--dry-run", "--json", INVIGIL_MAX_UPLOAD_BYTES=str(LIMIT_BYTES))

    assert not was_made
    for name in ("enrolled", "refused", "reasons", "people", "without_template"):
        assert first.document[name] == done.document[name], name
    assert (again.document["enrolled"], again.document["known"], again.document["dry_run"]) == (0, 3, True)
    assert before == [count(cli, table) for table in ("subject", "template", "audit_event", "gallery_change")]


def test_who_was_enrolled_before_is_not_left_without_a_template(
    cli: CommandLine, astronaut_jpeg: bytes
) -> None:
    folder = write(cli.folder / "photos", {"collins/1.jpg": astronaut_jpeg})
    cli.run("enrol", folder)
    (folder / "collins" / "1.jpg").write_bytes(b"no picture")

    ended = cli.run("enrol", folder)

    assert ended.status == 0
    assert "Without a template" not in ended.stdout


def test_a_cameras_photo_is_enrolled_though_it_is_larger_than_what_may_be_sent(
    cli: CommandLine, astronaut: Picture
) -> None:
    # 49 megapixels, and more bytes than the default limit of an upload: of what is appended, nothing is read.
    large = jpeg(resized(astronaut, 7000, 7000)) + bytes(13_000_000)
    write(cli.folder / "photos", {"collins/camera.jpg": large, "other/scan.png": flat_png(6300, 6300, 4, 8)})

    ended = cli.run("enrol", cli.folder / "photos")

    assert ended.status == 1, ended.stderr
    assert count(cli, "template") == 1
    refused = rows_of(cli.folder / "var" / "refusals.csv")[0]
    assert (refused["external_id"], refused["code"]) == ("other", "image_too_large")
    assert "the limit for a PNG of 8 bits is" in refused["detail"]


def test_what_is_stored_is_its_owners_alone(enrolled_cli: CommandLine) -> None:
    folder = enrolled_cli.folder / "var"
    made = enrolled_cli.run("keys", "create", "--name", "lost", "--scope", "verify")
    assert enrolled_cli.run("keys", "revoke", made.stdout.split()[-1].partition(".")[0]).status == 0
    with closing(Database(f"sqlite:///{folder}/invigil.db")) as database, database.write() as db:
        audit.record(db, action="test", actor="test")
        names = {place.name for place in folder.iterdir()}
        open_to_others = [place.name for place in (folder, *folder.iterdir()) if place.stat().st_mode & 0o077]

    assert {"invigil.db", "invigil.db-wal", "template.keys", "audit.anchor", "models"} <= names
    assert open_to_others == []
