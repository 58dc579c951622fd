"""Links for everybody of a roster who has no template."""

import csv
import io

from fixtures_exams import ExamService


def test_a_roster_gets_links_for_those_without_a_template_as_a_list_for_a_mail_merge(
    exam_service: ExamService, astronaut_jpeg: bytes
) -> None:
    exam, service = exam_service, exam_service.service
    rows = (
        "external_id,display_name,manual_identification\nA1,Ana,no\nB2,=cmd('x'),no\nC3,Cem,yes\nD4,Dee,no\n"
    )
    path = f"/v1/sessions/{exam.session_id}/roster?create_subjects=true"
    put = service.call("PUT", path, content=rows.encode(), headers={"content-type": "text/csv"})
    assert put.status_code == 200, put.text
    photo = {"image": astronaut_jpeg}
    assert service.call("POST", "/v1/subjects/ext:A1/templates", files=photo).status_code == 201
    assert service.call("POST", "/v1/subjects/ext:D4/withdrawal").status_code == 200

    path = f"/v1/sessions/{exam.session_id}/enrolment-links?as_csv=true"
    made = service.call("POST", path)

    assert made.status_code == 201, made.text
    (row,) = csv.DictReader(io.StringIO(made.content.decode("utf-8-sig")))
    assert (row["external_id"], row["display_name"]) == ("B2", "'=cmd('x')")
    token = row["url"].partition("/enrol/#")[2]
    assert service.client.post("/enrol/look", headers={"X-Enrolment-Token": token}).status_code == 200
    assert (
        service.call("POST", "/v1/sessions/01a21f68-6710-7000-a4a1-f3fd9de3cc2a/enrolment-links").status_code
        == 404
    )
