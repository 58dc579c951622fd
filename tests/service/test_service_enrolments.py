"""One photo after the other, each of somebody who is named by an external id."""

import pytest
from fixtures_service import Service

from service.access.scopes import Scope


def send(service: Service, picture: bytes, number: str, query: str = "", **fields: str) -> dict[str, object]:
    answer = service.call(
        "POST", f"/v1/enrolments{query}", files={"image": picture}, data={"external_id": number, **fields}
    )
    document: dict[str, object] = answer.json()
    return {"status": answer.status_code, **document}


def people(service: Service) -> list[tuple[str, str | None, int]]:
    items = service.call("GET", "/v1/subjects").json()["items"]
    return [(one["external_id"], one["display_name"], one["templates"]) for one in items]


def test_whoever_is_not_known_is_added_and_a_photo_is_enrolled_once(
    service_everywhere: Service, astronaut_jpeg: bytes
) -> None:
    service = service_everywhere

    first = send(service, astronaut_jpeg, "s-1")
    again = send(service, astronaut_jpeg, "S-1", display_name="Eileen Collins")
    renamed = send(service, astronaut_jpeg, "s-1", display_name="Somebody else")

    assert (first["fate"], again["fate"], renamed["fate"]) == ("enrolled", "known", "known")
    assert first["template_id"] == again["template_id"]
    assert people(service) == [("s-1", "Eileen Collins", 1)]


def test_somebody_whose_photo_is_refused_is_known_and_without_a_template(
    service: Service, astronaut_jpeg: bytes, black_jpeg: bytes
) -> None:
    send(service, astronaut_jpeg, "s-1")

    black = send(service, black_jpeg, "s-2")
    twin = send(service, astronaut_jpeg, "s-3")
    forced = send(service, astronaut_jpeg, "s-3", "?force=true&reason=sisters")

    assert (black["status"], black["code"]) == (422, "face_not_found")
    assert (twin["status"], twin["code"], twin["external_id"]) == (409, "duplicate_identity", "s-1")
    assert (forced["fate"], forced["warnings"]) == ("enrolled", ["duplicate_not_refused"])
    assert people(service) == [("s-1", None, 1), ("s-2", None, 0), ("s-3", None, 1)]
    assert send(service, astronaut_jpeg, "")["status"] == 422
    assert send(service, astronaut_jpeg, "a\u202eb")["status"] == 422


def test_a_dry_run_says_the_same_and_changes_nothing(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes, black_jpeg: bytes
) -> None:
    send(service, astronaut_jpeg, "s-1")

    tried = [
        send(service, picture, number, "?dry_run=true")
        for picture, number in (
            (astronaut_jpeg, "s-1"),
            (astronaut_jpeg, "s-2"),
            (stranger_jpeg, "s-1"),
            (stranger_jpeg, "s-3"),
            (black_jpeg, "s-4"),
        )
    ]

    found = [one.get("fate", one.get("code")) for one in tried]
    assert found == ["known", "duplicate_identity", "not_the_same_person", "enrolled", "face_not_found"]
    assert people(service) == [("s-1", None, 1)]


def test_a_list_of_photos_is_read_as_the_command_line_reads_it(service: Service) -> None:
    sheet = "sep=;\nexternal_id;display_name;path\ns-1;Müller, Eva;bilder\\a.jpg\n".encode("cp1252")
    headers = {"Content-Type": "text/csv"}

    read = service.call("POST", "/v1/enrolments/list", content=sheet, headers=headers)
    wrong = service.call("POST", "/v1/enrolments/list", content=b"number,path\n1,a", headers=headers)
    stranger = service.call("POST", "/v1/enrolments/list", content=sheet, key=service.key(Scope.VERIFY))

    (row,) = read.json()["items"]
    assert row == {"line": 3, "external_id": "s-1", "display_name": "Müller, Eva", "path": "bilder\\a.jpg"}
    assert wrong.status_code == 422
    assert "external_id is missing" in wrong.json()["detail"]
    assert stranger.status_code == 403


@pytest.mark.parametrize(
    ("external_id", "code"), [("\u0410-17", "external_id_exists"), ("\u0007", "validation_failed")]
)
def test_a_dry_run_tells_of_an_id_that_nobody_can_have(
    service: Service, astronaut_jpeg: bytes, external_id: str, code: str
) -> None:
    service.subject("A-17")

    answers = [
        service.call("POST", path, data={"external_id": external_id}, files={"image": astronaut_jpeg})
        for path in ("/v1/enrolments?dry_run=true", "/v1/enrolments")
    ]

    assert [one.json().get("code") for one in answers] == [code, code]
