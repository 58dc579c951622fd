"""The use of a model over HTTP, and the alarm where somebody sees it."""

from datetime import UTC, datetime, timedelta

import pytest
from fixtures_service import Service

from index import audit
from service.access.scopes import Scope
from service.exams.tables import ModelUseRow
from service.exams.use.counting import UseCounts, monday_of
from service.use_watch import USE_ALARM

BEFORE = UseCounts(attempts=2000, matches=1960, referred=40)
NOW = UseCounts(attempts=500, matches=400, referred=100, refused=2, found_right=2)


def keep(service: Service, weeks_ago: int, counts: UseCounts, kiosk: str = "Door 1") -> None:
    """Counts of an exam whose evidence is gone."""
    week = monday_of(datetime.now(UTC).date()) - timedelta(weeks=weeks_ago)
    row = {"week": week, "kiosk": kiosk, "counts": counts.model_dump()}
    with service.parts.database.write() as db:
        db.add(ModelUseRow(model_id=service.parts.model.id, **row))


def drifted(service: Service) -> None:
    keep(service, 8, BEFORE)
    keep(service, 0, NOW)


def test_the_use_of_a_model_is_told_by_week_and_kiosk_with_intervals(service_everywhere: Service) -> None:
    service = service_everywhere
    drifted(service)
    keep(service, 8, UseCounts(attempts=20, matches=20), "Door 2")
    model_id = service.parts.model.id

    use = service.call("GET", f"/v1/models/{model_id}/use").json()
    short = service.call("GET", f"/v1/models/{model_id}/use", params={"weeks": 2}).json()

    assert [one["counts"]["attempts"] for one in use["weeks"]] == [2020, 500]
    assert {one["kiosk"]: one["counts"]["referred"] for one in use["kiosks"]} == {"Door 1": 140, "Door 2": 0}
    referral = use["weeks"][1]["rates"]["referral"]
    assert (referral["count"], referral["of"], referral["share"]) == (100, 500, 0.2)
    assert referral["interval"] == pytest.approx([0.1673, 0.2373], abs=1e-4)
    assert use["promised"]["fmr"] == service.parts.policy.match_fmr
    assert use["promised"]["false_non_match"] > 0
    assert short["total"]["counts"]["attempts"] == 500
    assert [(one["rate"], one["above"]) for one in short["alarms"]] == [("referral", "before")]


def test_an_alarm_is_shown_to_administrators_counted_and_written_down_once(service: Service) -> None:
    drifted(service)

    first = service.call("GET", "/v1/installation").json()
    service.call("GET", "/v1/installation")

    assert [(one["rate"], one["above"]) for one in first["use_alarms"]] == [("referral", "before")]
    assert "invigil_model_use_alarms 1.0" in service.call("GET", "/metrics").text
    with service.parts.database.read() as db:
        events = audit.list_events(db, limit=10, action=USE_ALARM)
    assert [one.details["alarms"] for one in events] == [["referral above before"]]


def test_nothing_is_told_to_others_and_nothing_of_an_unknown_model(service: Service) -> None:
    model_id = service.parts.model.id

    assert (
        service.call("GET", f"/v1/models/{model_id}/use", key=service.key(Scope.MODELS_WRITE)).status_code
        == 200
    )
    assert (
        service.call("GET", f"/v1/models/{model_id}/use", key=service.key(Scope.EXAMS_WRITE)).status_code
        == 403
    )
    assert service.call("GET", "/v1/models/none/use").json()["code"] == "model_not_found"
    assert service.call("GET", f"/v1/models/{model_id}/use", params={"weeks": 0}).status_code == 422
