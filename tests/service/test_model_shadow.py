"""A candidate in the shadow of the active model: compared, counted, and never acted upon."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from queues import deliver, take

from embedding.bundle import Bundle, write_bundle
from embedding.calibration import Calibration, CurvePoint
from service.access.scopes import Scope
from service.shadowing import QUEUE, Shadowing

pytestmark = pytest.mark.not_quick("a second model is opened for every test")

CROPS = {"store_crops": True, "template_key": "ab" * 32}


@pytest.fixture(scope="module")
def strict(turned: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Another real model, whose calibration lets hardly anything match."""
    theirs = turned.calibration
    curve = [
        CurvePoint(d=point.d / 1000 if point.fmr < 1 else point.d, fmr=point.fmr) for point in theirs.curve
    ]
    numbers = {"identities": theirs.identities, "mated": theirs.mated, "non_mated": theirs.non_mated}
    record = turned.manifest.embedder
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "strict",
        name="strict",
        detector=turned.detector,
        embedder=Path(turned.path) / record.file,
        dim=record.dim,
        embedder_input=record.input,
        normalised=record.normalised,
        calibration=Calibration.new(
            created=theirs.created, data="stricter", curve=curve, targets=[], **numbers
        ),
    )


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until a thread has done something."""
    end = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


def report(service: Service, model_id: str) -> dict[str, Any]:
    return dict(service.call("GET", f"/v1/models/{model_id}/shadow").json()["shadow"])


def begin(service: Service, candidate: Bundle, subjects: int = 1) -> str:
    """Put the candidate into the shadow; waits until its templates are made."""
    service.parts.models.register_bundle(candidate, actor="test")
    answer = service.call("POST", f"/v1/models/{candidate.model_id}/shadow")
    assert answer.status_code == 201, answer.text
    wait_for(lambda: report(service, candidate.model_id)["subjects"] == subjects)
    return candidate.model_id


def verify(service: Service, subject: str, picture: bytes) -> str:
    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": picture})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["decision"])


def said(shadow: dict[str, Any]) -> dict[tuple[str, str, str], int]:
    return {(one["kind"], one["active"], one["candidate"]): one["n"] for one in shadow["said"]}


def test_what_the_candidate_says_is_counted_beside_the_decision_and_changes_nothing(
    start_service: Callable[..., Service], strict: Bundle, astronaut_variants: dict[str, bytes]
) -> None:
    service = start_service(**CROPS)
    picture = astronaut_variants["compressed"]
    subject = service.enrolled(picture, "1001")
    candidate = begin(service, strict)

    decisions = [verify(service, subject, astronaut_variants["closer"]) for _ in range(3)]
    wait_for(lambda: report(service, candidate)["compared"] == 3)

    assert decisions == ["match"] * 3
    shadow = report(service, candidate)
    assert said(shadow) == {("verify", "match", "no_match"): 3}
    assert (shadow["state"], shadow["agreed"]["count"], shadow["candidate_missed"]["share"]) == (
        "running",
        0,
        1.0,
    )
    assert service.call("GET", f"/v1/models/{candidate}/shadow/disagreements").json()["items"] == []


def test_whoever_has_no_template_of_the_candidate_is_counted_as_that(
    start_service: Callable[..., Service], turned: Bundle, astronaut_jpeg: bytes
) -> None:
    service = start_service(template_key="ab" * 32)
    subject = service.enrolled(astronaut_jpeg, "1001")
    candidate = begin(service, turned, subjects=0)
    wait_for(lambda: service.parts.shadow.candidate == candidate)

    verify(service, subject, astronaut_jpeg)
    wait_for(lambda: report(service, candidate)["no_template"] == 1)

    assert report(service, candidate)["subjects_lacking"] == 1
    assert report(service, candidate)["compared"] == 0


def test_a_full_queue_drops_and_counts_while_every_answer_comes(
    start_service: Callable[..., Service], turned: Bundle, astronaut_jpeg: bytes
) -> None:
    service = start_service(**CROPS)
    subject = service.enrolled(astronaut_jpeg, "1001")
    candidate = begin(service, turned)
    pictures, asked = service.parts.pictures, QUEUE + 8
    busy = service.parts.settings.picture_workers + 1

    pictures.admitted += busy
    decisions = [verify(service, subject, astronaut_jpeg) for _ in range(asked)]
    pictures.admitted -= busy
    wait_for(lambda: sum(report(service, candidate)[name] for name in ("compared", "dropped")) == asked)

    assert decisions == ["match"] * asked
    shadow = report(service, candidate)
    assert shadow["dropped"] > 0
    assert shadow["agreed"]["count"] == shadow["compared"] > 0


def test_disagreements_lead_to_check_ins_show_d_to_few_and_go_with_the_subject(
    start_exam: Callable[..., ExamService], strict: Bundle, astronaut_variants: dict[str, bytes]
) -> None:
    exam = start_exam(**CROPS)
    service = exam.service
    service.enrolled(astronaut_variants["closer"], "A1")
    exam.put_csv("external_id,display_name,seat\nA1,Ann Arbor,1\n")
    candidate = begin(service, strict)
    made = exam.check_in(astronaut_variants["compressed"], candidate="A1").json()["checkin"]
    wait_for(lambda: report(service, candidate)["disagreements_kept"] == 1)
    path = f"/v1/models/{candidate}/shadow/disagreements"

    (full,) = service.call("GET", path).json()["items"]
    (plain,) = service.call("GET", path, key=service.key(Scope.MODELS_WRITE)).json()["items"]
    assert service.call("DELETE", "/v1/subjects/ext:A1").status_code == 200

    assert made["outcome"] == "admitted"
    assert (full["checkin_id"], full["active"], full["candidate"]) == (made["id"], "match", "no_match")
    assert full["d"] > 0
    assert "d" not in plain
    assert service.call("GET", path).json()["items"] == []
    assert said(report(service, candidate)) == {("checkin", "match", "no_match"): 1}


def test_what_a_kiosk_took_without_network_is_looked_at_as_well(
    start_exam: Callable[..., ExamService], strict: Bundle, astronaut_variants: dict[str, bytes]
) -> None:
    exam = start_exam(**CROPS)
    exam.service.enrolled(astronaut_variants["closer"], "A1")
    exam.put_csv("external_id,display_name,seat\nA1,Ann Arbor,1\n")
    candidate = begin(exam.service, strict)
    key = exam.kiosk_key()
    item = take(exam, key, astronaut_variants["compressed"])

    made = deliver(exam, key, item).json()
    assert deliver(exam, key, item).json() == made

    path = f"/v1/models/{candidate}/shadow/disagreements"
    wait_for(lambda: report(exam.service, candidate)["disagreements_kept"] == 1)
    (found,) = exam.service.call("GET", path).json()["items"]
    assert (found["checkin_id"], found["active"], found["candidate"]) == (
        made["checkin_id"],
        "match",
        "no_match",
    )
    assert said(report(exam.service, candidate)) == {("checkin", "match", "no_match"): 1}


def test_one_candidate_at_a_time_and_never_the_model_in_use(
    start_service: Callable[..., Service], turned: Bundle
) -> None:
    service = start_service(**CROPS)
    active = service.parts.model.id
    candidate = begin(service, turned, subjects=0)
    service.parts.models.register("sha256:b", name="b", dim=2, actor="test")

    again = service.call("POST", f"/v1/models/{candidate}/shadow")
    own = service.call("POST", f"/v1/models/{active}/shadow")
    forbidden = service.call("POST", f"/v1/models/{candidate}/shadow", key=service.key(Scope.AUDIT_READ))
    gone = service.call("POST", "/v1/models/sha256:b/shadow")
    unknown = service.call("GET", "/v1/models/none/shadow")

    assert again.status_code == 201
    assert (own.status_code, own.json()["code"]) == (409, "shadow_running")
    assert forbidden.status_code == 403
    assert (gone.status_code, gone.json()["code"]) == (409, "bundle_changed")
    assert unknown.status_code == 404
    assert service.call("DELETE", f"/v1/models/{candidate}/shadow").json()["shadow"]["state"] == "ended"
    assert service.call("POST", f"/v1/models/{active}/shadow").json()["code"] == "shadow_impossible"


def test_another_process_goes_on_with_it_and_a_promotion_ends_it(
    start_service: Callable[..., Service], turned: Bundle
) -> None:
    service = start_service(**CROPS)
    candidate, parts = begin(service, turned, subjects=0), service.parts
    another = Shadowing(parts.settings, parts.database, parts.cipher, lambda: parts.model.id)
    another.start(is_busy=lambda: False)
    try:
        wait_for(lambda: another.candidate == candidate)
    finally:
        another.close()

    parts.models.activate(candidate, actor="test")

    wait_for(lambda: report(service, candidate)["state"] == "ended")
