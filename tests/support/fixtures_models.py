"""A second model to promote, and a service that waits for no other process while it does."""

from pathlib import Path

import pytest
from made_bundles import turned_bundle

from embedding.bundle import Bundle
from service.models import promotion as promoting


@pytest.fixture(scope="session")
def turned(shipped_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Another real model."""
    return turned_bundle(shipped_bundle, tmp_path_factory.mktemp("bundles") / "turned")


@pytest.fixture
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no other process to wait for."""
    monkeypatch.setattr(promoting, "PREPARATION_SECONDS", 0.0)
