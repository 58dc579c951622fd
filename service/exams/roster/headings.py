"""Which column of a list is which: by the columns' own names, or as somebody has said once for such lists."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from service.exams.errors import RosterUnreadable
from service.sheets.workbook import Spoilt

MAX_HEADING_CHARACTERS = 100
MAX_HEADINGS = 100
EXAMPLE_CHARACTERS = 40

USUAL: Mapping[str, tuple[str, ...]] = {
    "external_id": (
        "matrikelnummer",
        "matrikelnr.",
        "matr.-nr.",
        "student id",
        "student number",
        "candidate number",
        "registration number",
        "numéro étudiant",
        "número de estudiante",
        "numer albumu",
        "matricola",
        "studentnummer",
        "الرقم الجامعي",
    ),
    "display_name": ("name", "full name", "nom complet", "nombre completo", "imię i nazwisko", "الاسم"),
    "first name": ("first name", "given name", "vorname", "prénom", "nombre", "imię", "voornaam"),
    "last name": (
        "last name",
        "surname",
        "family name",
        "nachname",
        "nom",
        "apellidos",
        "nazwisko",
        "achternaam",
    ),
    "seat": ("seat", "platz", "sitzplatz", "platznummer", "place", "asiento", "miejsce", "المقعد"),
}
"""Headings that offices use: proposed to whoever maps a list, never followed by themselves."""


@dataclass(frozen=True)
class Layout:
    """How a kind of list is laid out: of each column, the headings whose cells make it up, in their order."""

    name: str
    columns: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Heading:
    """The heading of a list.

    Attributes:
        line: Where it is.
        names: Of all columns, folded.
        shown: The same as the file has them.
        layout: Says which is which; None where the columns have their own names.
    """

    line: int
    names: Sequence[str]
    shown: Sequence[str]
    layout: Layout | None = None

    def fields_of(self, record: Sequence[str]) -> Mapping[str, object]:
        """The cells of a record by the names of our columns."""
        cells = dict(zip(self.names, record, strict=False))
        if self.layout is None:
            return cells
        return {column: joined(cells, headings) for column, headings in self.layout.columns.items()}


def joined(cells: Mapping[str, str], headings: Sequence[str]) -> str:
    """Several cells as one, as a first and a last name are; what a spreadsheet has changed stays so."""
    values = [cells.get(fold(one), "") for one in headings]
    spoilt = [one for one in values if isinstance(one, Spoilt)]
    return spoilt[0] if spoilt else " ".join(one.strip() for one in values if one.strip())


def fold(heading: str) -> str:
    """What headings are compared by."""
    return " ".join(unicodedata.normalize("NFKC", heading).casefold().split())[:MAX_HEADING_CHARACTERS]


def own_name(heading: str) -> str:
    """A heading as the name of one of our columns."""
    return fold(heading).replace(" ", "_")


def find_heading(
    records: Sequence[tuple[int, list[str]]],
    layouts: Sequence[Layout],
    chosen: Layout | None,
    columns: Collection[str],
) -> tuple[int, Heading]:
    """Which of the first records is the heading, and what it says.

    Args:
        records: With their lines.
        layouts: Tried in this order where no record has the columns' own names.
        chosen: The only one to try.
        columns: Our own names.

    Raises:
        RosterUnreadable: If none is one, with what is needed to map the list; or if a column is there twice.
    """
    for layout in (chosen,) if chosen else (None, *layouts):
        for position, (line, record) in enumerate(records):
            names = [own_name(one) if layout is None else fold(one) for one in record]
            wanted = {"external_id"} if layout is None else wanted_by(layout)
            if wanted <= set(names):
                used = columns if layout is None else wanted
                require_once(names, used)
                return position, Heading(line, names, shown(record), layout)
    raise not_found(records, chosen)


def wanted_by(layout: Layout) -> set[str]:
    """The headings without which a list is not laid out so."""
    return {fold(one) for headings in layout.columns.values() for one in headings}


def require_once(names: Sequence[str], used: Collection[str]) -> None:
    """Refuse a heading that names a column twice.

    Raises:
        RosterUnreadable: If it does.
    """
    twice = sorted({name for name in names if name in used and names.count(name) > 1})
    if twice:
        raise RosterUnreadable(f"the header has the column {twice[0]} twice", why="column_twice")


def not_found(records: Sequence[tuple[int, list[str]]], chosen: Layout | None) -> RosterUnreadable:
    """What is said of a list whose columns nobody has explained: its headings, an example, and a proposal."""
    widths = [sum(map(bool, record)) for _, record in records]
    position = widths.index(max(widths)) if widths else -1
    record = records[position][1] if widths else []
    example = records[position + 1][1] if position + 1 < len(records) else []
    found = ", ".join(own_name(one) for one in record[:10]) or "nothing"
    missing = "external_id" if chosen is None else f"that {chosen.name} names"
    return RosterUnreadable(
        f"the header has no column {missing}; it has {found}",
        why="columns_unknown",
        headings=shown(record),
        example=[one[:EXAMPLE_CHARACTERS] for one in example[:MAX_HEADINGS]],
        proposed=proposal(record),
    )


def shown(record: Sequence[str]) -> list[str]:
    """Headings as a page shows them."""
    return [" ".join(one.split())[:MAX_HEADING_CHARACTERS] for one in record[:MAX_HEADINGS]]


def proposal(record: Sequence[str]) -> dict[str, list[str]]:
    """What each of our columns most likely is, by the headings that offices use."""
    by_name = {fold(one): text for one, text in zip(record, shown(record), strict=False)}
    found = {
        column: next((by_name[name] for name in names if name in by_name), None)
        for column, names in USUAL.items()
    }
    parts = [one for one in (found.pop("first name"), found.pop("last name")) if one is not None]
    proposed = {column: [one] for column, one in found.items() if one is not None}
    if len(parts) == 2 or (parts and "display_name" not in proposed):
        proposed["display_name"] = parts
    elif parts:
        proposed["display_name"] = [*parts, *proposed["display_name"]]
    return proposed
