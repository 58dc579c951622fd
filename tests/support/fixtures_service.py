"""The service as callers meet it: the real application on a real database, with the shipped bundle."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from benchmarks.server import free_port, start_server
from embedding.embedder import Embedder
from embedding.image import ImageLimits
from index.database.database import Database
from service.access.keys import Keys
from service.access.scopes import Scope
from service.app import create_app, describe_app
from service.contract.describing import promised_codes
from service.parts import Parts
from service.settings import Settings

TEMPLATE_KEY = "5e" * 32
UNPROMISED = frozenset({"internal", "not_ready"})
"""What any operation may answer: a fault of ours, and a service that starts or stops."""


@cache
def promises() -> list[tuple[str, re.Pattern[str], dict[int, frozenset[str]]]]:
    """Method and path of each operation, with the codes that it may answer with."""
    document = describe_app().openapi()
    return [
        (
            method.upper(),
            re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))),
            promised_codes(document, path, method),
        )
        for path, methods in document["paths"].items()
        for method in methods
    ]


def require_promised(answer: httpx.Response) -> None:
    """Fail where an operation answers with an error that the OpenAPI document does not promise of it."""
    if answer.status_code < 400 or "problem+json" not in answer.headers.get("content-type", ""):
        return
    asked = answer.request
    if asked.method == "HEAD":
        return
    answer.read()
    code = answer.json()["code"]
    for method, pattern, codes in promises():
        if method == asked.method and pattern.fullmatch(asked.url.raw_path.decode().partition("?")[0]):
            known = codes.get(answer.status_code, frozenset())
            assert code in known | UNPROMISED, f"{method} {pattern.pattern} answers {code}: {known}"
            return


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
        return Settings(_env_file=None, **values)  # type: ignore[call-arg]

    return settings


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database file with its tables, made once."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path.read_bytes()


@pytest.fixture
def start_service(
    settings_for: Callable[..., Settings], embedder: Embedder, empty_sqlite: bytes
) -> Iterator[Callable[..., Service]]:
    """Start the application with the given settings, as often as a test needs; all are stopped after it."""
    with ExitStack() as running:

        def start(**changes: Any) -> Service:
            # SQLite makes a key for itself.
            key = {"template_key": TEMPLATE_KEY} if "database_url" in changes else {}
            settings = settings_for(**key | changes)
            prepare(settings, empty_sqlite)
            # The session's embedder has the default limits; only other ones need an embedder of their own.
            usual = settings.image_limits == ImageLimits()
            parts = Parts.around(settings, embedder) if usual else Parts.open(settings)
            # A fault of ours must be seen as callers see it, not as an exception in the test.
            client = TestClient(create_app(parts), "http://localhost", raise_server_exceptions=False)
            client.event_hooks["response"].append(require_promised)
            admin = parts.keys.create("admin", [Scope.ADMIN], actor="test")[1]
            return Service(running.enter_context(client), parts, admin)

        yield start


def prepare(settings: Settings, empty_sqlite: bytes) -> None:
    """Give a new database its tables."""
    path = settings.data_dir / "invigil.db"
    if not settings.database_url and not path.exists():
        path.write_bytes(empty_sqlite)
        return
    database = Database(settings.database)
    database.upgrade()
    database.close()


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """The application on SQLite."""
    return start_service()


@pytest.fixture
def service_everywhere(start_service: Callable[..., Service], database_url: str) -> Service:
    """The application on each kind of database."""
    return start_service(database_url=database_url)


@dataclass(frozen=True)
class ServedProcess:
    """The service in a process of its own, as operators run it."""

    address: str
    key: str
    process: subprocess.Popen[str]
    log: Path

    def stop(self) -> str:
        """Ask it to stop, and return what it logged."""
        self.process.terminate()
        self.process.wait(timeout=30)
        return self.log.read_text(encoding="utf-8")


@pytest.fixture
def served(
    settings_for: Callable[..., Settings], empty_sqlite: bytes, shipped_bundle: Path
) -> Iterator[Callable[..., ServedProcess]]:
    """Start `invigil serve` on a free port of this machine; keywords are settings of its environment."""
    with ExitStack() as running:
        yield lambda **environment: running.enter_context(
            serve_process(settings_for(), empty_sqlite, environment)
        )


@contextmanager
def serve_process(
    settings: Settings, empty_sqlite: bytes, environment: Mapping[str, str] | None = None
) -> Iterator[ServedProcess]:
    """`invigil serve` with a new database and an administrator's key, until the block ends."""
    prepare(settings, empty_sqlite)
    database = Database(settings.database)
    key = Keys(database).create("test", [Scope.ADMIN], actor="test")[1]
    database.close()
    port, log = free_port(), settings.data_dir / "service.log"
    process = serve(settings, port, log, environment)
    try:
        address = f"http://127.0.0.1:{port}"
        await_ready(address, process)
        yield ServedProcess(address, key, process, log)
    finally:
        process.terminate()
        process.wait(timeout=30)


def serve(
    settings: Settings, port: int, log: Path, changes: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **(changes or {}),
        "INVIGIL_DATA_DIR": str(settings.data_dir),
        "INVIGIL_BUNDLE": str(settings.bundle),
    }
    with log.open("w") as stream:
        return start_server(port, environment, stream)


def await_ready(address: str, process: subprocess.Popen[str]) -> None:
    """Wait until the service is ready; at most three minutes, for the machine may be busy."""
    # One client, and no certificates: reading them takes longer than the answer.
    with httpx.Client(base_url=address, verify=False) as client:
        for _ in range(900):
            assert process.poll() is None, "the service has ended"
            try:
                if client.get("/health/ready").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise AssertionError("the service did not become ready within three minutes")
