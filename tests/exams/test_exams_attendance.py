"""Who was there: on paper and as a plain list, by room and seat, on the clocks of a zone."""

import csv
import io
from urllib.parse import unquote

import pytest
from fixtures_exams import ExamService
from pypdf import PdfReader

NAMES = ("Łukasz Żółć", "Ödön Šťastný", "Ελένη Νίκου", "Ирина Шмелёва", "Þóra Þórsdóttir")


def seat_all(exam_service: ExamService, *more: str) -> None:
    lines = [f"s-{number},{name},{12 - number}" for number, name in enumerate(NAMES)]
    rows = "\n".join(["external_id,display_name,seat", *lines, *more])
    answer = exam_service.put_csv(rows, "?create_subjects=true")
    assert answer.status_code == 200, answer.text


def identify(exam_service: ExamService, external_id: str) -> None:
    body = {"candidate": external_id, "document_type": "passport"}
    answer = exam_service.call("POST", "sessions/{session}/identifications", json=body)
    assert answer.status_code == 201, answer.text


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_a_room_is_printed_by_seat_with_the_letters_of_every_european_language(
    exam_service: ExamService,
) -> None:
    seat_all(exam_service)
    identify(exam_service, "s-2")

    answer = exam_service.call("GET", "sessions/{session}/attendance.pdf?zone=Europe/Berlin")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    printed = text_of(answer.content)
    places = [printed.index(name) for name in reversed(NAMES)]
    assert places == sorted(places)
    assert "1 of 5 present" in printed
    assert "by document" in printed
    assert "Europe/Berlin" in printed


def test_arabic_names_are_set_with_joined_letters(exam_service: ExamService) -> None:
    seat_all(exam_service, "s-9,محمد علي,99")

    pdf = exam_service.call("GET", "sessions/{session}/attendance.pdf").content

    # Each letter has another glyph in the middle of a word than by itself: none is missing (glyph 0).
    assert "\x00" not in text_of(pdf)
    assert any("\u0600" <= one <= "\ufeff" for one in text_of(pdf))


def test_every_room_of_an_exam_is_printed_on_pages_of_its_own_and_listed(exam_service: ExamService) -> None:
    seat_all(exam_service)
    window = exam_service.call("GET", "sessions/{session}").json()
    room = {"room": "Hall B", "opens_at": window["opens_at"], "closes_at": window["closes_at"]}
    made = exam_service.call("POST", "exams/{exam}/sessions", json=room).json()
    rows = {"candidates": [{"external_id": "z", "display_name": "Zoë", "seat": "1"}]}
    path = f"sessions/{made['id']}/roster?create_subjects=true"
    assert exam_service.call("PUT", path, json=rows).status_code == 200

    pages = PdfReader(io.BytesIO(exam_service.call("GET", "exams/{exam}/attendance.pdf").content)).pages
    listed = exam_service.call("GET", "exams/{exam}/attendance.csv?separator=semicolon").content

    assert [("Zoë" in page.extract_text()) for page in pages] == [True, False]
    found = list(csv.DictReader(io.StringIO(listed.decode("utf-8-sig")), delimiter=";"))
    assert [(one["room"], one["seat"]) for one in found] == [("Hall B", "1")] + [
        ("R1", str(seat)) for seat in range(8, 13)
    ]


def test_times_are_those_of_the_zone_and_one_that_is_not_there_is_refused(exam_service: ExamService) -> None:
    seat_all(exam_service)
    identify(exam_service, "s-1")
    hours = {}
    for zone in ("UTC", "Asia/Kathmandu"):
        answer = exam_service.call("GET", f"sessions/{{session}}/attendance.csv?zone={zone}")
        (there,) = [one for one in csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff"))) if one["time"]]
        hours[zone] = int(there["time"][11:13]) * 60 + int(there["time"][14:16])

    refused = exam_service.call("GET", "sessions/{session}/attendance.csv?zone=Mars/Olympus")

    assert (hours["Asia/Kathmandu"] - hours["UTC"]) % 1440 == 5 * 60 + 45
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/query/zone")


def test_a_report_has_the_separator_that_is_asked_for_and_a_name_that_people_can_read(
    exam_service: ExamService,
) -> None:
    seat_all(exam_service)
    name = "Algèbre \u202e/ “1”"
    assert exam_service.call("PATCH", "exams/{exam}", json={"name": name}).status_code == 200

    answer = exam_service.call("GET", "sessions/{session}/report.csv?separator=semicolon&zone=Europe/Paris")

    assert answer.text.lstrip("\ufeff").startswith("kind;time;external_id;")
    said = answer.headers["content-disposition"]
    assert unquote(said.split("filename*=UTF-8''")[1]).startswith("Algèbre “1” R1 20")
    assert 'filename="Algebre 1 R1 20' in said


@pytest.mark.parametrize("form", ["pdf", "csv"])
def test_no_cell_of_a_plain_list_is_a_formula_and_markup_is_text(
    form: str, exam_service: ExamService
) -> None:
    seat_all(exam_service, "s-9,=1+1**bold**<b>,99")

    content = exam_service.call("GET", f"sessions/{{session}}/attendance.{form}").content

    assert "=1+1**bold**<b>" in (text_of(content) if form == "pdf" else content.decode())
    assert form == "pdf" or "'=1+1" in content.decode()
