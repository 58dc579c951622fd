"""The room sheet: made before the day, written on by hand where the network or the power is gone.

A line for each candidate by seat, with the number as a QR code that a kiosk or a reader takes, and columns
for times, the document and the signature.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import zxingcpp
from fpdf.enums import MethodReturnValue

from index.audit import Origin
from index.crops import crop_of, open_crop
from index.errors import TemplateUnreadable
from service.exams.audit import note
from service.exams.context import Desk
from service.exams.evidence.attendance import Room, require_paper, texts_of
from service.exams.evidence.clocks import local_time
from service.exams.evidence.paper import Paper
from service.exams.schemas import Candidate

LINE = 17.0
"""Height of a candidate's line in mm; all lengths here are in mm."""
CODE = 12.0
"""Side of the QR code: 2.5 mm on each side stay white, as readers need it."""
PICTURE = 14.0
PAD = 1.0
MOST_LINES = 2
"""Of a name or a number; what is longer is cut, the QR code has all of it."""
WIDE: Mapping[str, float] = {
    "seat": 15,
    "code": 17,
    "name": 50,
    "arrived": 16,
    "document": 22,
    "breaks": 26,
    "left": 16,
}
TOTAL = 190
NARROW: Mapping[str, float] = {"name": 40, "document": 20, "breaks": 24}


@dataclass(frozen=True)
class SheetStyle:
    """How a sheet is printed.

    Attributes:
        words: Texts in the reader's language by their keys, without `sheet.`.
        pictures: Of the enrolment as PNG, by roster entry; None prints no column for them.
        right_to_left: Whether the first column is at the right.
    """

    words: Mapping[str, str]
    pictures: Mapping[UUID, bytes] | None = None
    right_to_left: bool = False


def sheet_pdf(room: Room, zone: ZoneInfo, style: SheetStyle) -> bytes:
    """The sheet of one room, A4.

    Raises:
        TooManyForPaper: If there are more people than are printed at once.
    """
    require_paper([room])
    sheet = Sheet(room, zone, style)
    for one in room.candidates:
        sheet.print_candidate(one)
    sheet.print_signature()
    return bytes(sheet.output())


def pictures_of(desk: Desk, room: Room, origin: Origin) -> dict[UUID, bytes]:
    """The kept crops of the enrolments, as PNG by roster entry. That each was looked at is recorded.

    Nobody's who is identified by a document, and none that does not open.
    """
    found: dict[UUID, bytes] = {}
    if desk.cipher is None:
        return found
    with desk.database.write() as db:
        for one in room.candidates:
            if one.subject_id is None or one.flags.is_for_a_person:
                continue
            kept = crop_of(db, one.subject_id, None)
            if kept is None:
                continue
            try:
                found[one.entry_id] = open_crop(desk.cipher, kept)
            except TemplateUnreadable:
                continue
            about = {"entry_id": one.entry_id, "crop_id": kept.id}
            note(db, "crop.viewed", origin, subject_id=one.subject_id, **about)
    return found


def qr_runs(text: str) -> Iterator[tuple[float, float, float, float]]:
    """The black parts of a text's QR code: left, top, width and height, as parts of its side."""
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    rows = np.asarray(code.to_image(scale=1, add_quiet_zones=False)) == 0
    side = len(rows)
    for y, row in enumerate(rows):
        x = 0
        for is_dark, run in groupby(row.tolist()):
            length = len(list(run))
            if is_dark:
                yield x / side, y / side, length / side, 1 / side
            x += length


class Sheet(Paper):
    """A room's sheets; every one says which room it is of."""

    def __init__(self, room: Room, zone: ZoneInfo, style: SheetStyle) -> None:
        super().__init__(style.words["title"], zone, [*texts_of(room), *style.words.values()])
        self.room, self.style = room, style
        self.set_auto_page_break(auto=False)
        self.widths = dict(WIDE)
        if style.pictures is not None:
            self.widths = {**self.widths, **NARROW, "picture": PICTURE + 2 * PAD}
        self.widths["signature"] = TOTAL - sum(self.widths.values())
        self.add_page()

    @property
    def columns(self) -> Sequence[str]:
        """The columns in the order of reading."""
        shown = ("seat", "code", "name", "picture", "arrived", "document", "signature", "breaks", "left")
        return [name for name in shown if name in self.widths]

    @property
    def align(self) -> str:
        """Where lines begin."""
        return "R" if self.style.right_to_left else "L"

    def header(self) -> None:
        """The head of each sheet: the exam, the room, the time, and the columns' names."""
        closes = local_time(self.room.closes_at, self.zone, "%H:%M")
        when = f"{local_time(self.room.opens_at, self.zone)} – {closes} ({self.zone.key})"
        self.set_font_size(13)
        self.write_line(f"{self.room.exam} · {self.room.room}", 7)
        self.set_font_size(9)
        self.write_line(f"{self.style.words['title']} · {when} · {len(self.room.candidates)}", 5)
        self.set_font_size(7.5)
        self.write_line(self.style.words["help"], 5)
        self.ln(1)
        self.set_fill_color(235, 235, 235)
        self.rect(self.l_margin, self.y, TOTAL, 7, style="F")
        for name, x in self.places():
            if name not in ("code", "picture"):
                self.write_in(x, self.y + 1, self.widths[name], self.style.words[name], 7.5, most=1)
        self.set_y(self.y + 7)
        self.set_font_size(9)

    def write_line(self, text: str, height: float) -> None:
        """One line over the whole width, cut where it is too long."""
        (line,) = self.cut(text, TOTAL, 1)
        self.cell(TOTAL, height, line, align=self.align, new_x="LMARGIN", new_y="NEXT")

    def places(self) -> Iterator[tuple[str, float]]:
        """Each column with its left edge."""
        x = self.l_margin
        for name in reversed(self.columns) if self.style.right_to_left else self.columns:
            yield name, x
            x += self.widths[name]

    def print_candidate(self, one: Candidate) -> None:
        """A candidate's line; one that does not fit begins the next sheet."""
        if self.y + LINE > self.h - 16:
            self.add_page()
        top = self.y
        for name, x in self.places():
            if name == "code":
                self.print_code(one.external_id, x + (self.widths[name] - CODE) / 2, top + (LINE - CODE) / 2)
            elif name == "picture":
                self.print_picture(one, x + PAD, top + (LINE - PICTURE) / 2)
            elif name == "seat":
                self.write_in(x, top + 5, self.widths[name], one.seat or "", 12, most=1)
            elif name == "name":
                self.print_person(one, x, top)
            self.line(x, top, x, top + LINE)
        self.line(self.l_margin + TOTAL, top, self.l_margin + TOTAL, top + LINE)
        self.line(self.l_margin, top + LINE, self.l_margin + TOTAL, top + LINE)
        self.set_y(top + LINE)

    def print_person(self, one: Candidate, x: float, top: float) -> None:
        """Name and number, and what the invigilator has to know."""
        width, words = self.widths["name"], self.style.words
        below = self.write_in(x, top + 1, width, one.display_name or "", 9)
        below = self.write_in(x, below, width, one.external_id, 7.5, most=1)
        known = [words["extra"].format(n=one.extra_minutes)] if one.extra_minutes else []
        known += [words["by_document"]] if one.flags.manual_identification else []
        known += [words["apart"]] if one.flags.private_check else []
        self.write_in(x, below, width, " · ".join(known), 7, most=1)

    def print_code(self, text: str, x: float, y: float) -> None:
        """A QR code as filled rectangles, sharp at any size."""
        self.set_fill_color(0, 0, 0)
        for left, above, width, height in qr_runs(text):
            # A hair more than a dot's height: viewers would show white lines between rows.
            dot = height * CODE + 0.02
            self.rect(x + left * CODE, y + above * CODE, width * CODE, dot, style="F")

    def print_picture(self, one: Candidate, x: float, y: float) -> None:
        """The picture of the enrolment; an empty frame where none is kept."""
        picture = (self.style.pictures or {}).get(one.entry_id)
        if picture is not None:
            self.image(io.BytesIO(picture), x, y, PICTURE, PICTURE)
        else:
            self.rect(x, y, PICTURE, PICTURE)

    def write_in(
        self, x: float, y: float, width: float, text: str, size: float, most: int = MOST_LINES
    ) -> float:
        """Write some lines into a column; returns where they end."""
        self.set_font_size(size)
        height = size * 0.45
        before = self.y
        for line in self.cut(text, width - 2 * PAD, most):
            self.set_xy(x + PAD, y)
            self.cell(width - 2 * PAD, height, line, align=self.align)
            y += height
        self.set_xy(self.l_margin, before)
        self.set_font_size(9)
        return y

    def cut(self, text: str, width: float, most: int) -> list[str]:
        """A text in lines of this width; what is more than so many is left out, and one can see that."""
        if not text:
            return [] if most > 1 else [""]
        given: list[str] = self.multi_cell(  # type: ignore[assignment]
            width + 2 * self.c_margin, 4, text, dry_run=True, output=MethodReturnValue.LINES
        )
        return given if len(given) <= most else [*given[: most - 1], f"{given[most - 1][:-2]}…"]

    def print_signature(self) -> None:
        """Where whoever was in charge signs."""
        if self.y + 20 > self.h - 16:
            self.add_page()
        self.ln(12)
        self.write_line(f"{self.style.words['invigilator']}: ________________________________", 7)
