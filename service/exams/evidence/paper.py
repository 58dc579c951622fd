"""A4 sheets with names in any script, and a foot that says when they were printed."""

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace

from index.tables import utc_now
from service.exams.evidence.clocks import local_time

FONTS = Path(__file__).parent / "fonts"
FONT = "DejaVuSans"
"""Has the letters of all European languages, and Arabic, Hebrew, Georgian, Armenian and Lao."""
MAX_PRINTED = 2_000
"""Ten seconds of a core: setting type takes some milliseconds a line."""


@cache
def letters_of(font: str) -> frozenset[str]:
    """The characters that a font has."""
    with TTFont(FONTS / f"{font}.ttf", lazy=True) as opened:
        return frozenset(map(chr, opened.getBestCmap()))


def fonts_for(texts: Iterable[str]) -> list[str]:
    """The fonts besides FONT that these texts need; large ones are opened only for who needs them."""
    missing = set().union(*texts) - letters_of(FONT)
    needed = []
    for font in sorted(file.stem for file in FONTS.glob("*.ttf")):
        if missing and (has := missing & letters_of(font)):
            needed.append(font)
            missing -= has
    return needed


class Paper(FPDF):
    """A4 sheets with a foot that says when they were printed and which of how many each is."""

    def __init__(self, title: str, zone: ZoneInfo, names: Iterable[str] = ()) -> None:
        """Prepare.

        Args:
            title: Of the document.
            zone: Whose clocks the times are read from.
            names: Every text that may hold letters of any script.
        """
        super().__init__(format="A4")
        self.zone = zone
        self.printed_at = local_time(utc_now(), zone)
        self.add_font(FONT, fname=str(FONTS / f"{FONT}.ttf"))
        others = fonts_for(names)
        for font in others:
            self.add_font(font, fname=str(FONTS / f"{font}.ttf"))
        self.set_fallback_fonts(others)
        self.set_font(FONT, size=9)
        # Arabic letters are joined and run from the right.
        self.set_text_shaping(use_shaping_engine=True)
        self.set_auto_page_break(auto=True, margin=16)
        self.set_title(title)
        self.set_creator("Invigil")

    def footer(self) -> None:
        """The foot of each sheet."""
        self.set_y(-12)
        self.set_font_size(7)
        text = f"{self.printed_at} {self.zone.key} · {self.page_no()}/{{nb}}"
        self.cell(0, 5, text, align="R")
        self.set_font_size(9)


class TextPaper(Paper):
    """Sheets of lines and tables in a language that may be read from the right."""

    def __init__(self, title: str, zone: ZoneInfo, names: Iterable[str], *, right_to_left: bool) -> None:
        """Begin the first sheet; the arguments are as for `Paper`."""
        super().__init__(title, zone, names)
        self.right_to_left = right_to_left
        self.add_page()

    def print_line(self, text: str, size: float, height: float) -> None:
        """A text in letters of this size, each of its lines as high as this in millimetres."""
        self.set_font_size(size)
        align = "R" if self.right_to_left else "L"
        self.multi_cell(0, height, text, align=align, new_x="LMARGIN", new_y="NEXT")
        self.set_font_size(9)

    def print_table(
        self,
        lines: Sequence[Sequence[str]],
        widths: Sequence[int],
        *,
        heading: Sequence[str] = (),
        line_height: float,
    ) -> None:
        """A table; the first column is at the right where the reader begins there."""
        turn = -1 if self.right_to_left else 1
        with self.table(
            col_widths=tuple(widths[::turn]),
            line_height=line_height,
            borders_layout=TableBordersLayout.HORIZONTAL_LINES,
            headings_style=FontFace(emphasis=None, fill_color=(235, 235, 235)),
            text_align="RIGHT" if self.right_to_left else "LEFT",
            first_row_as_headings=bool(heading),
        ) as table:
            for cells in [heading, *lines] if heading else lines:
                row = table.row()
                for text in cells[::turn]:
                    row.cell(text)
