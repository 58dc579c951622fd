"""A service that all tests of the Python client share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures_service import ServedProcess, serve_process
from invigil_client import Client

from service.settings import Settings


@pytest.fixture(scope="module")
def service_of_all(
    shipped_bundle: Path, empty_sqlite: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedProcess]:
    """One service for all tests that leave the others' subjects alone."""
    folder = tmp_path_factory.mktemp("served")
    settings = Settings(_env_file=None, data_dir=folder, bundle=shipped_bundle)  # type: ignore[call-arg]
    with serve_process(settings, empty_sqlite) as process:
        yield process


@pytest.fixture
def invigil(service_of_all: ServedProcess) -> Iterator[Client]:
    """A client of the service."""
    with Client(service_of_all.address, service_of_all.key) as client:
        yield client
