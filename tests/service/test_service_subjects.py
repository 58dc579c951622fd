"""The list of people over HTTP: who is found, in which order, and what is told of each."""

from fixtures_service import Service

from service.access.scopes import Scope


def listed(service: Service, query: str) -> list[str]:
    answer = service.call("GET", f"/v1/subjects?{query}")
    assert answer.status_code == 200, answer.text
    return [one["external_id"] for one in answer.json()["items"]]


def add(service: Service, number: str, name: str | None, **more: object) -> None:
    body = {"external_id": number, "display_name": name, **more}
    assert service.call("POST", "/v1/subjects", json=body).status_code == 201


def test_people_are_found_by_part_of_a_name_or_number_and_filtered(
    service_everywhere: Service, astronaut_jpeg: bytes
) -> None:
    service = service_everywhere
    add(service, "s-2003", "Robert DUVALL")
    add(service, "s-2004", "Éva Kiss", legal_basis={"basis": "consent", "expires_at": "2020-01-01T00:00:00Z"})
    add(service, "x-1", None)
    photo = {"image": astronaut_jpeg}
    assert service.call("POST", "/v1/subjects/ext:x-1/templates", files=photo).status_code == 201
    assert service.call("POST", "/v1/subjects/ext:x-1/withdrawal").status_code == 200
    assert service.call("POST", "/v1/subjects/ext:s-2003/templates", files=photo).status_code == 201

    assert listed(service, "q=duvall") == ["s-2003"]
    assert listed(service, "q=S-20") == ["s-2003", "s-2004"]
    assert listed(service, "q=ÉVA") == ["s-2004"]
    assert listed(service, "has_template=false&sort=-added") == ["x-1", "s-2004"]
    assert listed(service, "legal_basis=expired&legal_basis=withdrawn") == ["s-2004", "x-1"]
    assert listed(service, "legal_basis=withdrawn") == ["x-1"]
    assert listed(service, "is_poor=true") == []
    assert listed(service, "sort=name") == ["x-1", "s-2003", "s-2004"]
    assert service.call("GET", "/v1/subjects?sort=age").status_code == 422


def test_every_page_of_every_order_is_behind_the_one_before(service: Service) -> None:
    for number in range(7):
        add(service, f"s-{number}", "The same " + "name " * number if number % 2 else None)

    for sort in ("added", "-added", "external_id", "name"):
        whole = listed(service, f"sort={sort}")
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = service.call("GET", f"/v1/subjects?sort={sort}&limit=2{cursor}").json()
            seen += [one["external_id"] for one in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert seen == whole
        assert len(set(seen)) == 7
    assert service.call("GET", "/v1/subjects?cursor=bm9ib2R5").json()["code"] == "validation_failed"


def test_twins_and_the_use_of_a_template_are_told(service: Service, astronaut_jpeg: bytes) -> None:
    first, second = service.enrolled(astronaut_jpeg, "s-1"), service.subject("s-2")
    path = f"/v1/subjects/{second}/templates?force=true&reason=twin sisters"
    assert service.call("POST", path, files={"image": astronaut_jpeg}).status_code == 201

    (twin,) = service.call("GET", f"/v1/subjects/{first}/twins").json()["items"]
    (template,) = service.call("GET", f"/v1/subjects/{first}/templates").json()["items"]

    assert (twin["external_id"], twin["reason"], twin["subject_id"]) == ("s-2", "twin sisters", second)
    assert listed(service, "has_twin=true") == ["s-1", "s-2"]
    assert listed(service, "has_twin=false") == []
    assert (template["is_current"], template["poor"], template["checkins"]) == (True, [], 0)
    assert template["measures"]["sharpness"] >= template["limits"]["sharpness_min"]
    assert service.call("GET", f"/v1/subjects/{first}").json()["twins"] == 1


def test_a_hit_of_a_search_has_number_and_name_for_those_who_may_read_people(
    service: Service, astronaut_jpeg: bytes
) -> None:
    service.enrolled(astronaut_jpeg, "s-1")
    service.call("PATCH", "/v1/subjects/ext:s-1", json={"display_name": "Eileen Collins"})
    reader = service.key(Scope.SEARCH, Scope.SUBJECTS_READ)

    (known,) = service.call("POST", "/v1/search", key=reader, files={"image": astronaut_jpeg}).json()[
        "matches"
    ]
    (plain,) = service.call(
        "POST", "/v1/search", key=service.key(Scope.SEARCH), files={"image": astronaut_jpeg}
    ).json()["matches"]

    assert (known["external_id"], known["display_name"]) == ("s-1", "Eileen Collins")
    assert (plain["external_id"], plain["display_name"]) == (None, None)
    assert plain["subject_id"] == known["subject_id"]
