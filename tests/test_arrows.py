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


def all_imports() -> Iterator[tuple[str, str]]:
    """Every module's path with each module that it imports, by name of both."""
    for path in modules():
        name = path.relative_to(ROOT).as_posix()
        for module in imports_of(path.read_text(encoding="utf-8")):
            yield name, module


def room_arrows(package: str) -> dict[str, set[str]]:
    """The rooms of a package, its files and folders, with the rooms that each imports."""
    inside, dotted = f"{package}/", package.replace("/", ".") + "."
    arrows: dict[str, set[str]] = {}
    for name, module in all_imports():
        if name.startswith(inside) and module.startswith(dotted):
            room = name.removeprefix(inside).removesuffix(".py").split("/")[0]
            target = module.removeprefix(dotted).split(".")[0]
            if room not in (target, "__init__"):
                arrows.setdefault(room, set()).add(target)
    return arrows


def cycles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """What is left once every room without an open arrow has been taken away, again and again."""
    left = {room: set(targets) for room, targets in arrows.items()}
    while free := [room for room, targets in left.items() if not targets & left.keys()]:
        for room in free:
            del left[room]
    return [sorted(left)] if left else []


def test_a_module_imports_only_along_the_arrows() -> None:
    wrong = [
        f"{name} imports {module}"
        for name, module in all_imports()
        if (top := module.split(".")[0]) in PACKAGES and top not in ALLOWED[name.split("/")[0]]
    ]

    assert wrong == []


def test_a_library_is_imported_inside_its_fence_only() -> None:
    wrong = [
        f"{name} imports {module}"
        for name, module in all_imports()
        if (top := module.split(".")[0]) in FENCES and not name.startswith(FENCES[top])
    ]

    assert wrong == []


@pytest.mark.not_quick("make check runs it")
def test_rooms_import_each_other_in_one_direction() -> None:
    for package in ("embedding", "index", "training", "service", "service/exams"):
        arrows = room_arrows(package)
        assert cycles(arrows) == [], package


def test_the_arrow_rule_sees_a_wrong_import() -> None:
    source = "from service.app import create_app\nimport torch.nn"

    assert list(imports_of(source)) == ["service.app", "torch.nn"]
