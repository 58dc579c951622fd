"""Several faces in a picture: what is done is set for each purpose."""

from collections.abc import Callable

from fixtures_service import Service


def code_of(service: Service, path: str, picture: bytes) -> str | int:
    """The code of a refusal, or the status."""
    answer = service.call("POST", path, files={"image": picture})
    return str(answer.json()["code"]) if answer.is_client_error else answer.status_code


def test_a_bystander_keeps_nobody_from_being_verified_but_from_being_enrolled(
    service: Service, astronaut_jpeg: bytes, with_bystander: Callable[..., bytes]
) -> None:
    subject = service.enrolled(astronaut_jpeg)
    beside = with_bystander(0.6)

    decision = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": beside}).json()

    assert decision["decision"] == "match"
    assert code_of(service, f"/v1/subjects/{subject}/templates", beside) == "multiple_faces"
    assert code_of(service, f"/v1/subjects/{subject}/verify", with_bystander(0.95)) == "multiple_faces"


def test_an_operator_sets_the_policy_of_each_purpose(
    start_service: Callable[..., Service], astronaut_jpeg: bytes, with_bystander: Callable[..., bytes]
) -> None:
    service = start_service(enrol_faces="largest", verify_faces="exactly_one")
    subject = service.subject()
    at_the_edge = with_bystander(0.6, central=False)

    assert code_of(service, f"/v1/subjects/{subject}/templates", at_the_edge) == 201
    assert code_of(service, f"/v1/subjects/{subject}/verify", at_the_edge) == "multiple_faces"
    assert code_of(service, f"/v1/subjects/{subject}/verify", astronaut_jpeg) == 200


def test_the_live_check_judges_a_bystander_as_its_purpose_would(
    start_service: Callable[..., Service], with_bystander: Callable[..., bytes]
) -> None:
    service = start_service(checkin_faces="central", verify_faces="exactly_one")
    picture = with_bystander(0.6)

    def reasons(purpose: str) -> list[str]:
        answer = service.call("POST", f"/v1/quality?for={purpose}", files={"image": picture})
        found: list[str] = answer.json()["reasons"]
        return found

    assert "multiple_faces" not in reasons("checkin")
    assert "multiple_faces" in reasons("verify")
    assert "multiple_faces" in reasons("enrol")
