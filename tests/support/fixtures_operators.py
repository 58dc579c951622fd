"""Operators as tests make them: invited, joined, and signed in with a cookie."""

from typing import Any

import httpx2 as httpx
from fixtures_service import Service
from starlette.testclient import TestClient

from index.audit import Origin
from index.ids import uuid7
from service.access.operators import OperatorFacts, OperatorTerms
from service.access.roles import Role
from service.parts import Parts

PASSWORD = "quiet otters paint seven doors"
OTHER_PASSWORD = "green kettles hum at midnight"


def invite(parts: Parts, login: str = "ada", role: Role = Role.INVIGILATOR, **terms: Any) -> str:
    """The token of a new operator's link."""
    wanted = OperatorTerms(login, terms.pop("name", login.title()), role, **terms)
    return parts.invitations.create(wanted, Origin("test"), uuid7())[1].token


def join(parts: Parts, login: str = "ada", role: Role = Role.INVIGILATOR, **terms: Any) -> OperatorFacts:
    """An operator with a password."""
    return parts.invitations.accept(invite(parts, login, role, **terms), PASSWORD)


class Seat:
    """A browser of its own in front of the service."""

    def __init__(self, service: Service) -> None:
        app = service.client.app
        self.client = TestClient(app, "http://localhost", raise_server_exceptions=False)

    def sign_in(self, login: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Send the form of the sign-in page."""
        body = {"page": "console", "login": login, "password": password, **more}
        return self.client.post("/login", json=body)

    def entered(self, login: str) -> "Seat":
        """The same, signed in."""
        answer = self.sign_in(login)
        assert answer.status_code == 200, answer.text
        return self

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request of the page, with its token."""
        page = self.client.get("/console").text
        token = page.partition('"csrf": "')[2].partition('"')[0]
        headers = {"X-CSRF-Token": token, "X-Invigil-Page": "console"} | more.pop("headers", {})
        return self.client.request(method, path, headers=headers, **more)
