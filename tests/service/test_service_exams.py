"""Check-in over HTTP with real faces: the whole way, who may do what, and what is refused."""

import csv
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2 as httpx
import pytest
from fixtures_exams import ExamService, hours_from_now

from index.ids import uuid7
from service.access.scopes import Scope

ROSTER = "external_id,display_name,seat\nA1,Ann Arbor,1\nB1,Bob Burns,2\n"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, which must be this one."""
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return dict(answer.json())


def moment(hours: float) -> str:
    return hours_from_now(hours).isoformat()


class TestTheWholeWay:
    def test_from_a_roster_to_a_report(
        self, staffed_exam: ExamService, astronaut_variants: dict[str, bytes], stranger_jpeg: bytes
    ) -> None:
        kiosk = staffed_exam.kiosk_key()

        admitted = staffed_exam.check_in(
            astronaut_variants["compressed"], kiosk, candidate="A1", kiosk="door 1", client_time=moment(0)
        )
        referred = staffed_exam.check_in(astronaut_variants["closer"], kiosk, candidate="B1")
        checkin_id = referred.json()["checkin"]["id"]
        override = staffed_exam.call(
            "POST",
            f"checkins/{checkin_id}/override",
            json={"outcome": "refused", "reason_code": "impersonation_suspected", "note": "Is A1."},
        )
        shown = staffed_exam.call(
            "POST",
            "sessions/{session}/identifications",
            json={"candidate": "C1", "document_type": "passport", "operator": "M. Reyes"},
        )
        board = staffed_exam.call("GET", "sessions/{session}/roster").json()["items"]
        report = staffed_exam.call("GET", "sessions/{session}/report.csv")
        evidence = staffed_exam.call("GET", "sessions/{session}/candidates/B1/evidence")

        assert admitted.status_code == 201, admitted.text
        assert admitted.json()["checkin"]["outcome"] == "admitted"
        assert admitted.json()["decision"]["decision"] == "match"
        kept = staffed_exam.call("GET", f"checkins/{admitted.json()['checkin']['id']}").json()
        assert kept["d"] <= kept["threshold"]["match"]
        assert admitted.json()["attempts"] == {"made": 1, "allowed": 3}
        assert referred.json()["checkin"]["outcome"] == "referred"
        assert override.json()["checkin"]["effective_outcome"] == "refused"
        assert shown.json()["checkin"]["outcome"] == "identified_manually"
        assert [one["status"] for one in board] == ["admitted", "refused", "identified_manually"]
        rows = list(csv.DictReader(io.StringIO(report.text.removeprefix("\ufeff"))))
        assert [(row["kind"], row["external_id"], row["outcome"]) for row in rows] == [
            ("session", "", ""),
            ("transaction", "A1", "verified"),
            ("transaction", "B1", "referred"),
            ("attempt", "A1", "admitted"),
            ("attempt", "B1", "referred"),
            ("override", "B1", "refused"),
            ("attempt", "C1", "identified_manually"),
        ]
        assert rows[4]["same_face_as"] == "A1 Ann Arbor"
        assert evidence.json()["intact"]
        assert "attachment" in evidence.headers["content-disposition"]

    def test_the_same_face_for_two_candidates_is_referred_with_both_names(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, astronaut_variants: dict[str, bytes]
    ) -> None:
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")

        answer = staffed_exam.check_in(astronaut_variants["smaller"], candidate="B1").json()["checkin"]

        assert (answer["outcome"], answer["display_name"]) == ("referred", "Bob Burns")
        assert [one["display_name"] for one in answer["conflicts"]] == ["Ann Arbor"]

    def test_a_kiosk_hears_of_a_conflict_and_not_with_whom(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        kiosk = staffed_exam.kiosk_key()
        staffed_exam.check_in(astronaut_jpeg, kiosk, candidate="A1")

        answer = staffed_exam.check_in(astronaut_jpeg, kiosk, candidate="B1")

        assert answer.json()["checkin"]["outcome"] == "referred"
        assert "Ann" not in answer.text

    def test_a_face_without_a_name_is_looked_for_on_the_roster(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        answer = staffed_exam.check_in(stranger_jpeg).json()["checkin"]

        assert (answer["mode"], answer["external_id"], answer["outcome"]) == ("search", "B1", "admitted")

    def test_a_candidate_is_found_however_the_number_is_typed(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        answer = staffed_exam.check_in(astronaut_jpeg, candidate=" ａ１").json()["checkin"]
        listed = staffed_exam.call("GET", "sessions/{session}/checkins?external_id=a1").json()["items"]

        assert (answer["external_id"], answer["outcome"]) == ("A1", "admitted")
        assert [one["id"] for one in listed] == [answer["id"]]

    def test_a_search_can_be_kept_to_a_session(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        staffed_exam.put_csv("external_id\nB1\n")
        scope = {"scope": f"session:{staffed_exam.session_id}"}

        on_it = staffed_exam.call("POST", "search", files={"image": stranger_jpeg}, data=scope)
        off_it = staffed_exam.call("POST", "search", files={"image": astronaut_jpeg}, data=scope)

        assert len(on_it.json()["matches"]) == 1
        assert off_it.json()["matches"] == []

    def test_readiness_names_who_has_no_template(self, staffed_exam: ExamService) -> None:
        found = staffed_exam.call("GET", "sessions/{session}/readiness").json()

        assert (found["candidates"], found["ready"]) == (3, 2)
        assert [(one["external_id"], one["reason"]) for one in found["cannot_verify"]] == [
            ("C1", "no_template")
        ]

    def test_lists_come_in_pages(self, staffed_exam: ExamService) -> None:
        first = staffed_exam.call("GET", "sessions/{session}/roster?limit=2").json()
        second = staffed_exam.call(
            "GET", f"sessions/{{session}}/roster?limit=2&cursor={first['next_cursor']}"
        ).json()

        assert [one["external_id"] for one in first["items"] + second["items"]] == ["A1", "B1", "C1"]
        assert second["next_cursor"] is None


class TestRefusals:
    def test_a_candidate_is_checked_in_once(self, staffed_exam: ExamService, astronaut_jpeg: bytes) -> None:
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")

        found = problem(staffed_exam.check_in(astronaut_jpeg, candidate="A1"), 409, "already_checked_in")

        assert found["seat"] == "1"
        assert found["checked_in_at"]

    def test_two_kiosks_in_the_same_moment_let_a_candidate_in_once(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        keys = [staffed_exam.kiosk_key() for _ in range(4)]

        with ThreadPoolExecutor(4) as kiosks:
            answers = list(
                kiosks.map(lambda key: staffed_exam.check_in(astronaut_jpeg, key, candidate="A1"), keys)
            )

        assert sorted(one.status_code for one in answers) == [201, 409, 409, 409]

    def test_an_attempt_sent_twice_under_one_idempotency_key_is_one_attempt(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        header = {"Idempotency-Key": "kiosk-1-attempt-1"}

        first = staffed_exam.check_in(astronaut_jpeg, candidate="A1", headers=header)
        again = staffed_exam.check_in(astronaut_jpeg, candidate="A1", headers=header)

        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotency-replayed"] == "true"

    @pytest.mark.parametrize(("candidate", "code"), [("nobody", "not_on_roster"), ("C1", "no_template")])
    def test_who_is_not_expected_or_not_enrolled_is_refused(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, candidate: str, code: str
    ) -> None:
        problem(staffed_exam.check_in(astronaut_jpeg, candidate=candidate), 409, code)

    @pytest.mark.parametrize(("opens", "closes"), [(-2, -1), (1, 2)])
    def test_outside_the_window_nobody_is_checked_in(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, opens: float, closes: float
    ) -> None:
        window = {"opens_at": moment(opens), "closes_at": moment(closes), "reason": "another day"}
        staffed_exam.call("PATCH", "sessions/{session}", json=window)

        answer = staffed_exam.check_in(
            astronaut_jpeg, candidate="A1", client_time=moment((opens + closes) / 2)
        )

        found = problem(answer, 409, "session_closed")
        assert found["opens_at"] < found["closes_at"]
        assert found["server_time"]

    def test_a_picture_without_a_face_is_no_attempt(
        self, staffed_exam: ExamService, faceless_pictures: dict[str, bytes]
    ) -> None:
        problem(staffed_exam.check_in(faceless_pictures["coffee"], candidate="A1"), 422, "face_not_found")

        assert staffed_exam.call("GET", "sessions/{session}/roster").json()["items"][0]["attempts"] == 0

    @pytest.mark.parametrize("named", ["faceless", "two faces", "damaged", "no picture"])
    def test_the_last_picture_of_a_kiosk_is_referred_whatever_it_is(
        self,
        staffed_exam: ExamService,
        faceless_pictures: dict[str, bytes],
        two_faces_jpeg: bytes,
        astronaut_jpeg: bytes,
        named: str,
    ) -> None:
        pictures = {
            "faceless": (faceless_pictures["coffee"], "face_not_found"),
            "two faces": (two_faces_jpeg, "multiple_faces"),
            "damaged": (astronaut_jpeg[: len(astronaut_jpeg) // 3], "decode_failed"),
            "no picture": (b"%PDF-1.7", "unsupported_media"),
        }
        picture, code = pictures[named]

        before = staffed_exam.check_in(picture, candidate="A1")
        answer = staffed_exam.check_in(picture, candidate="A1", final="true")

        assert (before.status_code // 100, before.json()["code"]) == (4, code)
        assert answer.status_code == 201, answer.text
        assert answer.json()["decision"] is None
        checkin = answer.json()["checkin"]
        assert (checkin["outcome"], checkin["reasons"], checkin["decision"]) == ("referred", [code], None)
        board = staffed_exam.call("GET", "sessions/{session}/roster").json()["items"]
        assert (board[0]["status"], board[0]["checkin_id"]) == ("referred", checkin["id"])

    def test_whoever_claims_nobody_is_refused_unless_the_exam_looks_for_faces(
        self, start_exam: Callable[..., ExamService], astronaut_jpeg: bytes
    ) -> None:
        exam = start_exam({"identification": False})
        exam.service.enrolled(astronaut_jpeg, "A1")
        exam.put_csv("external_id\nA1\n")

        problem(exam.check_in(astronaut_jpeg), 422, "candidate_required")
        problem(exam.check_in(astronaut_jpeg, candidate="  ", final="true"), 422, "candidate_required")
        assert exam.call("GET", "exams/{exam}").json()["identification"] is False
        assert exam.call("GET", "sessions/{session}", key=exam.kiosk_key()).json()["identification"] is False

    def test_the_stages_of_a_check_in_are_timed(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, faceless_pictures: dict[str, bytes]
    ) -> None:
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")
        staffed_exam.check_in(faceless_pictures["coffee"], candidate="B1", final="true")

        read = staffed_exam.service.call("GET", "/metrics", key="").text

        # Two enrolments and the one check-in that was compared.
        for stage in ("decode", "detect", "embed"):
            assert f'invigil_stage_seconds_count{{stage="{stage}"}} 3.0' in read
        assert 'invigil_decisions_total{decision="match",kind="checkin"} 1.0' in read
        assert 'invigil_decisions_total{decision="none",kind="checkin"} 1.0' in read

    def test_attempts_are_counted(
        self, start_exam: Callable[..., ExamService], astronaut_jpeg: bytes, stranger_jpeg: bytes
    ) -> None:
        exam = start_exam({"attempts_allowed": 1})
        exam.service.enrolled(astronaut_jpeg, "A1")
        exam.put_csv("external_id\nA1\n")
        exam.check_in(stranger_jpeg, candidate="A1")

        found = problem(exam.check_in(astronaut_jpeg, candidate="A1"), 409, "attempts_exhausted")

        assert (found["made"], found["allowed"]) == (1, 1)

    @pytest.mark.parametrize(
        "fields", [{"client_time": "yesterday"}, {"client_time": "2026-01-01T00:00:00"}, {"seat": "x" * 65}]
    )
    def test_a_field_that_makes_no_sense_is_named(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes, fields: dict[str, str]
    ) -> None:
        found = problem(staffed_exam.check_in(astronaut_jpeg, None, None, **fields), 422, "validation_failed")

        assert found["errors"][0]["pointer"] == f"/body/{next(iter(fields))}"

    def test_an_override_needs_a_reason_of_the_exams(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        checkin = staffed_exam.check_in(stranger_jpeg, candidate="A1").json()["checkin"]
        path = f"checkins/{checkin['id']}/override"

        missing = staffed_exam.call("POST", path, json={"outcome": "admitted"})
        unknown = staffed_exam.call("POST", path, json={"outcome": "admitted", "reason_code": "because"})

        assert problem(missing, 422, "validation_failed")["errors"][0]["pointer"] == "/body/reason_code"
        assert "document_checked" in problem(unknown, 422, "reason_code_unknown")["allowed"]

    def test_an_attempt_that_no_longer_counts_is_not_decided(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        older, newer = (staffed_exam.check_in(stranger_jpeg, candidate="A1").json() for _ in range(2))
        admit = {"outcome": "admitted", "reason_code": "document_checked"}
        refuse = {"outcome": "refused", "reason_code": "impersonation_suspected", "seen_overrides": 0}

        superseded = staffed_exam.call("POST", f"checkins/{older['checkin']['id']}/override", json=admit)
        path = f"checkins/{newer['checkin']['id']}/override"
        decided = staffed_exam.call("POST", path, json=refuse)
        stale = staffed_exam.call("POST", path, json=admit | {"seen_overrides": 0})

        assert problem(superseded, 409, "attempt_superseded")["checkin_id"] == newer["checkin"]["id"]
        assert decided.status_code == 201
        assert problem(stale, 409, "decided_meanwhile")["outcome"] == "refused"

    def test_a_note_with_html_comes_back_as_the_text_it_is(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        note = "<script>alert('x')</script><b>tall</b>"
        checkin = staffed_exam.check_in(stranger_jpeg, candidate="A1").json()["checkin"]

        made = staffed_exam.call(
            "POST",
            f"checkins/{checkin['id']}/override",
            json={"outcome": "admitted", "reason_code": "document_checked", "note": note},
        )

        assert made.json()["override"]["note"] == note
        assert made.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("path", ["exams/{id}", "sessions/{id}", "checkins/{id}", "sessions/{id}/live"])
    def test_what_is_not_there_is_named(self, exam_service: ExamService, path: str) -> None:
        answer = exam_service.call("GET", path.replace("{id}", str(uuid7())))

        problem(answer, 404, {"e": "exam", "s": "session", "c": "checkin"}[path[0]] + "_not_found")

    @pytest.mark.parametrize(
        "change",
        [
            {"ends_at": moment(-5)},
            {"match_fmr": 1e-3, "refer_fmr": 1e-4},
            {"match_fmr": 1e-12},
            {"attempts_allowed": 0},
            {"reason_codes": []},
            {"colour": "red"},
        ],
    )
    def test_an_exam_that_could_not_be_held_is_refused(
        self, exam_service: ExamService, change: dict[str, Any]
    ) -> None:
        problem(exam_service.call("PATCH", "exams/{exam}", json=change), 422, "validation_failed")

    def test_an_exam_with_an_attempt_is_archived_and_another_one_deleted(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        day = {"starts_at": "2031-01-01T09:00:00Z", "ends_at": "2031-01-01T12:00:00Z"}
        empty = staffed_exam.call("POST", "exams", json={"name": "Empty", **day}).json()["id"]
        attempt = staffed_exam.check_in(stranger_jpeg, candidate="B1").json()["checkin"]["id"]

        deleted = staffed_exam.call("DELETE", f"exams/{empty}")
        early = staffed_exam.call("DELETE", "exams/{exam}")
        archived = staffed_exam.call("DELETE", "exams/{exam}?reason=fire+alarm")

        assert (deleted.status_code, deleted.content) == (204, b"")
        problem(early, 409, "session_open")
        assert (archived.status_code, archived.json()["archived_at"] is None) == (200, False)
        problem(staffed_exam.check_in(stranger_jpeg, candidate="B1"), 409, "exam_archived")
        assert staffed_exam.call("GET", f"checkins/{attempt}").status_code == 200
        assert staffed_exam.call("GET", "exams").json()["items"] == []
        (listed,) = staffed_exam.call("GET", "exams?archived=true").json()["items"]
        assert listed == archived.json()


class TestRosters:
    @pytest.mark.parametrize(
        ("data", "code"),
        [
            ("external_id,display_name\nA1,Zoë\n".encode("latin-1"), "roster_unreadable"),
            (b"display_name,seat\nAnn,1\n", "roster_unreadable"),
            (b"external_id,display_name\nA1," + b"x" * 2_000_000 + b"\n", "roster_unreadable"),
            (b"external_id,exam\nA1,Physics\n", "roster_refused"),
            (b"external_id\nunknown\n", "roster_refused"),
        ],
        ids=["latin-1", "missing column", "two megabytes", "somebody else's exam", "unknown people"],
    )
    def test_a_roster_that_cannot_be_used_leaves_the_one_there_is(
        self, staffed_exam: ExamService, data: bytes, code: str
    ) -> None:
        problem(staffed_exam.put_csv(data), 422, code)

        assert len(staffed_exam.call("GET", "sessions/{session}/roster").json()["items"]) == 3

    def test_formulas_are_stored_as_text_and_written_so_that_no_spreadsheet_runs_them(
        self, staffed_exam: ExamService, stranger_jpeg: bytes
    ) -> None:
        formula = '=HYPERLINK("http://evil","click")'
        name = formula.replace('"', '""')
        staffed_exam.put_csv(f'external_id,display_name,seat\nA1,"{name}",+1\n')
        staffed_exam.check_in(stranger_jpeg, candidate="A1")

        board = staffed_exam.call("GET", "sessions/{session}/roster").json()["items"]
        report = staffed_exam.call("GET", "sessions/{session}/report.csv").text.removeprefix("\ufeff")
        _, row, *_ = csv.DictReader(io.StringIO(report))

        assert board[0]["display_name"] == formula
        assert (row["display_name"], row["seat"]) == ("'" + formula, "'+1")

    def test_a_roster_may_come_as_json(self, staffed_exam: ExamService) -> None:
        candidates = [{"external_id": "A1", "seat": "9", "twin": True, "accommodation": "extra time"}]

        answer = staffed_exam.call(
            "PUT", "sessions/{session}/roster?mode=merge", json={"candidates": candidates}
        )

        assert (answer.status_code, answer.json()["changed"]) == (200, 1)
        board = staffed_exam.call("GET", "sessions/{session}/roster").json()["items"]
        assert board[0]["flags"] == {
            "manual_identification": False,
            "private_check": False,
            "twin": True,
            "accommodation": "extra time",
        }

    @pytest.mark.parametrize("body", [{}, {"candidates": [{}]}, {"candidates": "A1"}, {"rows": []}])
    def test_json_that_is_no_roster_is_refused_by_its_place(
        self, exam_service: ExamService, body: dict[str, Any]
    ) -> None:
        found = problem(
            exam_service.call("PUT", "sessions/{session}/roster", json=body), 422, "validation_failed"
        )

        assert found["errors"][0]["pointer"].startswith("/body/")

    def test_another_media_type_is_refused(self, exam_service: ExamService) -> None:
        answer = exam_service.call(
            "PUT", "sessions/{session}/roster", content=b"PK", headers={"content-type": "application/zip"}
        )

        problem(answer, 415, "unsupported_media")

    def test_a_roster_beyond_the_limit_is_not_read(self, exam_service: ExamService) -> None:
        problem(exam_service.put_csv(b"external_id\n" + b"x" * 33 * 1024 * 1024), 413, "body_too_large")

    def test_a_dry_run_writes_nothing(self, exam_service: ExamService) -> None:
        report = exam_service.put_csv(ROSTER, "?dry_run=true&create_subjects=true").json()

        assert (report["dry_run"], report["applied"], report["added"]) == (True, False, 2)
        assert exam_service.call("GET", "sessions/{session}/roster").json()["items"] == []


class TestKeys:
    def test_a_kiosks_key_opens_its_own_session_and_nothing_else(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        kiosk = staffed_exam.kiosk_key()
        window = {"room": "R2", "opens_at": moment(-1), "closes_at": moment(1)}
        other = staffed_exam.call("POST", "exams/{exam}/sessions", json=window).json()["id"]

        assert staffed_exam.call("GET", "sessions/{session}", key=kiosk).status_code == 200
        elsewhere = staffed_exam.call(
            "POST", f"sessions/{other}/checkins", key=kiosk, files={"image": astronaut_jpeg}
        )
        problem(elsewhere, 403, "forbidden")
        for method, path in (
            ("GET", f"sessions/{other}"),
            ("GET", "sessions/{session}/roster"),
            ("GET", "sessions/{session}/checkins"),
            ("GET", "sessions/{session}/live"),
            ("GET", "sessions/{session}/report.csv"),
            ("GET", "subjects"),
        ):
            problem(staffed_exam.call(method, path, key=kiosk), 403, "forbidden")

    def test_a_kiosks_key_ends_with_its_session(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        kiosk = staffed_exam.kiosk_key()
        closing = {"opens_at": moment(-2), "closes_at": moment(-1), "reason": "the hall is empty"}
        staffed_exam.call("PATCH", "sessions/{session}", json=closing)

        problem(staffed_exam.check_in(astronaut_jpeg, kiosk, candidate="A1"), 401, "unauthenticated")
        answer = staffed_exam.call("POST", "sessions/{session}/kiosk-keys", json={})
        problem(answer, 409, "session_closed")

    def test_a_kiosks_key_that_is_made_while_the_window_changes_ends_with_the_new_one(
        self, staffed_exam: ExamService
    ) -> None:
        windows = [{"closes_at": moment(hours), "reason": "a late start"} for hours in range(3, 18)]
        done = threading.Event()

        def make_keys() -> list[str]:
            made = []
            while not done.is_set():
                made.append(staffed_exam.kiosk_key())
            return made

        with ThreadPoolExecutor(3) as makers:
            making = [makers.submit(make_keys) for _ in range(3)]
            for window in windows:
                assert staffed_exam.call("PATCH", "sessions/{session}", json=window).status_code == 200
            done.set()

        assert sum(len(made.result()) for made in making) > 3
        closes_at = staffed_exam.call("GET", "sessions/{session}").json()["closes_at"]
        keys = staffed_exam.call("GET", "keys?limit=200").json()["items"]
        ends = {key["expires_at"] for key in keys if key["session_id"] is not None}
        assert ends == {closes_at}

    @pytest.mark.parametrize(
        ("scope", "method", "path"),
        [
            (Scope.VERIFY, "POST", "exams"),
            (Scope.OVERRIDE, "POST", "exams"),
            (Scope.CHECKIN, "PUT", "sessions/{session}/roster"),
            (Scope.EXAMS_WRITE, "POST", "sessions/{session}/checkins"),
            (Scope.CHECKIN, "POST", "sessions/{session}/identifications"),
            (Scope.EXAMS_WRITE, "POST", "checkins/01890a5d-ac96-774b-bcce-b302099a8057/override"),
            (Scope.CHECKIN, "POST", "checkins/01890a5d-ac96-774b-bcce-b302099a8057/override"),
            (Scope.OVERRIDE, "GET", "sessions/{session}/candidates/A1/evidence"),
            (Scope.EXAMS_WRITE, "POST", "exams/{exam}/purge"),
        ],
    )
    def test_a_key_without_the_scope_is_refused(
        self, exam_service: ExamService, scope: Scope, method: str, path: str
    ) -> None:
        problem(
            exam_service.call(method, path, key=exam_service.service.key(scope), json={}), 403, "forbidden"
        )

    def test_without_a_key_nothing_opens(self, exam_service: ExamService) -> None:
        problem(exam_service.call("GET", "sessions/{session}", key=""), 401, "unauthenticated")


class TestALiveBoard:
    def test_of_a_closed_session_ends_and_does_not_ask_to_come_back(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")
        closing = {"opens_at": moment(-2), "closes_at": moment(-1), "reason": "the hall is empty"}
        staffed_exam.call("PATCH", "sessions/{session}", json=closing)

        board = staffed_exam.call("GET", "sessions/{session}/live")
        last = board.text.split("id: ")[-1].partition("\n")[0]
        again = staffed_exam.call("GET", "sessions/{session}/live", headers={"Last-Event-ID": last})

        assert board.headers["content-type"].startswith("text/event-stream")
        assert [line for line in board.text.splitlines() if line.startswith("event: ")] == [
            "event: snapshot",
            "event: closed",
        ]
        assert '"admitted":1' in board.text
        assert again.status_code == 204

    def test_of_an_archived_exam_is_over_whatever_its_window_says(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")
        assert staffed_exam.call("DELETE", "exams/{exam}?reason=fire+alarm").status_code == 200

        board = staffed_exam.call("GET", "sessions/{session}/live")
        last = board.text.split("id: ")[-1].partition("\n")[0]
        again = staffed_exam.call("GET", "sessions/{session}/live", headers={"Last-Event-ID": last})

        assert "event: closed" in board.text
        assert again.status_code == 204

    def test_tells_who_comes_back_what_was_missed(
        self, staffed_exam: ExamService, astronaut_jpeg: bytes
    ) -> None:
        staffed_exam.call("PATCH", "sessions/{session}", json={"room": "R1"})
        seq = staffed_exam.call("GET", "audit-events?limit=200").json()["items"][-1]["seq"]
        staffed_exam.check_in(astronaut_jpeg, candidate="A1")
        closing = {"opens_at": moment(-2), "closes_at": moment(-1), "reason": "the hall is empty"}
        staffed_exam.call("PATCH", "sessions/{session}", json=closing)

        board = staffed_exam.call("GET", "sessions/{session}/live", headers={"Last-Event-ID": str(seq)})

        assert [line for line in board.text.splitlines() if line.startswith("event: ")] == [
            "event: checkin",
            "event: session",
            "event: closed",
        ]


class TestKeptPictures:
    def test_are_shown_to_whoever_may_override(
        self, start_exam: Callable[..., ExamService], astronaut_jpeg: bytes
    ) -> None:
        exam = start_exam({"keep_probe_thumbnails": True}, template_key="00" * 31 + "01")
        exam.service.enrolled(astronaut_jpeg, "A1")
        exam.put_csv("external_id\nA1\n")
        checkin = exam.check_in(astronaut_jpeg, candidate="A1").json()["checkin"]
        path = f"checkins/{checkin['id']}/thumbnail"

        shown = exam.call("GET", path)

        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert shown.headers["cache-control"] == "no-store"
        problem(exam.call("GET", path, key=exam.service.key(Scope.EXAMS_WRITE)), 403, "forbidden")

    def test_are_not_there_otherwise(self, staffed_exam: ExamService, astronaut_jpeg: bytes) -> None:
        checkin = staffed_exam.check_in(astronaut_jpeg, candidate="A1").json()["checkin"]

        problem(staffed_exam.call("GET", f"checkins/{checkin['id']}/thumbnail"), 404, "thumbnail_not_found")


class TestAnOpenSession:
    def test_holds_up_a_switch_of_models_unless_it_is_forced_with_a_reason(
        self, exam_service: ExamService
    ) -> None:
        model = exam_service.call("GET", "models").json()["items"][0]["id"]

        refused = problem(exam_service.call("POST", f"models/{model}/promote"), 409, "session_open")
        problem(exam_service.call("POST", "models/rollback"), 409, "session_open")
        unexplained = {"force": True}
        problem(exam_service.call("POST", "models/rollback", json=unexplained), 422, "reason_required")
        forced = {"force": True, "reason": "the camera needs the new model"}
        promoted = exam_service.call("POST", f"models/{model}/promote", json=forced)

        assert refused["sessions"] == [exam_service.session_id]
        assert promoted.status_code == 200, promoted.text
        events = exam_service.call("GET", "audit-events?limit=200").json()["items"]
        (event,) = [one for one in events if one["action"] == "open_session.overridden"]
        assert event["details"]["reason"] == forced["reason"]

    def test_lets_no_planner_raise_a_rate(self, exam_service: ExamService) -> None:
        planner = exam_service.service.key(Scope.EXAMS_WRITE)
        higher = {"match_fmr": 5e-4, "reason": "too many referrals"}

        found = exam_service.call("PATCH", "sessions/{session}", key=planner, json=higher)

        assert problem(found, 403, "forbidden")["missing_scopes"] == ["admin"]
        assert exam_service.call("GET", "sessions/{session}").json()["match_fmr"] == 1e-4

    def test_is_joined_by_no_other_with_higher_rates(self, exam_service: ExamService) -> None:
        planner = exam_service.service.key(Scope.EXAMS_WRITE)
        window = {"opens_at": moment(-1), "closes_at": moment(1)}
        room = {"room": "R2", "match_fmr": 5e-4, **window}
        exam = {"name": "Physics", "refer_fmr": 5e-3, "starts_at": moment(-1), "ends_at": moment(1)}

        problem(exam_service.call("POST", "exams/{exam}/sessions", key=planner, json=room), 403, "forbidden")
        problem(exam_service.call("POST", "exams", key=planner, json=exam), 403, "forbidden")
