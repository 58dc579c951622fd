"""A person's own enrolment by a link: one picture, no word about others, and a person who decides."""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from fixtures_pictures import Picture, jpeg, resized
from fixtures_service import Service
from sqlalchemy import select, update

from index.clock import confirm_clock
from index.errors import ClockLeapt
from index.subjects.enrolment_links import MOST_PICTURES, end_links
from index.tables import AuditEventRow, EnrolmentLinkRow, ProposalRow, utc_now
from service.access.scopes import Scope

pytestmark = pytest.mark.not_quick("enrols many pictures")


def link_of(service: Service, number: str) -> str:
    made = service.call("POST", f"/v1/subjects/ext:{number}/enrolment-link")
    assert made.status_code == 201, made.text
    url = str(made.json()["url"])
    assert "/enrol/#" in url
    return url.partition("#")[2]


def look(service: Service, token: str) -> Any:
    return service.client.post("/enrol/look", headers={"X-Enrolment-Token": token})


def send(service: Service, token: str, picture: bytes, consent: str = "yes") -> Any:
    headers = {"X-Enrolment-Token": token}
    return service.client.post(
        "/enrol/picture", headers=headers, files={"image": picture}, data={"consent": consent}
    )


def waiting(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.call("GET", "/v1/proposals").json()["items"]
    return items


def accept(service: Service, proposal: Mapping[str, Any], **more: str) -> Any:
    body = {"compared_with": "document", **more}
    return service.call("POST", f"/v1/proposals/{proposal['id']}/accept", json=body)


def actions(service: Service) -> list[str]:
    with service.parts.database.read() as db:
        return list(db.scalars(select(AuditEventRow.action).order_by(AuditEventRow.seq)))


def test_a_picture_counts_nowhere_until_a_person_has_accepted_it(
    service_everywhere: Service, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    service = service_everywhere
    service.subject("s-1")
    other = service.subject("s-2")
    token = link_of(service, "s-1")

    assert look(service, token).json()["pictures_left"] == MOST_PICTURES
    sent = send(service, token, astronaut_jpeg)

    assert (sent.status_code, sent.content) == (202, b"")
    (proposal,) = waiting(service)
    assert (proposal["external_id"], proposal["templates"], proposal["has_portrait"]) == ("s-1", 0, False)
    photo = {"image": astronaut_variants["mirrored"]}
    assert service.call("POST", "/v1/search", files=photo).json()["matches"] == []
    assert service.call("POST", "/v1/subjects/ext:s-1/verify", files=photo).json()["code"] == "no_template"
    enrolled = service.call("POST", f"/v1/subjects/{other}/templates", files=photo)
    assert (enrolled.status_code, enrolled.json()["warnings"]) == (201, [])
    assert service.call("DELETE", f"/v1/subjects/{other}").status_code == 200

    picture = service.call("GET", f"/v1/proposals/{proposal['id']}/picture")
    assert picture.content.startswith(b"\xff\xd8")
    assert picture.headers["cache-control"] == "no-store"
    assert accept(service, proposal).status_code == 201
    assert service.call("POST", "/v1/subjects/ext:s-1/verify", files=photo).json()["decision"] == "match"
    basis = service.call("GET", "/v1/subjects/ext:s-1").json()["legal_basis"]
    assert basis["basis"] == "consent"
    assert proposal["id"] in basis["reference"]
    assert waiting(service) == []
    assert service.call("GET", f"/v1/proposals/{proposal['id']}/picture").status_code == 404
    assert accept(service, proposal).json()["code"] == "proposal_not_found"
    told = ["enrolment_link.issued", "enrolment.proposed", "proposal.viewed", "proposal.accepted"]
    assert [one for one in actions(service) if one in told] == told


def end_by_use(service: Service, token: str, picture: bytes) -> None:
    assert send(service, token, picture).status_code == 202


def end_by_time(service: Service, token: str, picture: bytes) -> None:
    with service.parts.database.write() as db:
        db.execute(update(EnrolmentLinkRow).values(expires_at=utc_now() - timedelta(seconds=1)))


def end_by_another(service: Service, token: str, picture: bytes) -> None:
    link_of(service, "s-1")


def end_by_withdrawal(service: Service, token: str, picture: bytes) -> None:
    assert service.call("POST", "/v1/subjects/ext:s-1/withdrawal").status_code == 200


def end_by_expired_basis(service: Service, token: str, picture: bytes) -> None:
    basis = {"basis": "consent", "expires_at": "2020-01-01T00:00:00Z"}
    assert service.call("PATCH", "/v1/subjects/ext:s-1", json={"legal_basis": basis}).status_code == 200


def end_by_erasure(service: Service, token: str, picture: bytes) -> None:
    assert service.call("DELETE", "/v1/subjects/ext:s-1").status_code == 200


def end_by_an_older_database(service: Service, token: str, picture: bytes) -> None:
    assert end_links(service.parts.database) == 1


@pytest.mark.parametrize(
    "end",
    [
        end_by_use,
        end_by_time,
        end_by_another,
        end_by_withdrawal,
        end_by_expired_basis,
        end_by_erasure,
        end_by_an_older_database,
    ],
)
def test_a_link_that_ended_while_its_page_was_open_says_the_same_whatever_ended_it(
    service: Service, astronaut_jpeg: bytes, end: Callable[[Service, str, bytes], None]
) -> None:
    service.subject("s-1")
    token = link_of(service, "s-1")
    assert look(service, token).status_code == 200

    end(service, token, astronaut_jpeg)
    before = len(waiting(service))

    answers = [look(service, token), send(service, token, astronaut_jpeg), look(service, "nobody's")]
    assert {(one.status_code, one.json()["code"], one.json()["detail"]) for one in answers} == {
        (410, "link_invalid", answers[2].json()["detail"])
    }
    assert len(waiting(service)) == before


def test_whoever_holds_the_link_learns_nothing_of_others_and_the_office_everything(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    service.enrolled(astronaut_jpeg, "other")
    service.subject("s-1")
    service.enrolled(stranger_jpeg, "s-2")
    first, second = link_of(service, "s-1"), link_of(service, "s-2")

    somebody_elses = send(service, first, astronaut_jpeg)
    not_the_own = send(service, second, astronaut_jpeg)

    assert {(one.status_code, one.content) for one in (somebody_elses, not_the_own)} == {(202, b"")}
    a, b = waiting(service)
    assert accept(service, a).json()["code"] == "duplicate_identity"
    assert accept(service, b).json()["code"] == "duplicate_identity"
    assert [one["id"] for one in waiting(service)] == [a["id"], b["id"]]
    assert accept(service, a, force_reason="twin brothers").status_code == 201
    assert service.call("POST", f"/v1/proposals/{b['id']}/refuse", json={}).status_code == 204
    assert waiting(service) == []
    assert service.call("GET", "/v1/subjects/ext:s-2").json()["templates"] == 1


def test_a_link_and_a_picture_of_a_clock_that_was_ahead_last_no_longer(
    service: Service, astronaut_jpeg: bytes
) -> None:
    service.subject("s-1")
    service.subject("s-2")
    send(service, link_of(service, "s-1"), astronaut_jpeg)
    token = link_of(service, "s-2")
    ahead = utc_now() + timedelta(days=400)
    with service.parts.database.write() as db:
        for table in (EnrolmentLinkRow, ProposalRow):
            db.execute(update(table).values(created_at=ahead, expires_at=ahead + timedelta(days=30)))

    assert look(service, token).status_code == 410

    with service.parts.database.write() as db:
        confirm_clock(db, actor="test")
    with service.parts.database.read() as db:
        assert db.scalars(select(EnrolmentLinkRow)).all() == []
        over = db.scalars(select(ProposalRow.expires_at)).one()
    assert utc_now() + timedelta(days=29) < over < utc_now() + timedelta(days=31)


def test_a_link_takes_ten_pictures_and_one_that_can_be_used_ends_it(
    service: Service, astronaut_jpeg: bytes, black_jpeg: bytes
) -> None:
    service.subject("s-1")
    token = link_of(service, "s-1")

    refused = [send(service, token, black_jpeg) for _ in range(MOST_PICTURES)]
    without_consent = send(service, link_of(service, "s-1"), astronaut_jpeg, consent="no")

    assert {one.json()["code"] for one in refused} == {"face_not_found"}
    assert send(service, token, astronaut_jpeg).status_code == 410
    assert without_consent.status_code == 422
    assert waiting(service) == []
    last = link_of(service, "s-1")
    for picture in (*[b"no picture"] * (MOST_PICTURES - 1),):
        assert send(service, last, picture).status_code == 415
    assert look(service, last).json()["pictures_left"] == 1
    assert send(service, last, astronaut_jpeg).status_code == 202


def test_two_tabs_with_one_link_make_one_proposal_and_two_people_decide_it_once(
    service: Service, astronaut: Picture
) -> None:
    service.subject("s-1")
    token = link_of(service, "s-1")
    pictures = [jpeg(resized(astronaut, side, side)) for side in (400, 420, 440, 460)]

    sent = together([lambda one=one: send(service, token, one) for one in pictures])  # type: ignore[misc]
    (proposal,) = waiting(service)
    decided = together([lambda: accept(service, proposal)] * 3)

    assert sorted(one.status_code for one in sent) == [202, 410, 410, 410]
    assert sorted(one.status_code for one in decided)[0] == 201
    assert {one.status_code for one in decided} <= {201, 404, 409}
    assert len([one for one in decided if one.status_code == 201]) == 1
    assert service.call("GET", "/v1/subjects/ext:s-1").json()["templates"] == 1


def together(works: list[Callable[[], Any]]) -> list[Any]:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda one=one: found.append(one())) for one in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


def test_waiting_pictures_are_sealed_and_go_with_withdrawal_erasure_and_time(
    service: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    for number in ("s-1", "s-2", "s-3"):
        service.subject(number)
        token = link_of(service, number)
        assert send(service, token, astronaut_jpeg).status_code == 202

    with service.parts.database.read() as db:
        rows = db.scalars(select(ProposalRow)).all()
        links = db.scalars(select(EnrolmentLinkRow.token_digest)).all()
    assert all(b"JFIF" not in row.picture and row.key_id for row in rows)
    assert token not in links
    end_by_withdrawal(service, "", b"")
    assert [one["external_id"] for one in waiting(service)] == ["s-2", "s-3"]
    assert service.call("DELETE", "/v1/subjects/ext:s-2").status_code == 200
    assert [one["external_id"] for one in waiting(service)] == ["s-3"]
    with pytest.raises(ClockLeapt):
        service.parts.proposals.purge(actor="test", now=utc_now() + timedelta(days=400))
    assert [one["external_id"] for one in waiting(service)] == ["s-3"]
    with service.parts.database.write() as db:
        db.execute(update(ProposalRow).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert waiting(service) == []
    assert service.parts.proposals.purge(actor="test") == 1
    with service.parts.database.read() as db:
        assert db.scalars(select(ProposalRow.id)).all() == []


def test_only_who_may_enrol_makes_links_and_decides(service: Service, astronaut_jpeg: bytes) -> None:
    service.subject("s-1")
    send(service, link_of(service, "s-1"), astronaut_jpeg)
    (proposal,) = waiting(service)
    reader = service.key(Scope.SUBJECTS_READ, Scope.EXAMS_WRITE, Scope.OVERRIDE)

    paths = [
        ("POST", "/v1/subjects/ext:s-1/enrolment-link"),
        ("GET", "/v1/proposals"),
        ("GET", f"/v1/proposals/{proposal['id']}/picture"),
        ("GET", f"/v1/proposals/{proposal['id']}/portrait"),
    ]

    assert {service.call(method, path, key=reader).status_code for method, path in paths} == {403}
    body = {"compared_with": "document"}
    refused = service.call("POST", f"/v1/proposals/{proposal['id']}/accept", key=reader, json=body)
    assert refused.status_code == 403


def test_the_page_of_a_link_needs_nothing_but_its_own_path(service: Service) -> None:
    page = service.client.get("/enrol/")

    assert page.status_code == 200
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "nav.subjects" not in page.text
    assert 'src="/' not in page.text
    assert 'href="/' not in page.text
    for asset in ("js/enrol.js", "js/page.js", "js/camera.js", "js/pictures.js", "style.css"):
        assert service.client.get(f"/enrol/static/{asset}").status_code == 200
