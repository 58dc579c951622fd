"""A person's own file: everything that is held about them over all exams, and nothing about others."""

import io
import json

import pytest
from fixtures_exams import ExamService
from pypdf import PdfReader

from service.access.scopes import Scope

WORDS = "I was there at nine."


@pytest.fixture
def case(staffed_exam: ExamService, astronaut_jpeg: bytes) -> ExamService:
    """B1 came with the face of A1, a person decided, and B1 has complained."""
    staffed_exam.check_in(astronaut_jpeg, candidate="A1")
    checkin = staffed_exam.check_in(astronaut_jpeg, candidate="B1").json()["checkin"]["id"]
    terms = {"outcome": "refused", "reason_code": "impersonation_suspected"}
    staffed_exam.call("POST", f"checkins/{checkin}/override", json=terms)
    staffed_exam.call("POST", f"checkins/{checkin}/complaints", json={"text": WORDS})
    staffed_exam.call("PUT", "subjects/ext:B1/cards", json={"cards": ["LIB-77"]})
    return staffed_exam


def test_the_file_has_what_is_held_about_a_person_and_names_nobody_else(case: ExamService) -> None:
    answer = case.call("GET", "subjects/ext:B1/file")

    found = answer.json()
    assert (found["external_id"], found["further_numbers"]) == ("B1", ["LIB-77"])
    (template,) = found["templates"]
    assert set(template) == {"id", "model_id", "created_at", "quality", "from_kept_crop"}
    (exam,) = found["exams"]
    assert (exam["exam"], exam["room"], exam["candidate"]["status"]) == ("Mathematics", "R1", "refused")
    (checkin,) = exam["checkins"]
    assert checkin["overrides"][0]["reason_code"] == "impersonation_suspected"
    assert [one["text"] for one in exam["complaints"]] == [WORDS]
    assert {"template.enrolled", "checkin.recorded", "override.recorded"} <= {
        one["action"] for one in found["events"]
    }
    whole = json.dumps(found)
    assert "Ann Arbor" not in whole
    assert "vector" not in whole
    assert "attachment" in answer.headers["content-disposition"]
    (event,) = case.call("GET", "audit-events?action=person.exported").json()["items"]
    assert event["subject_id"] == found["subject_id"]


def test_who_may_not_read_decisions_gets_no_file_and_who_may_not_see_scores_none_of_them(
    case: ExamService,
) -> None:
    registrar = case.service.key(Scope.SUBJECTS_READ, Scope.ENROL)
    auditor = case.service.key(Scope.AUDIT_READ)

    refused = case.call("GET", "subjects/ext:B1/file", key=registrar)
    without = case.call("GET", "subjects/ext:B1/file", key=auditor).json()
    nobody = case.call("GET", "subjects/ext:X9/file", key=auditor)

    assert (refused.status_code, nobody.status_code) == (403, 404)
    assert "d" not in without["exams"][0]["checkins"][0]


def test_the_file_is_printed_in_the_readers_language(case: ExamService) -> None:
    headers = {"accept-language": "de"}
    answer = case.call("GET", "subjects/ext:B1/file.pdf?zone=Europe/Berlin", headers=headers)

    printed = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    for text in ("Was über Sie gespeichert ist", "B1 · LIB-77", "Bob Burns", WORDS, "Mathematics · R1"):
        assert text in printed
    assert "Ann Arbor" not in printed
    arabic = case.call("GET", "subjects/ext:B1/file.pdf", headers={"accept-language": "ar"})
    assert (arabic.status_code, arabic.headers["content-type"]) == (200, "application/pdf")
