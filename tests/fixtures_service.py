"""The service as callers meet it: the real application on a real database, with the shipped bundle."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from embedding.embedder import Embedder
from index.database import Database
from service.access.scopes import Scope
from service.app import create_app
from service.parts import Parts
from service.settings import Settings


@dataclass(frozen=True)
class Service:
    """A running application, its parts, and a client for each key."""

    client: TestClient
    parts: Parts
    admin: str

    def key(self, *scopes: Scope, **options: Any) -> str:
        """The text of a new key with these scopes."""
        return self.parts.keys.create("test", scopes, actor="test", **options)[1]

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """One request; with an admin key where no other is given, without one for an empty text."""
        text = self.admin if key is None else key
        bearer = {"Authorization": f"Bearer {text}"} if text else {}
        return self.client.request(method, path, headers=bearer | (headers or {}), **body)

    def subject(self, external_id: str | None = None) -> str:
        """The id of a new subject."""
        return str(self.parts.subjects.add(external_id=external_id, actor="test").id)

    def enrolled(self, picture: bytes, external_id: str | None = None) -> str:
        """The id of a new subject with one template."""
        subject = self.subject(external_id)
        answer = self.call("POST", f"/v1/subjects/{subject}/templates", files={"image": picture})
        assert answer.status_code == 201, answer.text
        return subject


@pytest.fixture
def settings_for(shipped_bundle: Path, tmp_path: Path) -> Callable[..., Settings]:
    """Settings that owe nothing to the environment or to an `.env` file."""

    def settings(**changes: Any) -> Settings:
        clean = {name for name in os.environ if name.startswith("INVIGIL_")}
        assert not clean, f"unset {', '.join(sorted(clean))} to run the tests"
        values = {"data_dir": tmp_path, "bundle": shipped_bundle, **changes}
        return Settings(_env_file=None, **values)

    return settings


@pytest.fixture
def start_service(
    settings_for: Callable[..., Settings], embedder: Embedder
) -> Iterator[Callable[..., Service]]:
    """Start the application with the given settings, as often as a test needs; all are stopped after it."""
    with ExitStack() as running:

        def start(**changes: Any) -> Service:
            settings = settings_for(**changes)
            database = Database(settings.database)
            database.upgrade()
            database.close()
            parts = Parts.around(settings, embedder)
            # A fault of ours must be seen as callers see it, not as an exception in the test.
            client = TestClient(create_app(parts), raise_server_exceptions=False)
            admin = parts.keys.create("admin", [Scope.ADMIN], actor="test")[1]
            return Service(running.enter_context(client), parts, admin)

        yield start


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """The application on SQLite."""
    return start_service()


@pytest.fixture
def service_everywhere(start_service: Callable[..., Service], database_url: str) -> Service:
    """The application on each kind of database."""
    return start_service(database_url=database_url)
