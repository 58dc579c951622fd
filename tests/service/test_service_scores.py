"""Who sees distances, and how often somebody may be guessed at."""

import csv
import io
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ExamService
from fixtures_service import Service
from sqlalchemy import func, select

from index import audit
from index.tables import FailedComparisonRow, JobRow, utc_now
from service.access.guesses import WINDOW, Guesses
from service.access.scopes import KIOSK_SCOPES, Scope
from service.app import describe_app
from service.errors import GuessesExhausted

SCORES = {"d", "at_d", "fmr_at_d", "match_d", "refer_d", "threshold_match", "threshold_refer"}
SCORELESS = [scope for scope in Scope if scope not in (Scope.ADMIN, Scope.SCORES_READ)]
JSON_BODIES: dict[str, dict[str, Any]] = {
    "create_exam": {
        "name": "Later",
        "starts_at": "2030-01-01T08:00:00Z",
        "ends_at": "2030-01-01T10:00:00Z",
    },
    "create_session": {"room": "2", "opens_at": "2030-01-01T08:00:00Z", "closes_at": "2030-01-01T10:00:00Z"},
    "override_checkin": {"outcome": "refused", "reason_code": "impersonation_suspected"},
    "identify_candidate": {"candidate": "C1", "document_type": "passport"},
    "submit_job": {"kind": "retrain", "params": {"enrolled": True}},
}


def names_in(value: Any) -> Iterator[str]:
    """Every key of a document."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from names_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from names_in(one)


def scores_in(text: str, media_type: str) -> set[str]:
    """The names of scores in an answer, an event stream or a table."""
    if "json" in media_type:
        documents = [json.loads(text)] if text else []
    elif "event-stream" in media_type:
        documents = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    elif "csv" in media_type:
        documents = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    else:
        documents = []
    found = set(names_in(documents))
    return (found & SCORES) | ({"threshold"} & found)


@pytest.fixture
def referred(staffed_exam: ExamService, astronaut_jpeg: bytes) -> str:
    """An attempt with a conflict: the face of A1, who is in, for B1."""
    staffed_exam.check_in(astronaut_jpeg, candidate="A1")
    return str(staffed_exam.check_in(astronaut_jpeg, candidate="B1").json()["checkin"]["id"])


def test_no_operation_but_compare_tells_a_distance_to_a_key_without_the_scope(
    staffed_exam: ExamService, referred: str, astronaut_jpeg: bytes
) -> None:
    service = staffed_exam.service
    key = service.key(*SCORELESS)
    subject = service.call("GET", "/v1/subjects?external_id=A1").json()["items"][0]["id"]
    job = service.call("POST", "/v1/jobs", json=JSON_BODIES["submit_job"]).json()["id"]
    model = service.call("GET", "/v1/models").json()["items"][0]["id"]
    places = {
        "{session_id}": staffed_exam.session_id,
        "{exam_id}": staffed_exam.exam_id,
        "{subject}": subject,
        "{checkin_id}": referred,
        "{external_id}": "B1",
        "{job_id}": job,
        "{model_id}": model,
    }
    told: dict[str, set[str]] = {}
    answered = set()

    for operation_id, method, path, operation in operations():
        for name, value in places.items():
            path = path.replace(name, value)
        if operation_id in ("follow_session", "follow_rooms"):
            # The test's client reads a stream to its end, which a session has once it is closed.
            continue
        body = body_of(operation_id, operation, astronaut_jpeg)
        answer = service.call(method, path, key=key, **body)
        told[operation_id] = scores_in(answer.text, answer.headers.get("content-type", ""))
        answered |= {operation_id} if answer.is_success else set()

    assert {name for name, scores in told.items() if scores} == {"compare_pictures"}
    assert {"d", "at_d", "threshold"} <= told["compare_pictures"]
    assert {
        "verify_subject",
        "search_gallery",
        "list_checkins",
        "show_checkin",
        "override_checkin",
    } <= answered
    assert {"identify_candidate", "show_readiness", "download_report", "download_evidence"} <= answered


def test_a_comparison_of_models_tells_its_thresholds_to_those_with_the_scope_alone(service: Service) -> None:
    gate = {
        "verdict": "not_worse",
        "rates": [{"fmr": 1e-3, "candidate": {"fnmr": 0.2, "threshold": 1.25, "threshold_interval": [1, 2]}}],
    }
    service.parts.models.register("sha256:candidate", name="candidate", dim=128, gate=gate, actor="test")
    job = service.call("POST", "/v1/jobs", json=JSON_BODIES["submit_job"]).json()["id"]
    with service.parts.database.write() as db:
        db.get_one(JobRow, UUID(job)).result = {"gate": gate, "model_id": "sha256:candidate"}
    runner = service.key(Scope.JOBS_RUN)
    reader = service.key(Scope.JOBS_RUN, Scope.SCORES_READ)

    for path in ("/v1/models", "/v1/models/sha256:candidate", "/v1/jobs", f"/v1/jobs/{job}"):
        hidden, told = (service.call("GET", path, key=key).text for key in (runner, reader))

        assert "fnmr" in hidden
        assert "threshold_interval" not in hidden
        assert '"candidate":{"fnmr":0.2}' in hidden
        assert "threshold_interval" in told
    cancelled = service.call("POST", f"/v1/jobs/{job}/cancel", key=runner)
    assert cancelled.status_code == 202
    assert "threshold" not in cancelled.text


def test_the_trail_tells_no_distance_of_a_forced_duplicate(service: Service, astronaut_jpeg: bytes) -> None:
    service.enrolled(astronaut_jpeg, "first")
    path = f"/v1/subjects/{service.subject('twin')}/templates?force=true&reason=twins"
    assert service.call("POST", path, files={"image": astronaut_jpeg}).status_code == 201
    # As an earlier version wrote it.
    former = {"template_id": "t", "duplicate_of": "s", "d": 0.25}
    with service.parts.database.write() as db:
        audit.record(db, action="template.enrolled", actor="test", details=former)
    events = "/v1/audit-events?action=template.enrolled"

    without = service.call("GET", events, key=service.key(Scope.AUDIT_READ)).text
    told = service.call("GET", events, key=service.key(Scope.AUDIT_READ, Scope.SCORES_READ)).json()["items"]

    assert '"d":' not in without
    assert "duplicate_of" in without
    assert [one["details"].get("d") for one in told] == [None, None, 0.25]


def operations() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Every operation; an override of the newest attempt first, those that remove something last."""
    paths = describe_app().openapi()["paths"]
    every = [
        (one["operationId"], method, path, one)
        for path, all_of in paths.items()
        for method, one in all_of.items()
    ]

    def removes(one: tuple[str, str, str, dict[str, Any]]) -> bool:
        return one[1] in ("delete", "put") or one[0] == "withdraw_consent"

    return iter(sorted(every, key=lambda one: (one[0] != "override_checkin", removes(one))))


def body_of(operation_id: str, operation: dict[str, Any], picture: bytes) -> dict[str, Any]:
    """What an operation needs to answer."""
    content = operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        required = content["multipart/form-data"]["schema"]["required"]
        extra = {"data": {"candidate": "B1"}} if operation_id == "check_in_candidate" else {}
        return {"files": dict.fromkeys(required, picture), **extra}
    if "application/json" in content:
        return {"json": JSON_BODIES.get(operation_id, {})}
    return {}


def test_a_kiosk_does_not_see_how_many_people_are_enrolled(staffed_exam: ExamService) -> None:
    refused = staffed_exam.service.call("GET", "/v1/models", key=staffed_exam.kiosk_key())

    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_the_scope_shows_the_distance_in_the_same_places(
    staffed_exam: ExamService, referred: str, astronaut_jpeg: bytes
) -> None:
    service = staffed_exam.service
    key = service.key(*SCORELESS, Scope.SCORES_READ)
    subject = service.call("GET", "/v1/subjects?external_id=A1").json()["items"][0]["id"]

    verified = service.call(
        "POST", f"/v1/subjects/{subject}/verify", key=key, files={"image": astronaut_jpeg}
    )
    found = service.call("POST", "/v1/search", key=key, files={"image": astronaut_jpeg}).json()
    attempt = service.call("GET", f"/v1/checkins/{referred}", key=key).json()
    report = service.call("GET", f"/v1/sessions/{staffed_exam.session_id}/report.csv", key=key)

    assert {"d", "threshold"} <= verified.json().keys()
    assert found["matches"][0]["d"] == pytest.approx(verified.json()["d"], abs=1e-5)
    assert attempt["conflicts"][0]["d"] is not None
    assert {"d", "fmr_at_d", "threshold_match"} <= scores_in(report.text, "text/csv")


def test_a_kiosk_hears_neither_distance_nor_quality_nor_ids(
    staffed_exam: ExamService, astronaut_jpeg: bytes
) -> None:
    answer = staffed_exam.check_in(astronaut_jpeg, staffed_exam.kiosk_key(), candidate="A1").json()

    assert (answer["checkin"]["outcome"], answer["decision"]["decision"]) == ("admitted", "match")
    assert answer["checkin"]["display_name"] == "Ann Arbor"
    hidden = {"subject_id", "template_id", "entry_id", "probe_quality", "threshold", *SCORES}
    assert hidden & set(names_in(answer)) == set()
    assert Scope.SCORES_READ not in KIOSK_SCOPES


@pytest.mark.parametrize(("scopes", "seen"), [((Scope.OVERRIDE,), False), ((Scope.ADMIN,), True)])
def test_the_board_tells_distances_to_those_who_may_see_them(
    staffed_exam: ExamService, referred: str, scopes: tuple[Scope, ...], seen: bool
) -> None:
    service = staffed_exam.service
    closing = {"closes_at": utc_now().isoformat(), "reason": "the hall is empty"}
    assert staffed_exam.call("PATCH", "sessions/{session}", json=closing).status_code == 200

    live = service.call(
        "GET",
        f"/v1/sessions/{staffed_exam.session_id}/live",
        key=service.key(*scopes),
        headers={"Last-Event-ID": "1"},
    )

    assert "event: checkin" in live.text
    assert ("d" in scores_in(live.text, "text/event-stream")) is seen


class TestGuessing:
    @pytest.fixture
    def strict(self, start_service: Callable[..., Service], database_url: str) -> Service:
        return start_service(failed_comparisons_per_hour=3, database_url=database_url)

    def test_failures_of_one_subject_are_limited_across_keys_and_processes(
        self,
        strict: Service,
        start_service: Callable[..., Service],
        astronaut_jpeg: bytes,
        stranger_jpeg: bytes,
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg)
        other = strict.subject("other")
        for key in (strict.key(Scope.VERIFY), strict.admin, strict.key(Scope.VERIFY)):
            answer = verify(strict, subject, stranger_jpeg, key)
            assert answer.json()["decision"] == "no_match"
        wait_for_failures(strict, 3)
        neighbour = start_service(
            failed_comparisons_per_hour=3, database_url=strict.parts.settings.database_url
        )

        refused = [verify(one, subject, astronaut_jpeg, one.admin) for one in (strict, neighbour)]

        for answer in refused:
            assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
            assert 3500 < int(answer.headers["retry-after"]) <= 3600
        assert verify(strict, other, astronaut_jpeg, strict.admin).json()["code"] == "no_template"

    def test_many_at_once_fail_no_more_often_than_is_allowed(
        self, strict: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg)
        guesses = strict.parts.guesses
        begun, let_in = Barrier(12, timeout=30), []

        def guess(_: int) -> None:
            begun.wait()
            with suppress(GuessesExhausted), guesses.comparing(UUID(subject)) as comparison:
                let_in.append(1)
                # Nobody has failed before everybody has tried.
                begun.wait()
                comparison.failed.add(UUID(subject))
                return
            begun.wait()

        with ThreadPoolExecutor(12) as callers:
            list(callers.map(guess, range(12)))

        guesses.close()
        assert (len(let_in), failures(strict)) == (3, 3)

    def test_searches_at_once_fail_no_more_often_than_is_allowed(
        self, start_service: Callable[..., Service], astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        # So wide that a stranger is near enough to be named.
        service = start_service(failed_comparisons_per_hour=3, refer_fmr=0.9)
        service.enrolled(astronaut_jpeg)

        def search(_: int) -> Any:
            return service.call("POST", "/v1/search", files={"image": stranger_jpeg})

        with ThreadPoolExecutor(12) as callers:
            answers = list(callers.map(search, range(24)))

        named = [one for one in answers if one.status_code == 200]
        assert {one.json()["matches"][0]["decision"] for one in named} == {"refer"}
        assert 1 <= len(named) <= 3
        assert {one.status_code for one in answers} == {200, 429}

    def test_processes_that_do_not_see_each_other_yet_fail_less_than_twice_as_often(
        self, strict: Service, astronaut_jpeg: bytes
    ) -> None:
        subject = UUID(strict.enrolled(astronaut_jpeg))
        processes = [Guesses(strict.parts.database, 30, processes=4) for _ in range(4)]
        with ExitStack() as under_way:
            let_in = 0
            for one in processes * 30:
                with suppress(GuessesExhausted):
                    under_way.enter_context(one.comparing(subject))
                    let_in += 1

        assert 30 <= let_in < 60

    @pytest.mark.parametrize(
        "path", ["/v1/enrolments?dry_run=true", "/v1/enrolments", "/v1/subjects/{subject}/templates"]
    )
    def test_an_enrolment_that_tells_of_another_face_counts_as_a_verification(
        self, strict: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes, path: str
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg, "A1")
        data = {"external_id": "A1"} if "enrolments" in path else {}
        files = {"image": stranger_jpeg}

        answers = [
            strict.call("POST", path.format(subject=subject), data=data, files=files) for _ in range(4)
        ]

        codes = [one.json()["code"] for one in answers]
        assert codes == ["not_the_same_person"] * 3 + ["rate_limited"]
        assert verify(strict, subject, stranger_jpeg, strict.admin).status_code == 429

    def test_matches_are_never_counted(self, strict: Service, astronaut_jpeg: bytes) -> None:
        subject = strict.enrolled(astronaut_jpeg)

        answers = [verify(strict, subject, astronaut_jpeg, strict.admin) for _ in range(5)]

        assert {one.json()["decision"] for one in answers} == {"match"}
        strict.parts.guesses.close()
        assert failures(strict) == 0

    def test_an_hour_later_the_subject_may_be_compared_again(
        self, strict: Service, astronaut_jpeg: bytes
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg)
        with strict.parts.database.write() as db:
            for _ in range(3):
                db.add(FailedComparisonRow(subject_id=UUID(subject), at=utc_now() - WINDOW))

        assert verify(strict, subject, astronaut_jpeg, strict.admin).json()["decision"] == "match"

    def test_failures_from_a_clock_that_was_ahead_do_not_count(
        self, strict: Service, astronaut_jpeg: bytes
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg)
        with strict.parts.database.write() as db:
            for _ in range(3):
                db.add(FailedComparisonRow(subject_id=UUID(subject), at=utc_now() + 400 * 24 * WINDOW))

        assert verify(strict, subject, astronaut_jpeg, strict.admin).json()["decision"] == "match"
        strict.parts.guesses.purge()
        assert failures(strict) == 0

    def test_what_an_erased_subject_was_guessed_at_goes_with_it(
        self, strict: Service, astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        subject = strict.enrolled(astronaut_jpeg)
        verify(strict, subject, stranger_jpeg, strict.admin)
        wait_for_failures(strict, 1)

        strict.call("DELETE", f"/v1/subjects/{subject}")

        assert failures(strict) == 0

    def test_check_ins_are_not_stopped_by_it(
        self, start_exam: Callable[..., ExamService], astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        exam = start_exam(failed_comparisons_per_hour=1)
        subject = exam.service.enrolled(astronaut_jpeg, "A1")
        exam.put_csv("external_id,display_name,seat\nA1,Ann Arbor,1\n")
        verify(exam.service, subject, stranger_jpeg, exam.service.admin)
        assert verify(exam.service, subject, stranger_jpeg, exam.service.admin).status_code == 429

        assert exam.check_in(astronaut_jpeg, candidate="A1").json()["checkin"]["outcome"] == "admitted"

    def test_a_process_counts_by_itself_while_the_database_cannot_be_written(
        self, start_service: Callable[..., Service], astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        service = start_service(failed_comparisons_per_hour=2)
        subject = service.enrolled(astronaut_jpeg)
        locked = sqlite3.connect(service.parts.settings.data_dir / "invigil.db", isolation_level=None)
        locked.execute("BEGIN IMMEDIATE")

        answers = [verify(service, subject, stranger_jpeg, service.admin) for _ in range(3)]

        locked.close()
        assert [one.status_code for one in answers] == [200, 200, 429]


def verify(service: Service, subject: str, picture: bytes, key: str) -> Any:
    return service.call("POST", f"/v1/subjects/{subject}/verify", key=key, files={"image": picture})


def wait_for_failures(service: Service, count: int) -> None:
    """They are written beside their requests."""
    until = time.monotonic() + 30
    while failures(service) < count:
        assert time.monotonic() < until, "the failures were not counted"
        time.sleep(0.02)


def failures(service: Service) -> int:
    with service.parts.database.read() as db:
        return db.scalar(select(func.count()).select_from(FailedComparisonRow)) or 0
