"""The room sheet: every candidate by seat with a code that a reader takes, in any script and language."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import zxingcpp
from fixtures_exams import ExamService
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

from service.access.scopes import Scope

DOTS_PER_POINT = 6
NAMES = ("Łukasz Żółć", "王小明", "김민수", "山田太郎", "नरेन्द्र", "สมชาย", "Ελένη", "דוד", "தமிழ்", "አበበ")


def seat(exam_service: ExamService, rows: list[str]) -> None:
    answer = exam_service.put_csv(
        "\n".join(["external_id,display_name,seat", *rows]), "?create_subjects=true"
    )
    assert answer.status_code == 200, answer.text


def pages_of(exam_service: ExamService, query: str = "", **options: object) -> list[PageObject]:
    answer = exam_service.call("GET", f"sessions/{{session}}/sheet.pdf{query}", **options)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf"), answer.text
    return list(PdfReader(io.BytesIO(answer.content)).pages)


def filled(page: PageObject) -> Iterator[tuple[float, float, float, float]]:
    """The rectangles that are filled on a page, in points."""
    place = None
    for operands, operator in ContentStream(page.get_contents(), page.pdf).operations:
        if operator == b"re":
            place = tuple(float(one) for one in operands)
        elif operator == b"f" and place is not None:
            yield place  # type: ignore[misc]


def codes_on(page: PageObject) -> list[str]:
    """What the codes of a page say, from top to bottom, read as a camera's picture is."""
    height, width = (
        round(float(side) * DOTS_PER_POINT) for side in (page.mediabox.height, page.mediabox.width)
    )
    picture = np.full((height, width), 255, np.uint8)
    for x, y, w, h in filled(page):
        # Only the codes: the head of the columns is as wide as the sheet.
        if w < 100:
            bottom, top = sorted((y, y + h))
            rows = slice(round(height - top * DOTS_PER_POINT), round(height - bottom * DOTS_PER_POINT))
            picture[rows, round(x * DOTS_PER_POINT) : round((x + w) * DOTS_PER_POINT)] = 0
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode]))
    return [one.text for one in sorted(found, key=lambda one: one.position.top_left.y)]


def test_three_hundred_seats_are_printed_in_their_order_on_as_many_sheets_as_it_takes(
    exam_service: ExamService,
) -> None:
    seat(exam_service, [f"S{number},Name {number},{number}" for number in range(300, 0, -1)])

    pages = pages_of(exam_service, "?zone=Europe/Berlin")

    printed = [code for page in pages for code in codes_on(page)]
    assert printed == [f"S{number}" for number in range(1, 301)]
    for page in pages:
        text = page.extract_text()
        assert "Mathematics · R1" in text
        assert "Europe/Berlin" in text
    assert f"1/{len(pages)}" in pages[0].extract_text()


def test_names_of_any_script_are_printed_with_their_letters(exam_service: ExamService) -> None:
    seat(exam_service, [f"n-{number},{name},{number}" for number, name in enumerate(NAMES)])

    (page,) = pages_of(exam_service)

    # A letter that no font has is glyph 0, which is read as no letter of the name.
    text = page.extract_text()
    assert "\x00" not in text
    for name in ("Łukasz Żółć", "王小明", "김민수", "山田太郎", "Ελένη", "አበበ"):
        assert name in text
    for letters in ("न", "ส", "த"):
        assert letters in text


def test_a_number_in_any_letters_is_in_its_code(exam_service: ExamService) -> None:
    long = "X" * 120
    seat(exam_service, ["Żółć-7,Anna,1", f"{long},Ben,2"])

    (page,) = pages_of(exam_service)

    assert codes_on(page) == ["Żółć-7", long]


def test_a_sheet_speaks_the_language_of_whoever_asks_for_it(exam_service: ExamService) -> None:
    seat(exam_service, ["a,Anna,1"])

    (german,) = pages_of(exam_service, headers={"accept-language": "de"})
    (arabic,) = pages_of(exam_service, headers={"accept-language": "ar"})

    assert "Unterschrift" in german.extract_text()
    # From the right: the code stands on the other half of the sheet.
    assert [min(x for x, _, w, _ in filled(page) if w < 100) > 300 for page in (german, arabic)] == [
        False,
        True,
    ]


def test_more_time_and_an_agreed_document_are_on_the_sheet(exam_service: ExamService) -> None:
    rows = "external_id,display_name,seat,manual_identification\na,Anna,1,yes\nb,Ben,2,no"
    assert exam_service.put_csv(rows, "?create_subjects=true").status_code == 200
    more = {"extra_minutes": 45, "reason": "agreed with the office"}
    path = "sessions/{session}/candidates/b"
    assert exam_service.call("PATCH", path, json=more).status_code == 200

    (page,) = pages_of(exam_service)

    text = page.extract_text()
    assert text.index("Anna") < text.index("by document") < text.index("Ben") < text.index("+45 min")


@pytest.mark.parametrize("asked", ["", "?photographs=true"])
def test_pictures_are_on_a_sheet_only_where_they_are_asked_for_and_each_look_is_recorded(
    asked: str, start_exam: Callable[..., ExamService], astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    hall = start_exam(store_crops=True)
    hall.service.enrolled(astronaut_jpeg, "A1")
    # Agreed upon a document: nobody looks at this face.
    hall.service.enrolled(stranger_jpeg, "B1")
    rows = "external_id,display_name,seat,manual_identification\nA1,Ann,1,no\nB1,Ben,2,yes\nC1,Cy,3,no"
    assert hall.put_csv(rows, "?create_subjects=true").status_code == 200

    (page,) = pages_of(hall, asked)

    looks = hall.call("GET", "audit-events?action=crop.viewed").json()["items"]
    assert len(page.images) == len(looks) == (1 if asked else 0)


def test_a_kiosk_prints_no_sheet_and_an_exam_office_none_with_pictures(exam_service: ExamService) -> None:
    seat(exam_service, ["a,Anna,1"])
    office = exam_service.service.key(Scope.EXAMS_WRITE)
    path = "sessions/{session}/sheet.pdf"

    by_kiosk = exam_service.call("GET", path, key=exam_service.kiosk_key())
    plain = exam_service.call("GET", path, key=office)
    pictured = exam_service.call("GET", f"{path}?photographs=true", key=office)

    assert [one.status_code for one in (by_kiosk, plain, pictured)] == [403, 200, 403]
