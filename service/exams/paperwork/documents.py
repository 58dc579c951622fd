"""The papers as Markdown. What no setting says is a blank, and is named as one."""

from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.exams.paperwork.facts import Facts
from service.languages import ENGLISH, LANGUAGES, texts

TEXTS = Path(__file__).parent / "texts"

FILL_IN = {
    "en": "fill in",
    "de": "auszufüllen",
    "fr": "à compléter",
    "es": "por completar",
    "pl": "do uzupełnienia",
    "ar": "يُملأ",
}


class Paper(StrEnum):
    """What can be written; the notice in every language, the others in English."""

    IMPACT_ASSESSMENT = "impact-assessment"
    NOTICE = "notice"
    RETENTION = "retention"
    INSTRUCTIONS = "instructions"
    TECHNICAL_FILE = "technical-file"


TRANSLATED = {Paper.NOTICE}


def write_paper(facts: Facts, paper: Paper, language: str = ENGLISH) -> str:
    """One paper as Markdown, in English where it is not translated."""
    known = language if paper in TRANSLATED and language in LANGUAGES else ENGLISH
    template = environment().get_template(f"{paper}.{known}.md")
    text = template.render(
        facts=facts,
        exam=facts.exam,
        model=facts.model,
        installed=facts.installed,
        button=texts(known)["kiosk.by_document"],
        blank=lambda what: f"**[{FILL_IN[known]}: {what}]**",
    )
    return text.strip() + "\n"


@cache
def environment() -> Environment:
    """How the texts are read: Markdown, so nothing is escaped but what comes from people."""
    made = Environment(
        loader=FileSystemLoader(TEXTS),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        moment=moment, day=day, percent=percent, one_in=one_in, plain=plain, strangers=strangers
    )
    return made


def moment(at: datetime) -> str:
    """A moment in UTC, to the minute."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def day(at: datetime) -> str:
    """The day of a moment."""
    return f"{at:%Y-%m-%d}"


def percent(rate: float) -> str:
    """A share with one decimal."""
    return f"{100 * rate:.1f} %"


def one_in(fmr: float) -> str:
    """A false match rate as people say it: one in so many."""
    return f"1 : {strangers(fmr)}"


def strangers(fmr: float) -> str:
    """Of how many strangers about one matches."""
    return f"{round(1 / fmr):,}".replace(",", "\N{NO-BREAK SPACE}")


def plain(text: str) -> str:
    """What people have typed, so that it stays one line of text and no markup."""
    return "".join(f"\\{one}" if one in "\\`*_{}[]<>#|!~" else one for one in " ".join(text.split()))
