"""A4 sheets with names in any script, and a foot that says when they were printed."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from fontTools.ttLib import TTFont
from fpdf import FPDF

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
