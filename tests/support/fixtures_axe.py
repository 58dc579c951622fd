"""axe-core in the browser: it looks at each state that a test walks through, and tells all faults at once."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "js" / "node_modules" / "axe-core" / "axe.min.js"
"""`make check` installs it where there is Node, in the version of .ci/js/package.json."""

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
BESIDES = ["page-has-heading-one", "empty-table-header", "heading-order", "landmark-one-main", "skip-link"]
"""Rules that are good practice and no success criterion of WCAG, but promises of docs/design.md."""
OF_COLOUR = ["color-contrast"]
LOOK = """async (rules) => {
  const found = await axe.run(document, { ...rules, resultTypes: ["violations"] });
  return found.violations.flatMap((rule) => rule.nodes.map((node) =>
    [rule.id, node.target.join(" "), (node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? rule.help]));
}"""


@dataclass
class Axe:
    """What axe-core found on the way, each as one line: state, rule, element, why."""

    script: str
    faults: list[str] = field(default_factory=list)
    looked_at: int = 0

    def look(self, page: Page, state: str, *, dark: bool = True) -> None:
        """Look at the page as it is now; with `dark`, at its colours in the dark, too."""
        self.run(page, state, {"runOnly": {"type": "tag", "values": TAGS}, "rules": named(BESIDES)})
        if dark:
            page.emulate_media(color_scheme="dark")
            self.run(page, f"{state} (dark)", {"runOnly": {"type": "rule", "values": OF_COLOUR}})
            page.emulate_media(color_scheme="light")

    def run(self, page: Page, state: str, rules: dict[str, object]) -> None:
        """Run some rules, and keep what they found."""
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(self.script)
        self.faults += [f"{state}: {' | '.join(found)}" for found in page.evaluate(LOOK, rules)]
        self.looked_at += 1


def named(rules: list[str]) -> dict[str, dict[str, bool]]:
    """Rules to add to those of the tags."""
    return {rule: {"enabled": True} for rule in rules}


@pytest.fixture
def axe() -> Iterator[Axe]:
    """The test fails at its end with everything that was found."""
    if not SCRIPT.exists():
        missing = "axe-core is not here; `make check` installs it where there is Node"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    looking = Axe(SCRIPT.read_text(encoding="utf-8"))
    yield looking
    assert looking.looked_at
    assert not looking.faults, "\n" + "\n".join(looking.faults)
