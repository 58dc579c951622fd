"""One word for one thing: what people read and public names have no word that `docs/terms.md` forbids."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from invigil import app

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("embedding", "index", "service", "training")


def forbidden() -> list[str]:
    """The last column of every table of three."""
    rows = [line.strip("|").split("|") for line in terms().splitlines() if line.startswith("| ")]
    words = [word.strip() for row in rows if len(row) == 3 for word in row[2].split(",")]
    return [word for word in words if word and word != "Never say"]


def terms() -> str:
    return (ROOT / "docs" / "terms.md").read_text(encoding="utf-8")


def texts_of(value: Any) -> Iterator[str]:
    """Every text within a JSON document, keys among them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, str):
        yield value


def help_of(command: Any) -> Iterator[str]:
    yield command.help or ""
    yield from (getattr(parameter, "help", "") or "" for parameter in command.params)
    for child in getattr(command, "commands", {}).values():
        yield from help_of(child)


def public_names() -> Iterator[str]:
    """Of modules, functions and classes, as words with blanks between."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield path.stem.replace("_", " ")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", node.name)


def documents() -> Iterator[str]:
    """Every line that people read in the repository but `docs/terms.md`, which has the forbidden words."""
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        if path.name != "terms.md":
            yield from path.read_text(encoding="utf-8").splitlines()


def strings_in_code() -> Iterator[str]:
    """Every string of the packages, docstrings among them, line by line."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from node.value.splitlines()


def without_terms_of_others(texts: Iterator[str]) -> Iterator[str]:
    """Texts without what addresses, HTTP, PostgreSQL and statistics call their own things."""
    return (re.sub(r"user@|(?i:user-agent)|superuser|% confidence", "", text) for text in texts)


def found_in(texts: Iterator[str]) -> list[tuple[str, str]]:
    # An abbreviation is meant as it is written: FAR is forbidden, "so far" is not.
    words = [re.escape(word) if word.isupper() else f"(?i:{re.escape(word)}s?)" for word in forbidden()]
    pattern = re.compile(rf"\b(?:{'|'.join(words)})\b")
    return [(match[0], text) for text in texts for match in pattern.finditer(text)]


@pytest.mark.parametrize("file", ["docs/openapi.json", "service/web/strings/en.json"])
def test_the_api_and_the_pages_have_no_forbidden_word(file: str) -> None:
    assert found_in(texts_of(json.loads((ROOT / file).read_text(encoding="utf-8")))) == []


def test_the_papers_of_an_exam_have_no_forbidden_word() -> None:
    papers = list((ROOT / "service" / "exams" / "paperwork" / "texts").glob("*.en.md"))
    assert len(papers) > 4
    assert found_in(paper.read_text(encoding="utf-8") for paper in papers) == []


def test_the_help_of_the_command_line_has_no_forbidden_word() -> None:
    assert found_in(help_of(typer.main.get_command(app))) == []


def test_no_public_name_is_a_forbidden_word() -> None:
    assert found_in(public_names()) == []


def test_the_documents_have_no_forbidden_word() -> None:
    assert found_in(without_terms_of_others(documents())) == []


def test_no_string_in_code_has_a_forbidden_word() -> None:
    assert found_in(without_terms_of_others(strings_in_code())) == []


def test_a_forbidden_word_is_found() -> None:
    assert len(forbidden()) > 30
    assert found_in(iter(["A match score of 3."])) == [("match score", "A match score of 3.")]
