"""Lists of any office: Excel workbooks, other headings, all findings at once."""

import io
import time
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fixtures_exams import ExamService
from openpyxl import Workbook

from service.exams.errors import RosterUnreadable
from service.exams.roster.file import read_list, rows_of_csv
from service.exams.roster.headings import Layout
from service.matching.photo_lists import list_photos

GERMAN = Layout("HISinOne", {"external_id": ["Matrikelnummer"], "display_name": ["Vorname", "Name"]})


def workbook(*rows: list[Any], formats: dict[str, str] | None = None) -> bytes:
    """An .xlsx of these rows."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for place, number_format in (formats or {}).items():
        sheet[place].number_format = number_format
    return saved(book)


def saved(book: Workbook) -> bytes:
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def refusal_of(data: bytes, *layouts: Layout) -> RosterUnreadable:
    reading_or_error = None
    try:
        reading_or_error = read_list(data, layouts).refusal
    except RosterUnreadable as error:
        return error
    assert reading_or_error is not None
    return reading_or_error


def test_a_workbook_is_read_as_a_person_reads_it_with_the_rows_of_the_file() -> None:
    data = workbook(
        ["Exam of Monday"],
        [],
        ["External ID", "display_name", "seat", "twin"],
        [4711, "Zoë Łuk", 12, True],
        [],
        [7, "علي", "B-2", None],
        formats={"A6": "00000"},
    )

    rows = rows_of_csv(data)

    assert [(one.external_id, one.display_name, one.seat, one.twin, one.line) for one in rows] == [
        ("4711", "Zoë Łuk", "12", True, 4),
        ("00007", "علي", "B-2", False, 6),
    ]


@pytest.mark.parametrize(
    ("yes", "no"), [("ja", "Nein"), ("OUI", "faux"), ("sí", "no"), ("PRAWDA", "FAŁSZ"), ("نعم", "لا")]
)
def test_yes_and_no_are_read_in_the_languages_of_the_pages(yes: str, no: str) -> None:
    rows = rows_of_csv(f"external_id,twin\n1,{yes}\n2,{no}\n".encode())

    assert [one.twin for one in rows] == [True, False]


def test_cells_that_excel_has_changed_are_named_each_by_its_place() -> None:
    data = workbook(
        ["external_id", "seat", "twin"],
        [datetime(2026, 1, 2), "1", "maybe"],
        [1234567890123456789, datetime(2026, 2, 1), ""],
        ["=1/0", "3", ""],
        ["s-1", "4", "yes"],
    )

    found = refusal_of(data).members["findings"]

    assert [(one["line"], one["column"], one["why"]) for one in found][:4] == [
        (2, "external_id", "excel_date"),
        (2, "twin", "yes_or_no"),
        (3, "external_id", "excel_digits"),
        (3, "seat", "excel_date"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"Matrikelnummer;Vorname;Name\n1;Ann;Lee\n", id="csv"),
        pytest.param("sep=;\r\nMATRIKELNUMMER;Name;Vorname\r\n1;Lee;Ann\r\n".encode("cp1252"), id="cp1252"),
        pytest.param("Liste 3\nMatrikelnummer\tVorname\tName\n1\tAnn\tLee\n".encode("utf-16"), id="utf-16"),
        pytest.param(workbook(["Matrikelnummer", "Vorname", "Name"], [1, "Ann", "Lee"]), id="xlsx"),
    ],
)
def test_a_list_with_other_headings_is_read_as_somebody_has_said_once(data: bytes) -> None:
    (row,) = read_list(data, [GERMAN]).rows

    assert (row.external_id, row.display_name) == ("1", "Ann Lee")


def test_a_list_that_nobody_has_explained_says_its_headings_and_a_proposal() -> None:
    members = refusal_of(b"Klausur;;\nMatrikelnummer;Vorname;Name;Platz\n17;Ann;Lee;3\n").members

    assert members["headings"] == ["Matrikelnummer", "Vorname", "Name", "Platz"]
    assert members["example"] == ["17", "Ann", "Lee", "3"]
    assert members["proposed"] == {
        "external_id": ["Matrikelnummer"],
        "display_name": ["Vorname", "Name"],
        "seat": ["Platz"],
    }


def zip_of(**parts: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name.replace("__", "/"), content)
    return target.getvalue()


def altered(data: bytes, part: str, change: Any) -> bytes:
    """A workbook with one part changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as given:
        contents = {name: given.read(name) for name in given.namelist()}
    contents[part] = change(contents[part])
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in contents.items():
            made.writestr(name, content)
    return target.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "'
    + b"a" * 1000
    + b'">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 50) for n in range(8))
)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(zip_of(xl__a=b"\0" * 200_000_000), "unpacks to more than", id="bomb"),
        pytest.param(zip_of(**{f"p{n}": b"" for n in range(3_000)}), "unpacks to more than", id="parts"),
        pytest.param(
            zip_of(mimetype=b"application/vnd.oasis.opendocument.spreadsheet"), "no Excel", id="ods"
        ),
        pytest.param(workbook(["external_id"], [1])[:-900], "no Excel workbook", id="cut"),
        pytest.param(b"PK\x03\x04" + b"x" * 100, "no Excel workbook", id="garbage"),
        pytest.param(
            altered(
                workbook(["external_id"], [1]),
                SHEET,
                lambda xml: xml.replace(b'r="2"', b'r="99999999999"', 1),
            ),
            "more than 1,048,576 lines",
            id="line of a sheet without end",
        ),
        pytest.param(
            altered(
                workbook(["external_id"], [1]),
                SHEET,
                lambda xml: ENTITIES + b"]>" + xml.replace(b"<v>1<", b"<v>&i;<"),
            ),
            "no Excel workbook",
            id="entities",
        ),
        pytest.param(b"\xd0\xcf\x11\xe0" + b"x" * 600, "old form (.xls)", id="xls"),
    ],
)
def test_a_workbook_that_is_none_or_a_bomb_is_refused(data: bytes, says: str) -> None:
    assert says in str(refusal_of(data))


def test_a_hidden_first_sheet_and_an_empty_one_are_passed_over() -> None:
    book = Workbook()
    assert book.active is not None
    book.active.sheet_state = "hidden"
    book.active.append(["external_id"])
    book.active.append(["of old"])
    book.create_sheet("empty")
    sheet = book.create_sheet("Hall A")
    sheet.append(["external_id"])
    sheet.append(["new"])

    reading = read_list(saved(book))

    assert ([one.external_id for one in reading.rows], reading.sheet) == (["new"], "Hall A")


def test_a_list_of_photos_may_be_a_workbook(tmp_path: Path) -> None:
    (tmp_path / "list.xlsx").write_bytes(workbook(["external_id", "path"], [12, "a.jpg"]))

    (photo,) = list_photos(tmp_path / "list.xlsx")

    assert (photo.external_id, photo.path) == ("12", tmp_path / "a.jpg")


def test_one_cell_that_cannot_be_read_does_not_hide_what_else_is_wrong(exam_service: ExamService) -> None:
    exam_service.put_csv("external_id,seat\nA,1\nB,2\nC,3\n", "?create_subjects=true")

    answer = exam_service.put_csv("external_id,seat,twin\nA,1,perhaps\nx,9,\ny,9,\n,8,\n", "?dry_run=true")

    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "roster_unreadable")
    assert [(one["line"], one["column"]) for one in body["findings"]] == [(2, "twin"), (5, "external_id")]
    assert body["report"]["unknown"]["total"] == 2
    (seat,) = body["report"]["duplicate_seats"]["items"]
    assert (seat["line"], seat["first_line"]) == (4, 3)
    # Whoever stands in a row without a number may be one of those who seem to be missing.
    assert body["report"]["removed"] == 0
    assert exam_service.call("GET", "sessions/{session}").json()["candidates"] == 3


def test_a_kind_of_list_is_explained_once_and_read_by_itself_from_then_on(exam_service: ExamService) -> None:
    data = "Matrikelnummer;Name;Platz\n17;Ann Lee;3\n"
    refused = exam_service.put_csv(data, "?create_subjects=true").json()
    assert (refused["code"], refused["why"]) == ("roster_unreadable", "columns_unknown")

    kept = exam_service.call("PUT", "list-layouts/HISinOne Halle", json={"columns": refused["proposed"]})
    report = exam_service.put_csv(data, "?create_subjects=true").json()

    assert kept.status_code == 200, kept.text
    assert (report["applied"], report["read_as"]["layout"]) == (True, "HISinOne Halle")
    (candidate,) = exam_service.call("GET", "sessions/{session}/roster").json()["items"]
    assert (candidate["external_id"], candidate["display_name"], candidate["seat"]) == ("17", "Ann Lee", "3")
    assert exam_service.call("DELETE", "list-layouts/HISinOne Halle").status_code == 204
    assert exam_service.put_csv(data, "?dry_run=true").status_code == 422
    assert exam_service.call("DELETE", "list-layouts/HISinOne Halle").status_code == 404


def test_a_layout_without_numbers_or_with_a_heading_twice_is_refused(exam_service: ExamService) -> None:
    for columns in ({"seat": ["Platz"]}, {"external_id": ["Nr"], "seat": ["nr"]}, {"face": ["x"]}):
        answer = exam_service.call("PUT", "list-layouts/L", json={"columns": columns})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_nobody_goes_but_those_whom_somebody_has_seen_would_go(exam_service: ExamService) -> None:
    exam_service.put_csv("external_id,display_name\nA,Ann\nB,Ben\n", "?create_subjects=true")

    seen = exam_service.put_csv("external_id\nA\n", "?dry_run=true").json()
    exam_service.put_csv("external_id\nC\n", "?create_subjects=true&mode=merge")
    late = exam_service.put_csv("external_id\nA\n", f"?expect_removed={seen['removed']}")

    assert [one["display_name"] for one in seen["removing"]["items"]] == ["Ben"]
    assert (late.status_code, late.json()["code"]) == (409, "roster_changed")
    assert exam_service.call("GET", "sessions/{session}").json()["candidates"] == 3


@pytest.mark.slow("a workbook of 50,000 rows")
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_fifty_thousand_wrong_rows_are_answered_in_bounded_time_and_size(
    form: str, exam_service: ExamService
) -> None:
    rows = [
        ["external_id", "seat", "twin"],
        *(["x\x07"[: 1 + n % 2] + str(n), "1", "perhaps"] for n in range(50_000)),
    ]
    if form == "xlsx":
        rows = [[cell.replace("\x07", "\u200b") for cell in row] for row in rows]
    data = workbook(*rows) if form == "xlsx" else "\n".join(map(",".join, rows)).encode()
    started = time.process_time()

    answer = exam_service.put_csv(data, "?dry_run=true")

    assert (answer.status_code, len(answer.json()["findings"])) == (422, 200)
    assert len(answer.content) < 200_000
    assert time.process_time() - started < 60
