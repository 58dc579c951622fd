"""Pictures, forms, fields and ids that cannot be served: each refused by its own code, nothing written."""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx2 as httpx
import numpy as np
import pytest
from fixtures_exams import ExamService
from fixtures_pictures import encoded
from fixtures_service import Service

from embedding.template import Template
from index.gallery.gallery import Gallery
from service.access.scopes import Scope

VERIFY = "/v1/subjects/ext:s-1/verify"


@pytest.fixture
def known(service: Service, astronaut_jpeg: bytes) -> Service:
    """A service that knows one person, s-1."""
    service.enrolled(astronaut_jpeg, "s-1")
    return service


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an answer that must be a problem document."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document = answer.json()
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return answer.status_code, document["code"]


def verify(service: Service, picture: bytes, **options: Any) -> httpx.Response:
    return service.call("POST", VERIFY, files={"image": picture}, **options)


def test_a_picture_without_a_face_is_face_not_found(
    known: Service, faceless_pictures: Mapping[str, bytes]
) -> None:
    assert refusal(verify(known, faceless_pictures["coffee"])) == (422, "face_not_found")


def test_two_faces_are_counted(known: Service, two_faces_jpeg: bytes) -> None:
    answer = verify(known, two_faces_jpeg)

    assert refusal(answer) == (422, "multiple_faces")
    assert answer.json()["count"] == 2


def test_a_face_of_15_pixels_cannot_be_enrolled(service: Service, small_face_jpeg: bytes) -> None:
    subject = service.subject()

    answer = service.call("POST", f"/v1/subjects/{subject}/templates", files={"image": small_face_jpeg})

    status, code = refusal(answer)
    assert status == 422
    assert code in ("face_too_small", "face_not_found")


def test_a_refusal_for_quality_names_every_reason_with_measures_and_limits(
    service: Service, astronaut_variants: Mapping[str, bytes], astronaut: np.typing.NDArray[np.uint8]
) -> None:
    subject = service.subject()
    dark = encoded((astronaut * 0.1).astype(np.uint8), "PNG")

    answer = service.call("POST", f"/v1/subjects/{subject}/templates", files={"image": dark})

    status, code = refusal(answer)
    document = answer.json()
    assert (status, code) == (422, document["reasons"][0])
    assert code == "under_exposed"
    assert document["measures"]["luminance_mean"] < document["limits"]["luminance_mean_min"]
    assert service.call("GET", f"/v1/subjects/{subject}/templates").json()["items"] == []


def test_a_black_frame_is_face_not_found(known: Service, black_jpeg: bytes) -> None:
    assert refusal(verify(known, black_jpeg)) == (422, "face_not_found")


def test_a_huge_picture_is_refused_before_it_is_decoded(known: Service) -> None:
    answer = verify(known, one_colour_png(30_000, 30_000))

    assert refusal(answer) == (413, "image_too_large")
    assert answer.json()["unit"] == "pixels"
    assert answer.json()["actual"] == 900_000_000


def test_a_truncated_jpeg_is_decode_failed(known: Service, astronaut_jpeg: bytes) -> None:
    assert refusal(verify(known, astronaut_jpeg[: len(astronaut_jpeg) // 2])) == (422, "decode_failed")


def test_a_gif_named_jpg_is_unsupported_media(known: Service, astronaut: np.typing.NDArray[np.uint8]) -> None:
    part = ("photo.jpg", encoded(astronaut, "GIF"), "image/jpeg")

    assert refusal(known.call("POST", VERIFY, files={"image": part})) == (415, "unsupported_media")


@pytest.mark.parametrize(
    ("files", "reason", "pointer"),
    [
        ({"image": b""}, "empty", "/body/image"),
        ({"photo": b"x"}, "unknown_part", "/body"),
        ([("image", b"x"), ("image", b"y")], "repeated", "/body/image"),
    ],
    ids=["an empty part", "a missing part", "two image parts"],
)
def test_a_form_with_the_wrong_parts_is_refused_by_name(
    known: Service, files: Any, reason: str, pointer: str
) -> None:
    answer = known.call("POST", VERIFY, files=files)

    assert refusal(answer) == (422, "validation_failed")
    assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [(pointer, reason)]


def test_a_form_without_its_picture_names_what_is_missing(known: Service) -> None:
    answer = known.call("POST", "/v1/search", files={"k": (None, "3")})

    assert refusal(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "/body/image"
    assert answer.json()["errors"][0]["code"] == "missing"


@pytest.mark.parametrize(
    ("content", "media_type", "expected"),
    [
        (b'{"image": "aGVsbG8="}', "application/json", (415, "unsupported_media")),
        (b"\xff\xd8\xff", "image/jpeg", (415, "unsupported_media")),
        (b"", "", (415, "unsupported_media")),
        (b"--x\r\n", "multipart/form-data", (422, "validation_failed")),
        (b"not a form", "multipart/form-data; boundary=x", (422, "validation_failed")),
        (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nab',
            "multipart/form-data; boundary=x",
            (422, "validation_failed"),
        ),
    ],
    ids=["JSON", "a bare picture", "nothing", "no boundary", "no form", "a form that stops"],
)
def test_a_body_that_is_not_a_form_is_refused(
    known: Service, content: bytes, media_type: str, expected: tuple[int, str]
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}

    assert refusal(known.call("POST", VERIFY, content=content, headers=headers)) == expected


def test_a_part_of_another_media_type_is_refused_whatever_its_bytes(
    known: Service, astronaut_jpeg: bytes
) -> None:
    part = ("photo.jpg", astronaut_jpeg, "text/plain")

    answer = known.call("POST", VERIFY, files={"image": part})

    assert refusal(answer) == (415, "unsupported_media")
    assert answer.json()["errors"][0]["pointer"] == "/body/image"


@pytest.mark.parametrize(
    "name", ["01920000-0000-7000-8000-000000000000", "ext:nobody", "nobody", "ext:", "%00"]
)
def test_an_unknown_subject_is_not_found(known: Service, astronaut_jpeg: bytes, name: str) -> None:
    answer = known.call("POST", f"/v1/subjects/{name}/verify", files={"image": astronaut_jpeg})

    assert refusal(answer) == (404, "subject_not_found")


def test_a_subject_without_templates_is_not_a_no_match(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.subject()

    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg})

    assert refusal(answer) == (409, "no_template")


def test_another_models_templates_are_never_compared(service: Service, astronaut_jpeg: bytes) -> None:
    subject = service.subject()
    dim = service.parts.embedder.dim
    service.parts.models.register("sha256:foreign", name="foreign", dim=dim, actor="test")
    foreign = Gallery(service.parts.database, model_id="sha256:foreign", dim=dim)
    vector = np.eye(dim, dtype=np.float32)[0]
    foreign.enrol(
        UUID(subject), Template(vector, "sha256:foreign"), quality={}, duplicate_threshold=0.1, actor="test"
    )

    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": astronaut_jpeg})

    assert refusal(answer) == (409, "model_mismatch")
    assert answer.json()["actual"] == "sha256:foreign"


def test_a_duplicate_person_is_named_to_callers_who_may_read_subjects(
    service: Service, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    first, second = service.enrolled(astronaut_jpeg, "s-1"), service.subject("s-2")
    where, picture = f"/v1/subjects/{second}/templates", {"image": astronaut_variants["mirrored"]}

    told = service.call("POST", where, files=picture)
    untold = service.call("POST", where, files=picture, key=service.key(Scope.ENROL))

    assert refusal(told) == refusal(untold) == (409, "duplicate_identity")
    assert (told.json()["subject_id"], told.json()["external_id"]) == (first, "s-1")
    assert 0 < told.json()["d"] < 1
    assert first not in untold.text
    assert "s-1" not in untold.text


def test_twins_are_enrolled_with_force_and_a_reason_that_is_audited(
    service: Service, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    service.enrolled(astronaut_jpeg, "s-1")
    twin = service.subject("s-2")
    where, picture = f"/v1/subjects/{twin}/templates", {"image": astronaut_variants["mirrored"]}

    without_reason = service.call("POST", f"{where}?force=true", files=picture)
    forced = service.call("POST", f"{where}?force=true&reason=twin+sister", files=picture)

    events = service.call("GET", f"/v1/audit-events?subject_id={twin}&action=template.enrolled").json()[
        "items"
    ]
    assert refusal(without_reason) == (422, "validation_failed")
    assert without_reason.json()["errors"][0]["pointer"] == "/query/reason"
    assert forced.status_code == 201
    assert forced.json()["warnings"] == ["duplicate_not_refused"]
    assert "twin sister" in str(events[0]["details"])


def test_another_persons_photograph_is_not_added_to_a_subject_without_a_reason(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    subject = service.enrolled(astronaut_jpeg, "s-1")
    where = f"/v1/subjects/{subject}/templates"
    (own,) = service.call("GET", where).json()["items"]

    refused = service.call("POST", where, files={"image": stranger_jpeg})
    forced = service.call("POST", f"{where}?force=true&reason=new+passport", files={"image": stranger_jpeg})

    assert refusal(refused) == (409, "not_the_same_person")
    assert refused.json()["template_ids"] == [own["id"]]
    assert "d" not in refused.json()
    assert (forced.status_code, forced.json()["warnings"]) == (201, ["disagreement_not_refused"])


def test_somebody_nearer_than_a_match_is_named_to_callers_who_may_read_subjects(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    # At so high a rate of false matches these two strangers match; they are no duplicates.
    service = start_service(match_fmr=0.3, refer_fmr=0.4)
    first, second = service.enrolled(astronaut_jpeg, "s-1"), service.subject("s-2")
    where, picture = f"/v1/subjects/{second}/templates", {"image": stranger_jpeg}

    told = service.call("POST", where, files=picture)
    untold = service.call("POST", where, files=picture, key=service.key(Scope.ENROL))

    near = {"code": "near_other_subject", "subject_id": first, "external_id": "s-1"}
    assert (told.status_code, told.json()["warnings"]) == (201, [near])
    assert (untold.status_code, untold.json()["warnings"]) == (201, ["near_other_subject"])


def test_an_external_id_belongs_to_one_subject(service: Service) -> None:
    first = service.subject("s-1")

    told = service.call("POST", "/v1/subjects", json={"external_id": "s-1"})
    untold = service.call("POST", "/v1/subjects", json={"external_id": "s-1"}, key=service.key(Scope.ENROL))

    assert refusal(told) == refusal(untold) == (409, "external_id_exists")
    assert told.json()["subject_id"] == first
    assert first not in untold.text


@pytest.mark.parametrize("other", ["S-1", "ｓ-1", "\u0455-1", "s-l"])
def test_an_external_id_in_another_spelling_is_refused_naming_the_first(service: Service, other: str) -> None:
    first = service.subject("s-1")

    told = service.call("POST", "/v1/subjects", json={"external_id": other})

    assert refusal(told) == (409, "external_id_exists")
    assert (told.json()["subject_id"], told.json()["external_id"]) == (first, "s-1")


@pytest.mark.parametrize(
    "external_id",
    ["x" * 10_000, "😀" * 256, "", "a\nb", "a\x00b"],
    ids=["10 kB", "emoji", "empty", "line", "NUL"],
)
def test_an_external_id_that_cannot_be_kept_is_refused(service: Service, external_id: str) -> None:
    answer = service.call("POST", "/v1/subjects", json={"external_id": external_id})

    assert refusal(answer) == (422, "validation_failed")
    assert answer.json()["errors"][0]["pointer"] == "/body/external_id"


def test_a_path_with_an_external_id_of_10_kilobytes_finds_nobody(service_everywhere: Service) -> None:
    answer = service_everywhere.call("GET", f"/v1/subjects/ext:{quote('é/ ' * 3000, safe='')}")

    assert refusal(answer) == (404, "subject_not_found")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"external_id": 7}', "/body/external_id"),
        (b'{"externalid": "7"}', "/body/externalid"),
        (b'{"metadata": [1]}', "/body/metadata"),
        (b'{"metadata": {"a": "' + b"x" * 20_000 + b'"}}', "/body/metadata"),
        (b'{"legal_basis": {"basis": "consent", "expires_at": "tomorrow"}}', "/body/legal_basis/expires_at"),
        (b'{"external_id": "\\ud800"}', "/body/external_id"),
        (b'{"external_id": ', "/body/16"),
        (b'{"external_id": "\xff"}', "/body"),
        (b"[]", "/body"),
        (b"", "/body"),
    ],
)
def test_a_wrong_field_is_pointed_at(service: Service, body: bytes, pointer: str) -> None:
    answer = service.call("POST", "/v1/subjects", content=body, headers={"Content-Type": "application/json"})

    assert refusal(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("exams", {"name": "a\x00b"}, "/body/name"),
        ("exams", {"ends_at": "9999-12-31T00:00:00Z"}, "/body/ends_at"),
        ("exams", {"starts_at": "0001-01-01T00:00:00+14:00"}, "/body/starts_at"),
        ("exams", {"reason_codes": [{"code": "a", "label": "\x1b[2J"}]}, "/body/reason_codes/0/label"),
        ("keys", {"expires_at": "9999-12-31T23:00:00-14:00"}, "/body/expires_at"),
    ],
)
def test_a_text_or_moment_that_nobody_can_reckon_with_is_pointed_at(
    service: Service, path: str, body: dict[str, Any], pointer: str
) -> None:
    exam = {"name": "x", "starts_at": "2026-12-01T08:00:00Z", "ends_at": "2026-12-01T09:00:00Z"}
    good: dict[str, dict[str, Any]] = {"exams": exam, "keys": {"name": "x", "scopes": ["verify"]}}

    answer = service.call("POST", f"/v1/{path}", json={**good[path], **body})

    assert refusal(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_check_in_names_the_field_that_cannot_be_kept(
    exam_service: ExamService, astronaut_jpeg: bytes
) -> None:
    fields = {"kiosk": "a\x00b", "client_time": "0001-01-01T00:00:00+14:00"}

    for name, value in fields.items():
        answer = exam_service.check_in(astronaut_jpeg, None, None, **{name: value})

        assert refusal(answer) == (422, "validation_failed")
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/body/{name}"]


@pytest.mark.parametrize("path", ["subjects/ext:%00", "subjects?q=%00", "subjects?external_id=a%00"])
def test_a_text_that_postgresql_cannot_look_for_is_no_fault_of_ours(
    start_service: Callable[..., Service], postgresql_url: str, path: str
) -> None:
    service = start_service(database_url=postgresql_url)

    assert refusal(service.call("GET", f"/v1/{path}")) == (422, "validation_failed")


@pytest.mark.parametrize("cursor", ["", "x", "!!", "%F0%9F%A7%91", "AAAA", "A" * 500])
@pytest.mark.parametrize("path", ["subjects", "exams", "jobs", "keys", "audit-events"])
def test_a_cursor_that_no_list_has_given_out_is_refused(service: Service, path: str, cursor: str) -> None:
    answer = service.call("GET", f"/v1/{path}?cursor={cursor}")

    assert refusal(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/query/cursor"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=x", "/query/limit"),
        ("q=", "/query/q"),
    ],
)
def test_a_wrong_parameter_is_pointed_at(service: Service, query: str, pointer: str) -> None:
    answer = service.call("GET", f"/v1/subjects?{query}")

    assert refusal(answer) == (422, "validation_failed")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("k", "0", (422, "validation_failed")),
        ("k", "²", (422, "validation_failed")),
        ("scope", "everybody", (422, "validation_failed")),
        ("scope", "session:01920000-0000-7000-8000-000000000000", (404, "session_not_found")),
    ],
)
def test_a_search_with_a_wrong_field_is_refused(
    known: Service, astronaut_jpeg: bytes, field: str, value: str, expected: tuple[int, str]
) -> None:
    answer = known.call("POST", "/v1/search", files={"image": astronaut_jpeg}, data={field: value})

    assert refusal(answer) == expected


def one_colour_png(width: int, height: int) -> bytes:
    """A valid grey PNG of any size in a few bytes: its rows are one long run."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    # Whether the rows are there does not matter: the header alone must be enough for the refusal.
    rows = zlib.compress(bytes(width + 1), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata", '{"a":' * 500 + "1" + "}" * 500),
        ("metadata", '{"a":' + "[" * 40 + "]" * 40 + "}"),
        ("metadata", '{"a": NaN}'),
        ("metadata", '{"a": [1e999]}'),
        ("metadata", '{"a": "\\ud800"}'),
        ("metadata", '{"\\udfff": 1}'),
    ],
)
def test_json_that_nobody_can_keep_is_pointed_at(service: Service, field: str, value: str) -> None:
    json_type = {"content-type": "application/json"}

    answer = service.call(
        "POST", "/v1/subjects", content=f'{{"{field}": {value}}}'.encode(), headers=json_type
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/body/metadata")


def test_a_recipe_that_is_nested_without_end_is_pointed_at(service: Service) -> None:
    recipe = '{"a":' * 300 + "1" + "}" * 300
    body = f'{{"kind": "retrain", "params": {{"enrolled": true, "recipe": {recipe}}}}}'

    answer = service.call(
        "POST", "/v1/jobs", content=body.encode(), headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/params")
