"""Operators: invited, signed in as themselves, held to their role and exams, ended at once everywhere."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyotp
import pytest
from fixtures_operators import OTHER_PASSWORD, PASSWORD, Seat, invite, join
from fixtures_service import Service
from sqlalchemy import select, update

from index.clock import confirm_clock
from index.copying import copy_rows
from index.database.database import Database
from index.tables import OperatorLinkRow, OperatorRow, PageSessionRow, SignInRow, utc_now
from service.access.invitations import Invitations
from service.access.passwords import Passwords
from service.access.roles import SCOPES, Role
from service.access.scopes import Scope
from service.demo.people import people_of
from service.errors import InvitationInvalid
from service.parts import Parts

pytestmark = pytest.mark.not_quick("passwords are slow to hash")


def problem(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def session_of(service: Service, name: str = "Algebra") -> tuple[str, str]:
    """An exam, and its session that is open now."""
    now = utc_now()
    times = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=3)).isoformat()}
    exam = service.call("POST", "/v1/exams", json={"name": name, **times}).json()["id"]
    room = {
        "room": "Hall A",
        "opens_at": (now - timedelta(minutes=5)).isoformat(),
        "closes_at": (now + timedelta(hours=2)).isoformat(),
    }
    return exam, service.call("POST", f"/v1/exams/{exam}/sessions", json=room).json()["id"]


def identified(service: Service, session_id: str) -> str:
    """The check-in of a candidate who was let in by a document."""
    roster = {"candidates": [{"external_id": "1001", "seat": "A1"}]}
    service.call("PUT", f"/v1/sessions/{session_id}/roster?create_subjects=true", json=roster)
    terms = {"candidate": "1001", "document_type": "passport"}
    made = service.call("POST", f"/v1/sessions/{session_id}/identifications", json=terms)
    return str(made.json()["checkin"]["id"])


class TestAnInvitation:
    def test_it_makes_an_operator_who_signs_in_by_name_and_password(
        self, service_everywhere: Service
    ) -> None:
        service = service_everywhere
        terms = {"login": "ada@example.org", "name": "Ada Keller", "role": "exam_office"}
        invited = service.call("POST", "/v1/operators", json=terms).json()
        token = invited["link"].removeprefix("/console#/join/")
        seat = Seat(service)

        looked = seat.client.post("/join/look", json={"token": token}).json()
        joined = seat.client.post("/join", json={"token": token, "password": PASSWORD})

        assert (looked["name"], looked["role"], looked["is_first"]) == ("Ada Keller", "exam_office", False)
        assert joined.status_code == 200
        me = Seat(service).entered("ADA@example.org").call("GET", "/v1/me").json()
        assert (me["name"], me["role"], me["is_operator"]) == ("Ada Keller", "exam_office", True)
        shown = service.call("GET", f"/v1/operators/{invited['id']}").json()
        assert shown["has_password"]
        assert shown["invited_until"] is None

    def test_it_works_once(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        token = invite(parts)
        seat = Seat(service_everywhere)

        answers = [
            seat.client.post("/join", json={"token": token, "password": text})
            for text in (PASSWORD, OTHER_PASSWORD)
        ]

        assert answers[0].status_code == 200
        assert problem(answers[1]) == (410, "invitation_invalid")
        assert problem(Seat(service_everywhere).sign_in("ada", OTHER_PASSWORD)) == (401, "sign_in_refused")

    def test_of_many_at_once_one_takes_it_up(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        token = invite(parts)

        with ThreadPoolExecutor(4) as pool:
            codes = list(
                pool.map(
                    lambda n: (
                        Seat(service_everywhere)
                        .client.post("/join", json={"token": token, "password": f"{PASSWORD} {n}"})
                        .status_code
                    ),
                    range(4),
                )
            )

        assert sorted(codes) == [200, 410, 410, 410]

    def test_it_ends(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        token = invite(parts)
        with parts.database.write() as db:
            db.execute(update(OperatorLinkRow).values(expires_at=utc_now() - timedelta(seconds=1)))

        answer = Seat(service_everywhere).client.post("/join", json={"token": token, "password": PASSWORD})

        assert problem(answer) == (410, "invitation_invalid")

    def test_one_of_a_clock_that_was_ahead_lasts_no_longer(self, service: Service) -> None:
        parts, ahead = service.parts, timedelta(days=30)
        token = invite(parts)
        with parts.database.write() as db:
            moved = {"created_at": utc_now() + ahead, "expires_at": utc_now() + ahead + timedelta(days=7)}
            db.execute(update(OperatorLinkRow).values(moved))

        answer = Seat(service).client.post("/join", json={"token": token, "password": PASSWORD})

        assert problem(answer) == (410, "invitation_invalid")
        with parts.database.write() as db:
            confirm_clock(db, actor="test")
        with parts.database.read() as db:
            assert db.scalars(select(OperatorLinkRow)).all() == []

    @pytest.mark.parametrize("token", ["", "nobody", "é", "x" * 100])
    def test_one_that_never_was_is_refused(self, service: Service, token: str) -> None:
        answer = service.client.post("/join/look", json={"token": token})

        assert answer.status_code in (410, 422)

    def test_its_link_is_in_no_list_and_no_audit_event(self, service: Service) -> None:
        terms = {"login": "ada", "name": "Ada", "role": "auditor"}
        token = service.call("POST", "/v1/operators", json=terms).json()["link"].rpartition("/")[2]

        read = [service.call("GET", path).text for path in ("/v1/operators", "/v1/audit-events")]

        assert len(token) == 43
        assert all(token not in text for text in read)
        assert "operator.created" in read[1]

    @pytest.mark.parametrize(
        "password",
        [
            "too short",
            "aaaaaaaaaaaaaaaaaaaa",
            "passwordpassword1234",
            "ada keller ada keller",
            "qwertyuiop12345678",
            "x" * 257,
        ],
    )
    def test_a_password_that_everybody_tries_is_refused(self, service: Service, password: str) -> None:
        token = invite(service.parts, "ada.keller")

        answer = service.client.post("/join", json={"token": token, "password": password})

        assert problem(answer) == (422, "validation_failed")
        assert service.client.post("/join/look", json={"token": token}).status_code == 200

    def test_a_name_is_somebodys_for_good(self, service: Service) -> None:
        former = join(service.parts, "Ada@example.org")
        service.call("DELETE", f"/v1/operators/{former.id}")

        terms = {"login": "ＡDA@example.org", "name": "Another Ada", "role": "auditor"}
        answer = service.call("POST", "/v1/operators", json=terms)

        assert problem(answer) == (409, "login_exists")


class TestSigningIn:
    def test_what_is_wrong_is_not_told(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        join(parts)

        refused = [
            Seat(service_everywhere).sign_in(*who) for who in (("ada", OTHER_PASSWORD), ("nobody", PASSWORD))
        ]

        for answer in refused:
            assert problem(answer) == (401, "sign_in_refused")
            assert "set-cookie" not in answer.headers
        assert refused[0].json()["detail"] == refused[1].json()["detail"]

    def test_wrong_passwords_are_bounded_and_the_right_one_from_elsewhere_is_not(
        self, service_everywhere: Service
    ) -> None:
        parts = service_everywhere.parts
        join(parts)
        sign_in = parts.signing_in.sign_in
        sign_in("ada", PASSWORD, None, "192.0.2.1")

        guesses = [attempt(parts, "ada", f"wrong {n}", "198.51.100.9") for n in range(12)]

        assert guesses == ["sign_in_refused"] * 10 + ["sign_ins_exhausted"] * 2
        assert attempt(parts, "ada", PASSWORD, "198.51.100.9") == "sign_ins_exhausted"
        assert sign_in("ada", PASSWORD, None, "192.0.2.1").login == "ada"

    def test_a_crowd_of_guessers_does_not_keep_out_who_comes_from_a_known_address(
        self, service_everywhere: Service
    ) -> None:
        parts = service_everywhere.parts
        join(parts)
        parts.signing_in.sign_in("ada", PASSWORD, None, "192.0.2.1")
        fail_from(parts, "ada", [f"198.51.100.{n}" for n in range(50)])

        assert attempt(parts, "ada", PASSWORD, "203.0.113.5") == "sign_ins_exhausted"
        assert attempt(parts, "ada", PASSWORD, "192.0.2.1") == "in"

    def test_one_address_does_not_try_every_account(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        for n in range(100):
            fail_from(parts, f"person {n}", ["198.51.100.9"])

        assert attempt(parts, "somebody else", PASSWORD, "198.51.100.9") == "sign_ins_exhausted"
        assert attempt(parts, "somebody else", PASSWORD, "198.51.100.10") == "sign_in_refused"

    def test_a_network_of_ipv6_is_one_address(self, service: Service) -> None:
        guesses = [attempt(service.parts, "ada", "wrong", f"2001:db8::{n:x}") for n in range(11)]

        assert guesses[-1] == "sign_ins_exhausted"

    def test_failures_end_by_themselves(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        join(parts)
        for n in range(11):
            attempt(parts, "ada", f"wrong {n}", "192.0.2.1")

        with parts.database.write() as db:
            db.execute(update(SignInRow).values(at=utc_now() - timedelta(minutes=16)))

        assert attempt(parts, "ada", PASSWORD, "192.0.2.1") == "in"

    def test_many_guesses_at_once_count_as_many(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        join(parts)

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(lambda n: attempt(parts, "ada", f"wrong {n}", "192.0.2.1"), range(16)))

        assert codes.count("sign_in_refused") == 10

    def test_the_answer_says_when_to_come_again(self, service: Service) -> None:
        seat = Seat(service)
        for _ in range(10):
            seat.sign_in("ada", "wrong")

        answer = seat.sign_in("ada", "wrong")

        assert problem(answer) == (429, "sign_ins_exhausted")
        assert 800 < int(answer.headers["retry-after"]) <= 900

    def test_a_sign_in_is_in_the_audit_trail_with_its_address(self, service: Service) -> None:
        ada = join(service.parts)

        Seat(service).entered("ada")

        event = service.call("GET", "/v1/audit-events?action=operator.signed_in").json()["items"][-1]
        assert event["actor"] == f"Ada (operator {ada.id})"
        assert event["address"] == "testclient"

    def test_a_kiosk_does_not_open_with_a_password(self, service: Service) -> None:
        join(service.parts)

        assert problem(Seat(service).sign_in("ada", page="kiosk")) == (422, "validation_failed")

    def test_a_sign_in_that_began_before_a_reset_does_not_end_after_it(self, service: Service) -> None:
        parts = service.parts
        ada = join(parts)
        shown = parts.signing_in.sign_in("ada", PASSWORD, None, "192.0.2.1")

        service.call("POST", f"/v1/operators/{ada.id}/reset")

        with pytest.raises(Exception, match="wrong"):
            parts.page_sessions.open_for(shown)


def attempt(parts: Parts, login: str, password: str, address: str) -> str:
    """How a sign-in ends: its code, or `in`."""
    try:
        parts.signing_in.sign_in(login, password, None, address)
    except Exception as error:
        return str(getattr(error, "code", type(error).__name__))
    return "in"


def fail_from(parts: Parts, login: str, addresses: list[str]) -> None:
    """Failures as they are counted, without the time that a password takes."""
    for address in addresses:
        parts.sign_ins.begin(login, address)


class TestASecondFactor:
    @pytest.fixture
    def seat(self, service: Service) -> Seat:
        join(service.parts)
        return Seat(service).entered("ada")

    @pytest.fixture
    def totp(self, seat: Seat) -> pyotp.TOTP:
        """Of Ada, and confirmed a step before the present one."""
        made = seat.call("PUT", "/v1/me/second-factor", json={"password": PASSWORD})
        totp = pyotp.TOTP(made.json()["secret"])
        code = totp.at(utc_now(), counter_offset=-1)
        answer = seat.call("PUT", "/v1/me/second-factor/confirmation", json={"code": code})
        assert answer.json()["has_second_factor"]
        return totp

    def test_a_code_is_asked_for_and_works_once(self, service: Service, totp: pyotp.TOTP) -> None:
        code = totp.now()

        answers = [Seat(service).sign_in("ada", **more) for more in ({}, {"code": code}, {"code": code})]

        assert [one.status_code for one in answers] == [401, 200, 401]
        assert [one.json().get("code") for one in answers] == ["code_needed", None, "sign_in_refused"]

    def test_a_right_code_without_the_password_opens_nothing(
        self, service: Service, totp: pyotp.TOTP
    ) -> None:
        answer = Seat(service).sign_in("ada", OTHER_PASSWORD, code=totp.now())

        assert problem(answer) == (401, "sign_in_refused")

    def test_codes_are_not_guessed(self, service: Service, totp: pyotp.TOTP) -> None:
        right = {totp.at(utc_now(), counter_offset=step) for step in (-1, 0, 1, 2)}
        wrong = [code for n in range(100_000, 100_020) if (code := str(n)) not in right][:11]

        answers = [Seat(service).sign_in("ada", code=code) for code in wrong]

        assert [one.status_code for one in answers] == [401] * 10 + [429]

    def test_it_is_added_and_removed_with_the_password_alone(self, seat: Seat, totp: pyotp.TOTP) -> None:
        refused = seat.call("PUT", "/v1/me/second-factor/removal", json={"password": OTHER_PASSWORD})
        removed = seat.call("PUT", "/v1/me/second-factor/removal", json={"password": PASSWORD})

        assert problem(refused) == (422, "validation_failed")
        assert removed.json()["has_second_factor"] is False

    def test_its_secret_is_sealed_and_opens_with_the_next_key(
        self, service: Service, totp: pyotp.TOTP
    ) -> None:
        path = service.parts.settings.data_dir / "invigil.db"

        service.parts.database.settle()

        assert totp.secret.encode() not in path.read_bytes()

    def test_a_reset_removes_it(self, service: Service, seat: Seat, totp: pyotp.TOTP) -> None:
        me = seat.call("GET", "/v1/me").json()["id"]

        link = service.call("POST", f"/v1/operators/{me}/reset").json()["link"]
        token = link.rpartition("/")[2]
        Seat(service).client.post("/join", json={"token": token, "password": OTHER_PASSWORD})

        assert Seat(service).sign_in("ada", OTHER_PASSWORD).status_code == 200
        assert seat.call("GET", "/v1/me").status_code == 401


class TestWhoIsSignedIn:
    def test_a_new_password_signs_out_every_other_page(self, service_everywhere: Service) -> None:
        parts = service_everywhere.parts
        join(parts)
        here, there = Seat(service_everywhere).entered("ada"), Seat(service_everywhere).entered("ada")

        body = {"former": PASSWORD, "password": OTHER_PASSWORD}
        changed = here.call("PUT", "/v1/me/password", json=body)

        assert changed.status_code == 200
        assert here.call("GET", "/v1/me").status_code == 200
        assert there.call("GET", "/v1/me").status_code == 401

    @pytest.mark.parametrize(
        "change",
        [
            lambda service, who: service.call("DELETE", f"/v1/operators/{who}"),
            lambda service, who: service.call("POST", f"/v1/operators/{who}/reset"),
            lambda service, who: service.call("PATCH", f"/v1/operators/{who}", json={"role": "registrar"}),
        ],
        ids=["ended", "reset", "another role"],
    )
    def test_who_is_changed_loses_every_page_at_once(self, service_everywhere: Service, change: Any) -> None:
        service = service_everywhere
        ada = join(service.parts)
        tabs = [Seat(service).entered("ada") for _ in range(2)]
        assert all(tab.call("GET", "/v1/exams").status_code == 200 for tab in tabs)

        assert change(service, ada.id).is_success

        assert [tab.call("GET", "/v1/exams").status_code for tab in tabs] == [401, 401]
        assert "csrf" not in tabs[0].client.get("/console").text

    def test_another_name_signs_nobody_out(self, service: Service) -> None:
        ada = join(service.parts)
        seat = Seat(service).entered("ada")

        service.call("PATCH", f"/v1/operators/{ada.id}", json={"name": "Ada Keller-Meier"})

        assert seat.call("GET", "/v1/me").json()["name"] == "Ada Keller-Meier"

    def test_who_has_been_ended_does_not_come_back(self, service_everywhere: Service) -> None:
        service = service_everywhere
        ada = join(service.parts)
        service.call("DELETE", f"/v1/operators/{ada.id}")

        assert problem(Seat(service).sign_in("ada")) == (401, "sign_in_refused")
        again = service.call("POST", f"/v1/operators/{ada.id}/reset")
        assert problem(again) == (409, "operator_ended")

    def test_an_answer_is_replayed_within_a_sign_in_and_not_beyond(self, service: Service) -> None:
        join(service.parts, "rita", Role.REGISTRAR)
        seats = [Seat(service).entered("rita") for _ in range(2)]

        made = [
            seat.call("POST", "/v1/subjects", headers={"Idempotency-Key": "once"}, json={})
            for seat in (seats[0], seats[0], seats[1])
        ]

        assert made[0].json() == made[1].json()
        assert made[1].headers["idempotency-replayed"] == "true"
        assert made[2].status_code == 201
        assert made[2].json()["id"] != made[0].json()["id"]

    def test_a_key_has_no_account(self, service: Service) -> None:
        body = {"former": PASSWORD, "password": OTHER_PASSWORD}

        assert problem(service.call("PUT", "/v1/me/password", json=body)) == (409, "not_an_operator")
        assert service.call("GET", "/v1/me").json()["is_operator"] is False


class TestAdministrators:
    @pytest.fixture
    def administrators(self, service_everywhere: Service) -> dict[str, UUID]:
        parts = service_everywhere.parts
        return {name: join(parts, name, Role.ADMINISTRATOR).id for name in ("ada", "ben")}

    def test_the_last_one_is_not_ended_and_stays_administrator(
        self, service_everywhere: Service, administrators: dict[str, UUID]
    ) -> None:
        service = service_everywhere
        invite(service.parts, "cleo", Role.ADMINISTRATOR)
        assert service.call("DELETE", f"/v1/operators/{administrators['ben']}").status_code == 200

        path = f"/v1/operators/{administrators['ada']}"
        refused = [service.call("DELETE", path), service.call("PATCH", path, json={"role": "auditor"})]

        assert [problem(one) for one in refused] == [(409, "last_administrator")] * 2

    def test_of_two_who_end_each_other_at_once_one_is_left(
        self, service_everywhere: Service, administrators: dict[str, UUID]
    ) -> None:
        parts = service_everywhere.parts
        pairs = [("ada", administrators["ben"]), ("ben", administrators["ada"])]
        seats = [(Seat(service_everywhere).entered(name), other) for name, other in pairs]

        with ThreadPoolExecutor(2) as pool:
            codes = list(
                pool.map(lambda one: one[0].call("DELETE", f"/v1/operators/{one[1]}").status_code, seats)
            )

        assert codes.count(200) == 1
        assert parts.operators.has_administrator()

    def test_only_they_see_who_works_here(self, service: Service) -> None:
        for role in Role:
            join(service.parts, role, role)

        seen = {role: Seat(service).entered(role).call("GET", "/v1/operators") for role in Role}

        assert {role for role, answer in seen.items() if answer.status_code == 200} == {Role.ADMINISTRATOR}


def ending(method: str, path: str) -> str:
    """The method, or that of the head alone where an answer has no end, as a board's."""
    return "HEAD" if path.endswith("/live") else method


class TestRoles:
    def test_each_has_the_scopes_of_its_table(self, service: Service) -> None:
        for role in Role:
            join(service.parts, role, role)
            me = Seat(service).entered(role).call("GET", "/v1/me").json()
            assert me["scopes"] == sorted(SCOPES[role])

    def test_nobody_but_administrators_may_everything(self) -> None:
        assert [role for role in Role if Scope.ADMIN in SCOPES[role]] == [Role.ADMINISTRATOR]
        assert [role for role in Role if Scope.SCORES_READ in SCOPES[role]] == [
            Role.EXAM_OFFICE,
            Role.AUDITOR,
        ]

    def test_an_invigilator_of_some_exams_sees_only_these(self, service_everywhere: Service) -> None:
        service = service_everywhere
        (mine, my_session), (other, their_session) = session_of(service), session_of(service, "History")
        join(service.parts, exam_ids=(UUID(mine),))
        seat = Seat(service).entered("ada")

        listed = [one["id"] for one in seat.call("GET", "/v1/exams").json()["items"]]
        both = f"exam_id={mine}&exam_id={other}"
        sessions = [one["id"] for one in seat.call("GET", f"/v1/sessions?{both}").json()["items"]]
        every = [one["id"] for one in service.call("GET", f"/v1/sessions?{both}").json()["items"]]
        codes = {
            path: seat.call("GET", path).status_code
            for path in (
                f"/v1/exams/{mine}",
                f"/v1/sessions/{my_session}/roster",
                f"/v1/exams/{other}",
                f"/v1/exams/{other}/sessions",
                f"/v1/sessions/{their_session}",
                f"/v1/sessions/{their_session}/live",
                f"/v1/sessions/{their_session}/report.csv",
                f"/v1/waiting?exam_id={other}",
                f"/v1/waiting/live?exam_id={other}",
            )
        }
        rooms = [one["session"]["id"] for one in seat.call("GET", "/v1/waiting").json()["rooms"]]

        assert (listed, rooms) == ([mine], [my_session])
        assert (sessions, every) == ([my_session], [my_session, their_session])
        assert list(codes.values()) == [200, 200, 404, 404, 404, 404, 404, 404, 404]

    def test_an_operator_of_some_exams_reaches_nothing_else(self, service: Service) -> None:
        """What leads to no exam, a new operation too, is closed unless it is known to be harmless."""
        exam, _ = session_of(service)
        join(service.parts, exam_ids=(UUID(exam),))
        seat = Seat(service).entered("ada")
        document = service.client.get("/openapi.json").json()
        led = ("{exam_id}", "{session_id}", "{checkin_id}")

        open_ones = {
            f"{method} {path}"
            for path, operations in document["paths"].items()
            for method in operations
            if path.startswith("/v1/") and not any(name in path for name in led)
            if seat.call(ending(method, path), fill(path)).status_code not in (401, 403)
        }

        assert open_ones <= {
            "get /v1/complaints",
            "get /v1/exams",
            "get /v1/sessions",
            "get /v1/waiting",
            "get /v1/waiting/live",
            "post /v1/quality",
            "get /v1/me",
            "put /v1/me/password",
            "put /v1/me/second-factor",
            "put /v1/me/second-factor/confirmation",
            "put /v1/me/second-factor/removal",
        }
        assert "get /v1/exams" in open_ones

    def test_the_list_of_complaints_is_cut_to_an_operators_exams(self, service: Service) -> None:
        cases, exams = {}, {}
        for name in ("Algebra", "History"):
            exams[name], session = session_of(service, name)
            cases[name] = identified(service, session)
            complain = {"text": f"I was kept waiting in {name}"}
            service.call("POST", f"/v1/checkins/{cases[name]}/complaints", json=complain)
        join(service.parts, exam_ids=(UUID(exams["Algebra"]),))
        seat = Seat(service).entered("ada")

        every = service.call("GET", "/v1/complaints").json()["items"]
        own = seat.call("GET", "/v1/complaints").json()["items"]
        theirs = seat.call("GET", f"/v1/complaints?checkin_id={cases['History']}").json()["items"]
        new = {"text": "I was sent away"}
        about_own = seat.call("POST", f"/v1/checkins/{cases['Algebra']}/complaints", json=new)
        about_theirs = seat.call("POST", f"/v1/checkins/{cases['History']}/complaints", json=new)
        answered = seat.call("POST", f"/v1/complaints/{own[0]['id']}/answer", json={"answer": "No."})

        assert len(every) == 2
        assert [one["text"] for one in own] == ["I was kept waiting in Algebra"]
        assert theirs == []
        assert about_own.status_code == 201
        assert problem(about_theirs) == (404, "checkin_not_found")
        assert problem(answered) == (403, "forbidden")

    def test_only_invigilators_are_held_to_exams(self, service: Service) -> None:
        exam, _ = session_of(service)
        terms = {"login": "x", "name": "X", "role": "registrar", "exam_ids": [exam]}

        assert problem(service.call("POST", "/v1/operators", json=terms)) == (422, "validation_failed")

    def test_a_decision_carries_the_name_of_who_made_it(self, service_everywhere: Service) -> None:
        service = service_everywhere
        _, session = session_of(service)
        roster = b"external_id,display_name,seat\n1001,Eileen Collins,A1\n"
        path = f"/v1/sessions/{session}/roster?create_subjects=true"
        service.call("PUT", path, content=roster, headers={"Content-Type": "text/csv"})
        ada = join(service.parts, name="Ada Keller")
        seat = Seat(service).entered("ada")

        terms = {"candidate": "1001", "document_type": "passport", "operator": "Somebody Else"}
        made = seat.call("POST", f"/v1/sessions/{session}/identifications", json=terms).json()["checkin"]
        decided = {"outcome": "refused", "reason_code": "checked_in_wrong_candidate"}
        reasons = seat.call("GET", f"/v1/sessions/{session}").json()["reason_codes"]
        decided["reason_code"] = reasons[0]["code"]
        override = seat.call("POST", f"/v1/checkins/{made['id']}/override", json=decided).json()["override"]

        assert (made["operator"], override["operator"]) == ("Ada Keller", "Ada Keller")
        evidence = service.call("GET", f"/v1/sessions/{session}/candidates/1001/evidence").json()
        mine = [one for one in evidence["events"] if str(ada.id) in one["actor"]]
        assert {one["action"] for one in mine} >= {"checkin.recorded", "override.recorded"}
        assert {one["address"] for one in mine} == {"testclient"}


def test_a_demonstration_has_somebody_of_each_role_with_a_password_of_this_run(service: Service) -> None:
    first, second = people_of(service.parts, "demo"), people_of(service.parts, "demo")

    assert [Seat(service).sign_in(role, second).status_code for role in Role] == [200] * len(Role)
    assert Seat(service).sign_in("auditor", first).status_code == 401


class TestARestoredDatabase:
    def test_a_copy_has_the_operators_and_none_of_their_sign_ins_and_links(
        self, service_everywhere: Service, tmp_path: Path
    ) -> None:
        parts = service_everywhere.parts
        join(parts, "ada")
        token = invite(parts, "ben")
        Seat(service_everywhere).entered("ada")
        copy = Database(f"sqlite:///{tmp_path / 'copy.db'}")
        copy.upgrade()

        with parts.database.snapshot() as source, copy.write() as target:
            copy_rows(source, target)

        with copy.read() as db:
            assert db.scalars(select(PageSessionRow)).all() == []
            assert db.scalars(select(SignInRow)).all() == []
            assert sorted(db.scalars(select(OperatorRow.login))) == ["ada", "ben"]
        with pytest.raises(InvitationInvalid):
            Invitations(copy, Passwords()).find(token)
        copy.close()

    def test_when_the_database_went_back_nobody_is_signed_in_by_what_it_was(
        self, service_everywhere: Service
    ) -> None:
        parts = service_everywhere.parts
        join(parts, "ada")
        token = invite(parts, "ben")
        seat = Seat(service_everywhere).entered("ada")

        parts.following.when_gone_back()

        assert seat.call("GET", "/v1/me").status_code == 401
        with pytest.raises(InvitationInvalid):
            parts.invitations.find(token)


def fill(path: str) -> str:
    """A path with something in every place."""
    parts = [part if not part.startswith("{") else str(UUID(int=7)) for part in path.split("/")]
    return "/".join(parts)
