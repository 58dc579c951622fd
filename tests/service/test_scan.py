"""Codes on cards, read from a small grey picture."""

import io
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import zxingcpp
from fixtures_exams import ExamService
from fixtures_service import Service
from PIL import Image

from service.access.scopes import Scope

FORMATS = {
    "qr_code": zxingcpp.BarcodeFormat.QRCode,
    "code_39": zxingcpp.BarcodeFormat.Code39,
    "code_128": zxingcpp.BarcodeFormat.Code128,
}


def card(kind: str, text: str, *, size: tuple[int, int] = (480, 240), turned: int = 0) -> bytes:
    """A card with a code, a little blurred and noisy, as a camera sees it."""
    made = zxingcpp.create_barcode(text, FORMATS[kind])
    code = Image.fromarray(np.asarray(made.to_image(scale=4 if kind == "qr_code" else 2)))
    sheet = Image.new("L", (480, 240), 190)
    code.thumbnail((400, 180))
    sheet.paste(code, (40, 30))
    sheet = sheet.rotate(turned, fillcolor=190).resize(size)
    noise = np.random.default_rng(0).normal(0, 6, (size[1], size[0]))
    return as_png(Image.fromarray(np.clip(np.asarray(sheet) + noise, 0, 255).astype(np.uint8)))


def as_png(picture: Image.Image) -> bytes:
    made = io.BytesIO()
    picture.save(made, "PNG")
    return made.getvalue()


def scan(service: Service, picture: bytes, **options: Any) -> httpx.Response:
    return service.call("POST", "/v1/scan", files={"image": picture}, **options)


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize("turned", [0, 4, 180])
def test_the_codes_of_cards_are_read(service: Service, kind: str, turned: int) -> None:
    answer = scan(service, card(kind, "S2013007", turned=turned))

    assert answer.status_code == 200, answer.text
    assert answer.json() == {"codes": [{"format": kind, "text": "S2013007"}]}


def test_where_there_is_no_code_none_is_read(service: Service) -> None:
    assert scan(service, as_png(Image.new("L", (480, 240), 128))).json() == {"codes": []}


@pytest.mark.parametrize("size", [(481, 200), (240, 480), (4000, 4000)])
def test_a_larger_picture_is_not_looked_at(service: Service, size: tuple[int, int]) -> None:
    answer = scan(service, as_png(Image.new("L", size, 128)))

    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")


def test_a_face_in_the_picture_is_nobodys(service: Service, astronaut_jpeg: bytes) -> None:
    face = Image.open(io.BytesIO(astronaut_jpeg)).convert("L").resize((240, 240))

    assert scan(service, as_png(face)).json() == {"codes": []}


def test_nothing_of_a_scan_is_kept_also_under_an_idempotency_key(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    key = {"Idempotency-Key": "once"}

    first = scan(service, card("qr_code", "S2013007"), headers=key)
    other = scan(service, card("qr_code", "S2013008"), headers=key)

    assert first.json()["codes"][0]["text"] == "S2013007"
    assert other.json()["codes"][0]["text"] == "S2013008"
    files = [path.read_bytes() for path in service.parts.settings.data_dir.rglob("*") if path.is_file()]
    assert not [content for content in files if b"S201300" in content]
    assert "S201300" not in "".join(capfd.readouterr())


def test_a_kiosk_may_scan_and_who_checks_nobody_in_may_not(exam_service: ExamService) -> None:
    service = exam_service.service

    kiosk = scan(service, card("code_128", "7"), key=exam_service.kiosk_key())
    reader = scan(service, card("code_128", "7"), key=service.key(Scope.VERIFY))

    assert (kiosk.status_code, reader.status_code) == (200, 403)


def test_cards_are_given_read_and_leave_with_the_person(
    exam_service: ExamService, astronaut_jpeg: bytes
) -> None:
    service = exam_service.service
    service.enrolled(astronaut_jpeg, "A1")
    path = "/v1/subjects/ext:A1/cards"

    given = service.call("PUT", path, json={"cards": ["L-77"]})
    read = service.call("GET", path)
    service.call("DELETE", "/v1/subjects/ext:A1")

    assert given.json() == read.json() == {"cards": ["L-77"]}
    assert service.call("GET", path).status_code == 404
    assert service.call("PUT", "/v1/subjects/ext:A1/cards", json={"cards": []}).status_code == 404
