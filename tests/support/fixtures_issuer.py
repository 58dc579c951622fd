"""A real OpenID Connect issuer on this machine, and browsers that go there and come back."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient


@dataclass(frozen=True)
class Provider:
    """The issuer's address, and the people it knows."""

    address: str

    def know(self, subject: str, **claims: Any) -> None:
        """Add a person, or change what is claimed of one."""
        answer = httpx.put(f"{self.address}/users/{subject}", json=claims)
        assert answer.status_code == 204, answer.text

    def authorize(self, url: str, subject: str) -> str:
        """Sign in at the issuer; returns where it sends the browser."""
        answer = httpx.post(url, data={"sub": subject})
        assert answer.status_code == 302, answer.text
        return answer.headers["location"]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """It answers until the test ends."""
    with warnings.catch_warnings():
        # Of libraries that it uses; none of them is ours.
        warnings.simplefilter("ignore")
        from oidc_provider_mock import run_server_in_thread

        with run_server_in_thread() as server:
            yield Provider(f"http://localhost:{server.server_port}")


def settings_of(provider: Provider, **more: Any) -> dict[str, Any]:
    """Of an installation that lets this issuer sign in."""
    return {
        "oidc_issuer": provider.address,
        "oidc_client_id": "invigil",
        "oidc_client_secret": "a secret",
        "oidc_role_claim": "groups",
        "oidc_roles": "exam-staff=invigilator,exam-admins=administrator",
        **more,
    }


def go(client: TestClient) -> str:
    """Click on the issuer's button; returns where the browser goes."""
    answer = client.get("/login/issuer", follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def come_back(client: TestClient, location: str) -> httpx.Response:
    """Follow the issuer back."""
    parts = urlsplit(location)
    return client.get(f"{parts.path}?{parts.query}")


def parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]
