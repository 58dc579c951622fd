"""Webhooks: told of what happened, signed, tried again, and never to an address that is not listed."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from receiver import Receiver, receiving
from sqlalchemy import update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from index import audit
from index.audit import Origin
from index.ids import uuid7
from index.tables import WebhookDeliveryRow, WebhookLeaseRow, utc_now
from index.webhooks.events import EVENTS
from index.webhooks.outbox import WAITS, Message, Outbox
from index.webhooks.webhooks import KEPT, Delivery
from service.access.scopes import Scope
from service.app import PURGES
from service.use_watch import USE_ALARM
from service.webhooks.delivering import Delivering
from service.webhooks.sending import send, sign
from service.webhooks.targets import Targets

BY = Origin("test")
HERE = ("127.0.0.0/8", "::1/128")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@dataclass(frozen=True)
class Hooked:
    """A service with one webhook, and a replica that delivers when it is asked to."""

    service: Service
    webhook_id: UUID
    secret: str
    delivering: Delivering

    def deliveries(self) -> list[Delivery]:
        """The oldest first."""
        return self.service.parts.webhooks.deliveries(self.webhook_id, 100, None)[::-1]

    def erase(self) -> None:
        """Something to tell."""
        subject = self.service.subject()
        assert self.service.call("DELETE", f"/v1/subjects/{subject}").status_code < 300

    def make_due(self) -> None:
        """Let the time of the next try come."""
        with self.service.parts.database.write() as db:
            waiting = update(WebhookDeliveryRow).where(WebhookDeliveryRow.due_at.is_not(None))
            db.execute(waiting.values(due_at=utc_now() - timedelta(seconds=1)))


def replica(
    service: Service, name: str = "one", listed: tuple[str, ...] = HERE, seconds: float = 15
) -> Delivering:
    """A process that delivers."""
    outbox = Outbox(service.parts.database, service.parts.cipher, name)
    return Delivering(outbox, partial(send, targets=Targets.parse(listed), seconds=seconds))


def hooked(service: Service, url: str, **options: Any) -> Hooked:
    """A webhook for everything."""
    made, secret = service.parts.webhooks.add(url, EVENTS, BY, uuid7())
    return Hooked(service, made.id, secret, replica(service, **options))


def wait_for(is_so: Callable[[], bool]) -> None:
    """Wait until a thread has done something."""
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def test_the_signature_is_that_of_the_specification() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message = Message(UUID(int=1), "http://127.0.0.1/", '{"test": 2432232314}', secret)

    headers = sign(message, utc_now())

    assert Verifier(secret).verify(message.body, headers) == {"test": 2432232314}
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(message.body.replace("4", "5"), headers)


def test_an_administrator_adds_a_webhook_which_is_called_by_the_service_itself(
    start_service: Callable[..., Service], receiver: Receiver
) -> None:
    service = start_service(webhook_targets=HERE)
    asked = {"url": receiver.url, "events": ["subject.erased"]}
    made = service.call("POST", "/v1/webhooks", json=asked).json()
    subject = service.subject("Ada Lovelace")

    service.call("DELETE", f"/v1/subjects/{subject}")
    tested = service.call("POST", f"/v1/webhooks/{made['id']}/test")
    wait_for(lambda: len(receiver.got) == 2)

    assert tested.status_code == 202
    by_type = {json.loads(body)["type"]: (headers, body) for _, headers, body in receiver.got}
    assert by_type.keys() == {"subject.erased", "webhook.test"}
    headers, body = by_type["subject.erased"]
    told = Verifier(made["secret"]).verify(body, headers)
    assert told["data"].keys() == {"audit_seq", "subject_id"}
    assert told["data"]["subject_id"] == subject
    wait_for(
        lambda: all(
            one["delivered_at"] and one["status"] == 200
            for one in service.call("GET", f"/v1/webhooks/{made['id']}/deliveries").json()["items"]
        )
    )
    listed = service.call("GET", "/v1/webhooks")
    assert [one["id"] for one in listed.json()["items"]] == [made["id"]]
    assert made["secret"] not in listed.text


def test_only_administrators_see_and_change_webhooks(service: Service) -> None:
    key = service.key(*(scope for scope in Scope if scope is not Scope.ADMIN))

    assert service.call("GET", "/v1/webhooks", key=key).status_code == 403
    assert service.call("POST", f"/v1/webhooks/{uuid7()}/test", key=key).status_code == 403


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "https://elsewhere.example.org/",
        "https://user:word@hooks.example.org/",
        "http://hooks.example.org/",
        "https://[::ffff:127.0.0.1]/",
        "https://hooks.example.org:99999/",
    ],
)
def test_what_is_not_listed_is_not_added(start_service: Callable[..., Service], url: str) -> None:
    service = start_service(webhook_targets=("hooks.example.org",))

    answer = service.call("POST", "/v1/webhooks", json={"url": url, "events": ["subject.erased"]})

    assert (answer.status_code, answer.json()["code"]) == (422, "target_refused")
    assert service.call("GET", "/v1/webhooks").json()["items"] == []


def test_every_kind_is_told_by_ids_alone(
    staffed_exam: ExamService, astronaut_variants: dict[str, bytes], receiver: Receiver
) -> None:
    hook = hooked(staffed_exam.service, receiver.url)
    staffed_exam.check_in(astronaut_variants["compressed"], candidate="A1")
    referred = staffed_exam.check_in(astronaut_variants["closer"], candidate="B1").json()["checkin"]["id"]
    refuse = {"outcome": "refused", "reason_code": "impersonation_suspected", "note": "Is A1."}
    staffed_exam.call("POST", f"checkins/{referred}/override", json=refuse)
    models = staffed_exam.service.parts.models
    models.register("sha256:a", name="a", dim=2, actor="test")
    models.activate("sha256:a", actor="test")
    alarms = {"model_id": "sha256:a", "alarms": ["referral above before"]}
    with staffed_exam.service.parts.database.write() as db:
        audit.record(db, action=USE_ALARM, actor="use", details=alarms)
    hook.erase()

    hook.delivering.deliver()

    told = [json.loads(body) for _, _, body in receiver.got]
    assert [one["type"] for one in told] == [*EVENTS[:3], "model.promoted", "model.drifted", "subject.erased"]
    of_checkin = {"audit_seq", "subject_id", "exam_id", "session_id", "checkin_id", "entry_id", "outcome"}
    ids = [of_checkin] * 3 + [{"audit_seq", "model_id"}, {"audit_seq", *alarms}, {"audit_seq", "subject_id"}]
    assert [one["data"].keys() for one in told] == ids
    assert [one["data"]["checkin_id"] for one in told[1:3]] == [referred, referred]


def test_a_refused_message_is_tried_again_with_the_same_id_and_longer_pauses(
    service: Service, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    hook = hooked(service, receiver.url)
    hook.erase()

    pauses = []
    for _ in range(3):
        hook.delivering.deliver()
        [one] = hook.deliveries()
        pauses.append(one.due_at and round((one.due_at - utc_now()) / timedelta(minutes=1)))
        hook.make_due()
    hook.delivering.deliver()

    assert len(receiver.got) == 3
    assert set(receiver.ids) == {str(hook.deliveries()[0].id)}
    assert pauses == [0, 1, None]
    assert hook.deliveries()[0].delivered_at is not None


def test_a_message_that_is_never_taken_is_given_up_and_can_be_sent_again(
    service: Service, receiver: Receiver
) -> None:
    tries = len(WAITS) + 1
    receiver.statuses = [500] * tries
    hook = hooked(service, receiver.url)
    hook.erase()
    for _ in range(tries + 1):
        hook.delivering.deliver()
        hook.make_due()
    [given_up] = hook.deliveries()

    again = service.call("POST", f"/v1/webhooks/{hook.webhook_id}/deliveries/{given_up.id}/send-again")
    hook.delivering.deliver()

    assert (given_up.attempts, given_up.due_at, given_up.status) == (tries, None, 500)
    assert again.status_code == 202
    assert receiver.ids == [str(given_up.id)] * (tries + 1)


def test_messages_come_in_the_order_of_what_happened(service: Service, receiver: Receiver) -> None:
    hook = hooked(service, receiver.url)
    for _ in range(4):
        hook.erase()

    hook.delivering.deliver()

    seqs = [json.loads(body)["data"]["audit_seq"] for _, _, body in receiver.got]
    assert len(seqs) == 4
    assert seqs == sorted(seqs)


def test_a_receiver_that_does_not_answer_keeps_nobody_else_waiting(
    service: Service, receiver: Receiver
) -> None:
    with receiving() as slow:
        slow.hold.clear()
        away = hooked(service, slow.url, seconds=0.5)
        away.erase()
        away.erase()
        away.delivering.deliver()
        prompt = hooked(service, receiver.url)
        prompt.erase()

        away.delivering.deliver()
        slow.hold.set()

    assert {one.error for one in away.deliveries()} >= {"timed_out"}
    assert len(receiver.got) == 1


def test_a_receiver_that_is_not_there_is_tried_again(service: Service) -> None:
    with receiving() as gone:
        url = gone.url
    hook = hooked(service, url)
    hook.erase()

    hook.delivering.deliver()

    [one] = hook.deliveries()
    assert (one.error, one.attempts, one.status) == ("unreachable", 1, None)
    assert one.due_at is not None


def test_a_redirect_is_not_followed(service: Service, receiver: Receiver) -> None:
    receiver.statuses = [302]
    hook = hooked(service, receiver.url)
    hook.erase()

    hook.delivering.deliver()

    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert hook.deliveries()[0].error == "redirected"


def test_a_name_that_leads_to_an_address_that_is_not_listed_is_not_connected_to(
    service: Service, receiver: Receiver
) -> None:
    url = receiver.url.replace("127.0.0.1", "localhost")
    hook = hooked(service, url, listed=("localhost", "10.0.0.0/8"))
    hook.erase()
    hook.delivering.deliver()
    refused = hook.deliveries()[0].error
    hook.make_due()

    replace(hook, delivering=replica(service)).delivering.deliver()

    assert refused == "not_allowed"
    [(_, headers, _)] = receiver.got
    assert headers["host"] == f"localhost:{receiver.port}"


def test_an_answer_that_says_gone_disables_the_webhook_until_it_is_enabled(
    service: Service, receiver: Receiver
) -> None:
    receiver.statuses = [410]
    hook = hooked(service, receiver.url)
    hook.erase()
    hook.delivering.deliver()
    hook.erase()
    hook.delivering.deliver()
    path = f"/v1/webhooks/{hook.webhook_id}"
    [shown] = service.call("GET", "/v1/webhooks").json()["items"]
    tested = service.call("POST", f"{path}/test")

    service.call("PATCH", path, json={"enabled": True})
    hook.make_due()
    hook.delivering.deliver()

    assert shown["disabled_reason"] == "gone"
    assert (tested.status_code, tested.json()["code"]) == (409, "webhook_disabled")
    assert len(receiver.got) == 3


def test_another_secret_signs_from_now_on_and_a_former_one_no_more(
    service: Service, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    hook = hooked(service, receiver.url)
    hook.erase()
    hook.delivering.deliver()

    new = service.call("POST", f"/v1/webhooks/{hook.webhook_id}/secret").json()["secret"]
    hook.make_due()
    hook.delivering.deliver()

    (_, first, body), (_, second, _) = receiver.got
    Verifier(hook.secret).verify(body, first)
    Verifier(new).verify(body, second)
    with pytest.raises(WebhookVerificationError):
        Verifier(hook.secret).verify(body, second)


def test_a_replica_that_dies_after_sending_loses_nothing_and_the_next_uses_the_same_id(
    service: Service, receiver: Receiver
) -> None:
    hook = hooked(service, receiver.url)
    hook.erase()
    dying = Outbox(service.parts.database, service.parts.cipher, "dying")
    assert dying.take_lease()
    dying.gather()
    message = dying.open(dying.list_due()[0])
    assert message is not None
    send(message, Targets.parse(HERE))

    tried_at_once = hook.delivering.deliver()
    with service.parts.database.write() as db:
        db.execute(update(WebhookLeaseRow).values(until=utc_now()))
    hook.delivering.deliver()

    assert tried_at_once == 0
    assert receiver.ids == [str(message.id)] * 2
    assert [one.attempts for one in hook.deliveries()] == [1]


def test_a_settled_message_is_forgotten_after_its_time_and_one_that_waits_is_not(
    service: Service, receiver: Receiver
) -> None:
    hook = hooked(service, receiver.url)
    hook.erase()
    hook.delivering.deliver()
    hook.erase()
    hook.delivering._outbox.gather()
    with service.parts.database.write() as db:
        db.execute(update(WebhookDeliveryRow).values(created_at=utc_now() - KEPT - timedelta(minutes=1)))

    forgotten = PURGES["webhooks"](service.parts)

    assert forgotten == {"webhook_deliveries": 1}
    assert [one.delivered_at for one in hook.deliveries()] == [None]


def test_of_two_replicas_one_delivers(service: Service, receiver: Receiver) -> None:
    hook = hooked(service, receiver.url)
    other = replica(service, "other")
    hook.erase()

    tries = [hook.delivering.deliver(), other.deliver()]

    assert tries == [1, 0]
    assert len(receiver.got) == 1


def test_a_removed_webhook_is_not_called_any_more(service: Service, receiver: Receiver) -> None:
    hook = hooked(service, receiver.url)
    hook.erase()

    answer = service.call("DELETE", f"/v1/webhooks/{hook.webhook_id}")
    hook.delivering.deliver()

    assert answer.status_code == 204
    assert receiver.got == []
    assert service.call("GET", f"/v1/webhooks/{hook.webhook_id}/deliveries").status_code == 404
