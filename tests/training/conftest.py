"""Fixtures for tests of the training."""

import pytest
import torch
from fixtures_cli import cli, enrolled_cli
from fixtures_models import nobody_else, turned
from fixtures_service import empty_sqlite, served, service, service_everywhere, settings_for, start_service
from loss_oracles import CLASSES, DIM, draw
from torch import Tensor


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """16 embeddings of 4 identities: the draw for which reference values are known. Not of unit length."""
    torch.manual_seed(0)
    return draw(16, DIM) * 0.7, torch.arange(16) % CLASSES
