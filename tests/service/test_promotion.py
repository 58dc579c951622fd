"""Two models side by side: promotion, rollback, and what becomes of whom only one of them knows."""

import gc
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from fixtures_database import OpenDatabase
from fixtures_exams import ExamService
from fixtures_service import Service
from made_bundles import turned_bundle
from made_templates import MODEL, add_subject, made_template, open_gallery
from sqlalchemy import func, select

from embedding.bundle import Bundle
from embedding.embedder import Embedder
from embedding.image import encode_png
from embedding.quality import Purpose
from index.crops import NewCrop
from index.database.database import Database
from index.models.models import Models, make_active
from index.models.promotion import switch_to
from index.models.reembedding import reembed
from index.sealing.cipher import TemplateCipher
from index.tables import AuditEventRow, TemplateRow
from service.access.scopes import Scope
from service.matching.enrolling import enrol_embedding

pytestmark = [
    pytest.mark.usefixtures("nobody_else"),
    pytest.mark.not_quick("two models are opened for every test"),
]

KEY = "ab" * 32
CROPS = {"store_crops": True, "template_key": KEY}
OVERRIDE = {"override_reason": "a test has no comparison"}


@pytest.fixture
def keeping(start_service: Callable[..., Service], turned: Bundle) -> Service:
    """A service that keeps crops and knows a candidate."""
    service = start_service(**CROPS)
    service.parts.models.register_bundle(turned, actor="test")
    return service


def promote(service: Service, model_id: str, **json: Any) -> Any:
    return service.call("POST", f"/v1/models/{model_id}/promote", json=json or OVERRIDE)


def verify(service: Service, subject: str, picture: bytes) -> dict[str, Any]:
    answer = service.call("POST", f"/v1/subjects/{subject}/verify", files={"image": picture})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def search(service: Service, picture: bytes) -> list[dict[str, Any]]:
    answer = service.call("POST", "/v1/search", files={"image": picture})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["matches"])


def states(service: Service) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in service.call("GET", "/v1/models").json()["items"]}


def gate(incumbent: str, candidate: str, worse_in: list[str]) -> dict[str, Any]:
    return {
        "incumbent_id": incumbent,
        "candidate_id": candidate,
        "verdict": "worse" if worse_in else "not_worse",
        "worse_in": worse_in,
    }


def register_compared(service: Service, bundle: Bundle, incumbent_id: str, worse_in: list[str]) -> None:
    """Register a bundle that was compared with an incumbent, as a training does it."""
    service.parts.models.register(
        bundle.model_id,
        name="turned",
        dim=bundle.dim,
        calibration_id=bundle.calibration.id,
        location=str(bundle.path),
        gate=gate(incumbent_id, bundle.model_id, worse_in),
        actor="test",
    )


def test_a_promoted_model_verifies_and_finds_everybody_of_whom_a_crop_is_kept(
    keeping: Service, turned: Bundle, astronaut_jpeg: bytes, astronaut_variants: Mapping[str, bytes]
) -> None:
    subject = keeping.enrolled(astronaut_jpeg)
    incumbent_id = keeping.parts.embedder.model_id
    before = verify(keeping, subject, astronaut_variants["mirrored"])

    answer = promote(keeping, turned.model_id)

    after = verify(keeping, subject, astronaut_variants["mirrored"])
    assert (answer.status_code, answer.json()["reembedded"], answer.json()["subjects_lacking"]) == (200, 1, 0)
    assert (before["model_id"], after["model_id"]) == (incumbent_id, turned.model_id)
    # A rotation keeps every distance; what remains is the rounding of the network.
    assert after["d"] == pytest.approx(before["d"], abs=0.02)
    assert [one["subject_id"] for one in search(keeping, astronaut_jpeg)] == [subject]
    assert keeping.call("GET", "/health/ready", key="").status_code == 200
    shown = states(keeping)
    assert (shown[turned.model_id]["state"], shown[turned.model_id]["subjects"]) == ("active", 1)
    assert shown[keeping.parts.embedder.model_id]["subjects_only_here"] == 0


def test_whom_only_the_former_model_knows_is_verified_and_found_with_it(
    start_service: Callable[..., Service],
    turned: Bundle,
    astronaut_jpeg: bytes,
    stranger_jpeg: bytes,
) -> None:
    service = start_service()
    service.parts.models.register_bundle(turned, actor="test")
    former_id = service.parts.embedder.model_id
    old = service.enrolled(astronaut_jpeg)

    answer = promote(service, turned.model_id)
    new = service.enrolled(stranger_jpeg)

    assert answer.json()["subjects_lacking"] == 1
    assert service.call("GET", f"/v1/models/{turned.model_id}/lacking").json()["items"] == [old]
    assert verify(service, old, astronaut_jpeg)["model_id"] == former_id
    assert verify(service, new, stranger_jpeg)["model_id"] == turned.model_id
    assert verify(service, old, stranger_jpeg)["decision"] != "match"
    found = search(service, astronaut_jpeg)
    assert [(one["subject_id"], one["model_id"]) for one in found] == [(old, former_id)]
    assert (states(service)[former_id]["subjects_only_here"], states(service)[former_id]["loaded"]) == (
        1,
        True,
    )


def test_a_face_that_only_the_former_model_knows_is_still_a_duplicate(
    start_service: Callable[..., Service], turned: Bundle, astronaut_jpeg: bytes
) -> None:
    service = start_service()
    service.parts.models.register_bundle(turned, actor="test")
    old = service.enrolled(astronaut_jpeg)
    promote(service, turned.model_id)

    path = f"/v1/subjects/{service.subject()}/templates"
    refused = service.call("POST", path, files={"image": astronaut_jpeg})
    again = service.call("POST", f"/v1/subjects/{old}/templates", files={"image": astronaut_jpeg})

    assert (refused.status_code, refused.json()["code"]) == (409, "duplicate_identity")
    assert refused.json()["subject_id"] == old
    # Enrolled again, the person hangs on the former model no longer.
    assert again.status_code == 201
    assert verify(service, old, astronaut_jpeg)["model_id"] == turned.model_id
    assert len(search(service, astronaut_jpeg)) == 1


def test_a_rollback_keeps_who_was_enrolled_in_between(
    keeping: Service, turned: Bundle, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    first_id = keeping.parts.embedder.model_id
    before = keeping.enrolled(astronaut_jpeg)
    promote(keeping, turned.model_id)
    between = keeping.enrolled(stranger_jpeg)

    answer = keeping.call("POST", "/v1/models/rollback")

    assert (answer.status_code, answer.json()["model"]["id"], answer.json()["reembedded"]) == (
        200,
        first_id,
        1,
    )
    assert verify(keeping, before, astronaut_jpeg)["model_id"] == first_id
    assert verify(keeping, between, stranger_jpeg)["model_id"] == first_id
    assert verify(keeping, between, stranger_jpeg)["decision"] == "match"
    again = keeping.call("POST", "/v1/models/rollback")
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_roll_back")


def test_a_rollback_without_crops_leaves_who_came_since_to_the_model_that_knows_them(
    start_service: Callable[..., Service], turned: Bundle, stranger_jpeg: bytes
) -> None:
    service = start_service()
    service.parts.models.register_bundle(turned, actor="test")
    promote(service, turned.model_id)
    between = service.enrolled(stranger_jpeg)

    service.call("POST", "/v1/models/rollback")

    assert verify(service, between, stranger_jpeg)["model_id"] == turned.model_id
    assert verify(service, between, stranger_jpeg)["decision"] == "match"


def test_a_candidate_that_only_the_former_model_knows_is_checked_in_and_ready(
    start_exam: Callable[..., ExamService], turned: Bundle, astronaut_jpeg: bytes, stranger_jpeg: bytes
) -> None:
    day = start_exam()
    former_id = day.service.parts.embedder.model_id
    day.service.parts.models.register_bundle(turned, actor="test")
    day.service.enrolled(astronaut_jpeg, "A1")
    promote(day.service, turned.model_id, **OVERRIDE, force=True, reason="nobody is at the door yet")
    day.service.enrolled(stranger_jpeg, "B1")
    roster = day.put_csv("external_id,display_name,seat\nA1,Ann,1\nB1,Bob,2\n")

    readiness = day.call("GET", "sessions/{session}/readiness").json()
    claimed = day.check_in(astronaut_jpeg, candidate="A1").json()
    found = day.check_in(stranger_jpeg).json()

    assert roster.json()["without_template"]["total"] == 0
    assert readiness["ready"] == 2
    assert (claimed["checkin"]["outcome"], claimed["decision"]["model_id"]) == ("admitted", former_id)
    assert found["checkin"]["external_id"] == "B1"
    assert found["decision"]["model_id"] == turned.model_id


@pytest.mark.parametrize(
    ("compared", "says"),
    [
        (None, "not compared"),
        (("sha256:somebody", []), "compared with model sha256:somebody"),
        (("active", ["FNMR at FMR 1e-4"]), "worse than the active model in FNMR at FMR 1e-4"),
    ],
)
def test_a_candidate_that_is_worse_or_was_not_compared_needs_a_reason_that_is_audited(
    keeping: Service, turned: Bundle, compared: tuple[str, list[str]] | None, says: str
) -> None:
    first_id = keeping.parts.embedder.model_id
    if compared is not None:
        incumbent = first_id if compared[0] == "active" else compared[0]
        register_compared(keeping, turned, incumbent, compared[1])

    path = f"/v1/models/{turned.model_id}/promote"
    refused = keeping.call("POST", path)
    active = [one for one, model in states(keeping).items() if model["state"] == "active"]
    promoted = keeping.call("POST", path, json=OVERRIDE)

    assert (refused.status_code, refused.json()["code"]) == (409, "promotion_refused")
    assert says in refused.json()["detail"]
    assert refused.json()["worse_in"] == (compared[1] if compared else [])
    assert active == [first_id]
    assert promoted.status_code == 200
    events = keeping.call("GET", "/v1/audit-events?action=model.activated").json()["items"]
    told = [event["details"].get("override_reason") for event in events]
    assert OVERRIDE["override_reason"] in told


def test_a_candidate_that_is_not_worse_is_promoted_without_a_reason(keeping: Service, turned: Bundle) -> None:
    register_compared(keeping, turned, keeping.parts.embedder.model_id, [])

    answer = keeping.call("POST", f"/v1/models/{turned.model_id}/promote")

    assert (answer.status_code, answer.json()["model"]["state"]) == (200, "active")


def test_a_bundle_that_was_changed_after_its_registration_is_not_promoted(
    start_service: Callable[..., Service], shipped_bundle: Path, tmp_path: Path
) -> None:
    service = start_service()
    bundle = turned_bundle(shipped_bundle, tmp_path / "changed", seed=1)
    service.parts.models.register_bundle(bundle, actor="test")
    file = bundle.path / bundle.manifest.embedder.file
    file.write_bytes(file.read_bytes()[:-1] + b"\0")

    answer = promote(service, bundle.model_id)

    assert (answer.status_code, answer.json()["code"]) == (409, "bundle_changed")
    assert str(tmp_path) not in answer.text
    assert states(service)[bundle.model_id]["state"] == "candidate"


def test_a_promotion_needs_the_scope_and_a_model_that_is_known(keeping: Service, turned: Bundle) -> None:
    path = f"/v1/models/{turned.model_id}/promote"

    assert keeping.call("POST", path, key=keeping.key(Scope.JOBS_RUN)).status_code == 403
    assert keeping.call("POST", "/v1/models/sha256:x/promote").json()["code"] == "model_not_found"


def test_a_process_that_starts_after_a_promotion_decides_with_the_promoted_model(
    keeping: Service, turned: Bundle, astronaut_jpeg: bytes, start_service: Callable[..., Service]
) -> None:
    subject = keeping.enrolled(astronaut_jpeg)
    promote(keeping, turned.model_id)

    later = start_service(**CROPS)

    assert verify(later, subject, astronaut_jpeg)["model_id"] == turned.model_id


def test_a_request_ends_with_the_model_it_began_with(
    keeping: Service, turned: Bundle, astronaut_jpeg: bytes
) -> None:
    subject = keeping.subject()
    began = keeping.parts.now()
    promote(keeping, turned.model_id)

    embedding = began.embedder.embed(astronaut_jpeg, Purpose.ENROL)
    late = enrol_embedding(began, UUID(subject), embedding, actor="test")
    began.following.embed_latecomers()

    assert late.model_id == began.model.id
    assert verify(keeping, subject, astronaut_jpeg)["model_id"] == turned.model_id


def kept(database: Database, cipher: TemplateCipher, people: int, first_person: int = 0) -> None:
    """People with a made template each, and a crop of noise."""
    gallery = open_gallery(database, cipher=cipher)
    subject = add_subject(database)
    noise = np.random.default_rng(0)
    for person in range(first_person, first_person + people):
        picture = encode_png(noise.integers(0, 256, (112, 112, 3), np.uint8))
        gallery.enrol(
            subject,
            made_template(person),
            quality={"sharpness": 0.5},
            duplicate_threshold=0.1,
            actor="test",
            crop=NewCrop(picture, 30),
        )


def made_of(database: Database, model_id: str) -> tuple[int, int]:
    """How many templates of a model there are, and of how many crops."""
    mine = TemplateRow.model_id == model_id
    with database.read() as db:
        return (
            db.scalar(select(func.count()).where(mine)) or 0,
            db.scalar(select(func.count(TemplateRow.crop_id.distinct())).where(mine)) or 0,
        )


REEMBED = """
import sys
from pathlib import Path
from embedding.embedder import Embedder
from embedding.quality import Purpose
from index.sealing.cipher import TemplateCipher
from index.database.database import Database
from index.models.reembedding import reembed
url, bundle, key = sys.argv[1:]
embedder = Embedder.open(Path(bundle), threads=1)
reembed(Database(url), embedder, TemplateCipher.from_text(key),
        progress=lambda done, total: print(done, total, flush=True))
"""


def test_a_reembedding_that_is_killed_goes_on_where_it_stopped(
    database: Database, database_url: str, turned: Bundle
) -> None:
    cipher = TemplateCipher.from_text(KEY)
    kept(database, cipher, 160)
    Models(database).register_bundle(turned, actor="test")
    command = [sys.executable, "-c", REEMBED, database_url, str(turned.path), KEY]

    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as worker:
        assert worker.stdout is not None
        first = worker.stdout.readline()
        os.kill(worker.pid, signal.SIGKILL)
    after_kill = made_of(database, turned.model_id)
    seen: list[tuple[int, int]] = []
    done = reembed(
        database, Embedder.open(turned.path), cipher, progress=lambda made, total: seen.append((made, total))
    )

    assert first.split() == ["32", "160"]
    assert 32 <= after_kill[0] < 160
    assert done.made == 160 - after_kill[0]
    assert seen[-1] == (done.made, done.made)
    assert made_of(database, turned.model_id) == (160, 160)
    assert (done.left, done.without_template) == (0, [])


def test_no_network_runs_while_every_writer_waits_for_a_switch(
    database: Database, database_url: str, open_database: OpenDatabase, turned: Bundle
) -> None:
    cipher = TemplateCipher.from_text(KEY)
    kept(database, cipher, 3)
    Models(database).register_bundle(turned, actor="test")
    embedder = Embedder.open(turned.path)
    elsewhere = open_database(database_url, lock_wait_seconds=0.5)
    latecomers = [2, 1]

    class WhilePeopleAreEnrolled:
        """Each time crops are embedded, more people come: a writer must never have to wait for that."""

        model_id, dim = embedder.model_id, embedder.dim

        def embed_crops(self, crops: Any) -> Any:
            if latecomers:
                kept(elsewhere, cipher, latecomers.pop(), first_person=100 * (1 + len(latecomers)))
            return embedder.embed_crops(crops)

    switched = switch_to(
        database,
        cipher,
        WhilePeopleAreEnrolled(),  # type: ignore[arg-type]
        lambda db: make_active(db, turned.model_id, actor="test"),
        expected_active=None,
    )

    assert (switched.model.state, switched.reembedded) == ("active", 6)
    assert made_of(database, turned.model_id) == (6, 6)
    assert switched.without_template == []


def test_a_switch_does_not_wait_for_people_who_come_without_end(database: Database, turned: Bundle) -> None:
    cipher = TemplateCipher.from_text(KEY)
    kept(database, cipher, 1)
    Models(database).register_bundle(turned, actor="test")
    embedder = Embedder.open(turned.path)
    came = count(1)

    class WhilePeopleAreEnrolled:
        model_id, dim = embedder.model_id, embedder.dim

        def embed_crops(self, crops: Any) -> Any:
            kept(database, cipher, 1, first_person=next(came))
            return embedder.embed_crops(crops)

    switched = switch_to(
        database,
        cipher,
        WhilePeopleAreEnrolled(),  # type: ignore[arg-type]
        lambda db: make_active(db, turned.model_id, actor="test"),
        expected_active=None,
    )
    rest = reembed(database, embedder, cipher)

    assert switched.model.state == "active"
    assert (rest.made, rest.left) == (1, 0)


def test_a_reembedding_that_is_stopped_or_repeated_makes_each_template_once(
    database: Database, turned: Bundle
) -> None:
    cipher = TemplateCipher.from_text(KEY)
    kept(database, cipher, 40)
    Models(database).register_bundle(turned, actor="test")
    embedder = Embedder.open(turned.path)
    answers = iter((False, True))

    first = reembed(database, embedder, cipher, stop=lambda: next(answers))
    second = reembed(database, embedder, cipher)
    third = reembed(database, embedder, cipher)

    assert [(one.made, one.left) for one in (first, second, third)] == [(32, 8), (8, 0), (0, 0)]
    with database.read() as db:
        events = db.scalars(select(AuditEventRow).where(AuditEventRow.action == "templates.reembedded")).all()
    assert [event.details["templates"] for event in events] == [32, 8]


def test_whoever_is_erased_while_templates_are_made_does_not_come_back(
    database: Database, turned: Bundle
) -> None:
    cipher = TemplateCipher.from_text(KEY)
    kept(database, cipher, 5)
    Models(database).register_bundle(turned, actor="test")
    gallery = open_gallery(database, MODEL, cipher)
    with database.read() as db:
        subject = db.scalars(select(TemplateRow.subject_id).limit(1)).one()
    embedder = Embedder.open(turned.path)

    class Erasing:
        """Erases the person between the look at the crops and the writing of the templates."""

        model_id, dim = embedder.model_id, embedder.dim

        def embed_crops(self, crops: Any) -> Any:
            gallery.erase(subject, actor="test")
            return embedder.embed_crops(crops)

    done = reembed(database, Erasing(), cipher)  # type: ignore[arg-type]

    assert done.made == 0
    assert made_of(database, turned.model_id) == (0, 0)


def test_a_model_that_nobody_hangs_on_leaves_the_memory_after_a_promotion(
    start_service: Callable[..., Service], turned: Bundle
) -> None:
    service = start_service()
    service.parts.models.register_bundle(turned, actor="test")
    former, client = weakref.ref(service.parts.model), service.client
    headers = {"Authorization": f"Bearer {service.admin}"}
    del service
    path = f"/v1/models/{turned.model_id}/promote"

    answer = client.post(path, json=OVERRIDE, headers=headers)

    assert answer.status_code == 200, answer.text
    until = time.monotonic() + 60
    while former() is not None:
        assert time.monotonic() < until, gc.get_referrers(former())
        time.sleep(0.2)
        gc.collect()
