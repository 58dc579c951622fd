"""The papers of an exam say what its settings say, and leave open what no setting can."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fixtures_exams import ExamService

from embedding.bundle import SHIPPED, Bundle
from embedding.installation import copy_bundle
from service.exams.paperwork.documents import Paper, write_paper
from service.exams.paperwork.facts import collect_facts
from service.exams.paperwork.figures import door_lines
from service.languages import LANGUAGES
from service.paperwork import installed_of

DAYS = ("17", "23")
"""A number of days that is found in a paper comes from the settings: no text has one of its own."""


def paper(exams: ExamService, which: str, language: str = "en") -> str:
    answer = exams.call("GET", f"exams/{{exam}}/paperwork/{which}?language={language}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
    return answer.text


def change(exams: ExamService, **terms: Any) -> None:
    answer = exams.call("PATCH", "exams/{exam}", json={**terms, "reason": "as the test wants it"})
    assert answer.status_code == 200, answer.text


def has(text: str, number: str) -> bool:
    return re.search(rf"(?<!\d){number}(?!\d)", text) is not None


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_follows_the_settings_in_every_language(
    start_exam: Callable[..., ExamService], language: str
) -> None:
    kept, other = DAYS
    on = start_exam(
        {"keep_probe_thumbnails": True, "thumbnail_retention_days": int(kept), "match_fmr": 0.001},
        store_crops=True,
        crop_retention_days=int(other),
    )

    notice = paper(on, "notice", language)

    assert has(notice, kept)
    assert has(notice, other)
    assert has(notice, "1\N{NO-BREAK SPACE}000")
    assert "Mathematics" in notice
    change(on, keep_probe_thumbnails=False, faces="off")
    without = paper(on, "notice", language)
    assert not has(without, kept)
    assert not has(without, other)
    assert without != notice


def test_every_paper_is_written_with_faces_on_on_trial_and_off(exam_service: ExamService) -> None:
    written: dict[str, set[str]] = {}
    for faces in ("on", "pilot", "off"):
        change(exam_service, faces=faces)
        for one in Paper:
            text = paper(exam_service, one)
            assert "fill in" in text
            assert not re.search(r"\{[{%]|\bNone\b", text), text
            written.setdefault(one, set()).add(text)

    assert len(written["impact-assessment"]) == len(written["notice"]) == len(written["instructions"]) == 3


def test_what_was_measured_at_the_door_comes_from_the_models_figures(exam_service: ExamService) -> None:
    figures = json.loads((SHIPPED / "figures.json").read_bytes())
    condition = figures["door"][0]["conditions"][0]
    (rate,) = [one for one in condition["rates"] if one["at_fmr"] == 1e-4 and one["tries"] == 1]

    measured = paper(exam_service, "impact-assessment")
    change(exam_service, match_fmr=3e-4)
    unmeasured = paper(exam_service, "impact-assessment")

    share = f"{100 * rate['fnmr']['value']:.1f} %"
    assert f"{share} (" in measured
    assert f"of {rate['fnmr']['trials']}" in measured
    assert f"{share} (" not in unmeasured
    assert "nothing was measured" in unmeasured


def test_the_schedule_names_the_day_on_which_records_go_or_says_that_none_is_set(
    start_exam: Callable[..., ExamService],
) -> None:
    times = {"starts_at": "2027-01-10T08:00:00Z", "ends_at": "2027-01-10T11:00:00Z"}
    exams = start_exam({**times, "appeal_ends_at": "2027-02-01T00:00:00Z", "retention_days": 30})

    dated = paper(exams, "retention")
    change(exams, retention_days=None)
    endless = paper(exams, "retention")

    assert "2027-03-03: 30 days after the appeals end (2027-02-01)" in dated
    assert "no end is set" in endless


def test_without_a_template_key_the_papers_say_that_nothing_is_encrypted(exam_service: ExamService) -> None:
    parts, exam_id = exam_service.service.parts, UUID(exam_service.exam_id)

    facts = collect_facts(parts.desk, exam_id, installed_of(parts.settings, has_key=False))

    assert "not encrypted" not in paper(exam_service, "notice")
    assert "not encrypted" in write_paper(facts, Paper.NOTICE)
    assert "| Pictures of referred check-ins | no |" in write_paper(facts, Paper.RETENTION)
    assert "| Pictures of referred check-ins | no |" not in paper(exam_service, "retention")


def test_recorded_bases_and_people_by_document_are_counted_once_each(exam_service: ExamService) -> None:
    for number, basis in (("A1", "consent"), ("B1", "consent"), ("C1", "law")):
        terms: dict[str, Any] = {"external_id": number, "legal_basis": {"basis": basis, "reference": "x"}}
        assert exam_service.service.call("POST", "/v1/subjects", json=terms).status_code == 201
    roster = "external_id,manual_identification,private_check\nA1,no,\nB1,yes,\nC1,no,\nD1,no,yes\n"
    assert exam_service.put_csv(roster, "?create_subjects=true").status_code == 200

    text = paper(exam_service, "impact-assessment")

    assert "| consent | 2 |" in text
    assert "| law | 1 |" in text
    assert "| none is recorded | 1 |" in text
    assert "4 candidates on the rosters, 2 of them by document" in text


def test_a_name_that_looks_like_markup_stays_a_name(start_exam: Callable[..., ExamService]) -> None:
    exams = start_exam({"name": "Maths | [x](http://e.org) <b> {{ 7*7 }}"})

    for one in Paper:
        text = paper(exams, one)
        assert r"Maths \| \[x\](http://e.org) \<b\> \{\{ 7\*7 \}\}" in text


def test_an_unknown_paper_and_an_unknown_exam_are_not_found(exam_service: ExamService) -> None:
    assert exam_service.call("GET", "exams/{exam}/paperwork/poem").status_code == 422
    missing = exam_service.call("GET", f"exams/{exam_service.session_id}/paperwork/notice")
    assert missing.json()["code"] == "exam_not_found"


def test_the_figures_go_along_with_a_copy_of_the_bundle(tmp_path: Path) -> None:
    shipped = Bundle.load(SHIPPED)

    copy = copy_bundle(shipped, tmp_path / "copy")

    assert door_lines(copy) == door_lines(shipped) != []
