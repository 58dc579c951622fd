"""The arrows and fences of the house: which package may import which, and where a library may be named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("embedding", "index", "service", "training")

ALLOWED = {
    "embedding": {"embedding"},
    "index": {"index", "embedding"},
    "service": {"service", "index", "embedding"},
    "training": {"training", "index", "embedding"},
}

FENCES = {
    "faiss": ("index/vectors.py",),
    "fastapi": ("service/",),
    "starlette": ("service/",),
    "torch": ("training/",),
    "torchvision": ("training/",),
    "pytorch_metric_learning": ("training/",),
    "cv2": ("embedding/", "training/data/", "training/embedder/augment.py", "training/detection/"),
    "openvino": ("embedding/",),
    "sqlalchemy": ("index/", "service/exams/", "service/access/"),
}


def imports_of(source: str) -> Iterator[str]:
    """Every module a source text imports, by its full name."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_along_the_arrows_and_inside_the_fences(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    package = name.split("/")[0]

    for module in imports_of(path.read_text(encoding="utf-8")):
        top = module.split(".")[0]
        assert top not in PACKAGES or top in ALLOWED[package], f"{name} must not import {module}"
        assert top not in FENCES or name.startswith(FENCES[top]), f"{name} must not import {module}"


def test_the_arrow_rule_sees_a_wrong_import() -> None:
    source = "from service.app import create_app\nimport torch.nn"

    assert list(imports_of(source)) == ["service.app", "torch.nn"]
