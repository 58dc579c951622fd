"""Examples for the OpenAPI document: one value for each kind of field, and bodies put together from them."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

DEEPEST = 8
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
MOMENT = "2026-11-27T09:02:11Z"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 29 29">…</svg>'

VALUES: dict[str, Any] = {
    "Confirmation.code": "123456",
    "FieldProblem.code": "missing",
    "ReasonCode.code": "document_checked",
    "Thresholds.match": 1.037,
    "Thresholds.refer": 1.256,
    "accommodation": "30 minutes more",
    "action": "subject.enrolled",
    "active_id": DIGEST[:16],
    "actor": "Olga Office",
    "address": "10.1.2.3",
    "agent": "Mozilla/5.0 (X11; CrOS x86_64)",
    "answer": "The picture was blurred; you were admitted by document after two minutes.",
    "answered_at": "2026-12-03T10:00:00Z",
    "answered_by": "Olga Office",
    "attempts_allowed": 3,
    "at_d": 0.0001,
    "basis": "consent",
    "battery": 0.82,
    "calibration_id": "f1e2d3c4b5a69788",
    "candidate": "s-1001",
    "card_prefix": "",
    "cards": "04A224B1C25E80",
    "cells": 0.012,
    "changed_by": "Olga Office",
    "closes_at": "2026-11-27T12:00:00Z",
    "code": "no_faces",
    "created_at": "2026-10-01T08:30:00Z",
    "d": 0.412,
    "database": "postgresql",
    "detail": "Seat 12 is given twice.",
    "digest": DIGEST,
    "disabled_reason": None,
    "display_name": "Ana Lopes",
    "document_type": "student_card",
    "due_on": "2026-12-27",
    "duplicate_fmr": 1e-06,
    "ends_at": "2026-11-27T12:00:00Z",
    "enrolled_at": "2026-10-01T08:30:00Z",
    "error": "The host did not answer within 10 seconds.",
    "event": "checkin.referred",
    "exam_name": "Linear Algebra",
    "expires_at": "2026-12-15T23:59:59Z",
    "expect": f"41:{DIGEST}",
    "external_id": "s-1001",
    "fmr": 0.0001,
    "fmr_at_d": 3.2e-06,
    "force_reason": "twins, both identity cards seen",
    "final": "true",
    "exam": "Linear Algebra",
    "format": "qr_code",
    "former": "a password of before",
    "head": DIGEST,
    "headings": "Matrikelnummer",
    "further_numbers": "04A224B1C25E80",
    "group": "glasses",
    "id": DIGEST[:16],
    "interval": 0.02,
    "issuer": "https://login.example.edu",
    "item": "7f1c",
    "k": 5,
    "key": "inv1a2b3c4.the-secret-is-shown-once",
    "kind": "crops",
    "kiosk": "Door 1",
    "label": "Document checked",
    "language": "en",
    "late_reason": "delayed train",
    "layout": "campus system",
    "left_out": "none",
    "lifted_because": "the appeal was decided",
    "lifted_by": "Olga Office",
    "link": "https://invigil.example.edu/console#/join/the-secret-is-shown-once",
    "log": "step 3 of 7",
    "login": "olga",
    "match": 0.0001,
    "match_fmr": 0.0001,
    "model": "invigil-2",
    "model_id": DIGEST[:16],
    "name": "Linear Algebra",
    "newest": f"41:{DIGEST}",
    "next_cursor": None,
    "note": "passport seen",
    "numbers": DIGEST,
    "opens_at": "2026-11-27T08:45:00Z",
    "operator": "Ivo Invigilator",
    "other": "s-1002",
    "override_reason": "worse by a margin that we accept",
    "own_match_fmr": 0.0001,
    "own_refer_fmr": 1e-05,
    "password": "correct horse battery staple",
    "path": "photos/s-1001.jpg",
    "poor": "low_sharpness",
    "pointer": "/body/seat",
    "prefix": "inv1a2b3c4",
    "previous_digest": DIGEST,
    "public_key": "BHk0l9…",
    "put_by": "Olga Office",
    "qr": SVG,
    "reason": "appeal of a candidate",
    "reason_code": "document_checked",
    "reasons": "above_refer",
    "received_on": "2026-11-27",
    "refer": 1e-05,
    "refer_fmr": 0.001,
    "reference": "MATH-101",
    "request_id": "01930d2a6c7f7e5f9c0d",
    "revision": "20261120_complaints",
    "room": "Hall A",
    "scope": "gallery",
    "seat": "12",
    "secret": "the-secret-is-shown-once",
    "share": 0.04,
    "sheet": "Sheet1",
    "since": "2026-11-01",
    "smallest_fmr": 1e-05,
    "starts_at": "2026-11-27T09:00:00Z",
    "step": "train",
    "table": "templates",
    "taken_by": "Ivo Invigilator",
    "text": "I was kept waiting although I had shown my card.",
    "threshold": 1.037,
    "title": "On hold",
    "type": "urn:invigil:problem:on_hold",
    "uri": "otpauth://totp/Invigil:olga?secret=JBSWY3DPEHPK3PXP&issuer=Invigil",
    "url": "https://invigil.example.edu/enrol/#the-secret-is-shown-once",
    "value": "30",
    "version": "0.1.0",
    "warnings": "duplicate_not_refused",
    "week": "2026-11-23",
    "why": "The person prefers a document.",
    "worker": "worker-1",
}
"""A field's value in every example, by its name, or by its schema's and its own."""

REQUESTS: dict[str, dict[str, Any]] = {
    "SubjectFields": {
        "external_id": "s-1001",
        "display_name": "Ana Lopes",
        "legal_basis": {
            "basis": "consent",
            "reference": "form of 1 October",
            "expires_at": "2027-09-30T23:59:59Z",
        },
    },
    "ExamChanges": {"ends_at": "2026-11-27T12:30:00Z", "reason": "fire alarm"},
    "SessionChanges": {"closes_at": "2026-11-27T12:30:00Z", "reason": "fire alarm"},
    "CandidateChanges": {"seat": "14", "reason": "broken chair"},
    "KioskChanges": {"name": "Door 2"},
    "OperatorChanges": {"role": "exam_office"},
    "WebhookChange": {"enabled": False},
    "NewWebhook": {"url": "https://lms.example.edu/invigil", "events": ["checkin.admitted"]},
    "CodeGiven": {"code": "7KQ2-M9XR"},
    "NewKiosk": {"code": "7KQ2-M9XR", "name": "Door 1"},
    "Refusal": {"reason": "another person"},
    "NewComplaint": {
        "text": "I was kept waiting although I had shown my card.",
        "received_on": "2026-11-27",
    },
    "Lifting": {"reason": "the appeal was decided"},
    "UndoTerms": {"reason": "the wrong card was scanned"},
    "NewHold": {
        "kind": "appeal",
        "reason": "appeal of a candidate",
        "exam_id": "01930d2a-6c7f-7e5f-9c0d-2b7a4e1f8d36",
    },
    "NewJob": {"kind": "retrain", "params": {"enrolled": True}},
    "NewKey": {"name": "Timetable system", "scopes": ["exams:write"]},
    "NewKioskKey": {"name": "Door 1"},
    "NewOperator": {"login": "olga", "name": "Olga Office", "role": "exam_office"},
    "DocumentRequest": {"candidate": "s-1001", "kiosk": "Door 1"},
    "NotedEvents": {"expect": [f"41:{DIGEST}"]},
    "KioskSign": {"camera": "ok", "battery": 0.82, "charging": True},
    "MovementTerms": {"candidate": "s-1001", "kind": "return", "document_type": "student_card"},
    "RollBack": {"reason": "more referrals than before"},
    "AttendedTerms": {"id": "01930d2a-6c7f-7e5f-9c0d-2b7a4e1f8d36"},
    "RosterDocument": {"candidates": [{"external_id": "s-1001", "display_name": "Ana Lopes", "seat": "12"}]},
    "PaperTerms": {
        "lines": [
            {"candidate": "s-1001", "arrived_at": "2026-11-27T09:07:00Z", "document_type": "student_card"}
        ]
    },
    "Promote": {"override_reason": "worse by a margin that we accept"},
}
"""Bodies that are clearer than what the fields alone give."""

TEXTS: dict[str, str] = {
    "put_roster": "external_id,display_name,seat\ns-1001,Ana Lopes,12\n",
    "type_in_paper": "external_id,arrived,document\ns-1001,09:07,student_card\n",
    "report_by_group": "external_id,group\ns-1001,glasses\ns-1002,none\n",
    "read_photo_list": "external_id,display_name,path\ns-1001,Ana Lopes,photos/s-1001.jpg\n",
}
"""Bodies that are no JSON, by the operation."""


class Examples:
    """Makes examples of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas

    def request(self, schema: Schema) -> Any:
        """A body that is sent."""
        return self._value(schema, "", 0, sent=True)

    def form(self, schema: Schema) -> dict[str, Any]:
        """The parts of a form; a picture is named by its file."""
        return {name: self._part(one, name) for name, one in schema.get("properties", {}).items()}

    def _part(self, schema: Schema, name: str) -> Any:
        if schema.get("items", {}).get("format") == "binary":
            return ["before-1.jpg", "before-2.jpg"]
        return "photo.jpg" if schema.get("format") == "binary" else self._value(schema, name, 0, sent=True)

    def answer(self, schema: Schema) -> Any:
        """A body that is answered, with every field that it may have."""
        return self._value(schema, "", 0, sent=False)

    def _value(self, schema: Schema, name: str, depth: int, *, sent: bool) -> Any:
        if "$ref" in schema:
            target = str(schema["$ref"]).rsplit("/", 1)[1]
            if sent and target in REQUESTS:
                return REQUESTS[target]
            return self._value(self.schemas[target], name, depth, sent=sent)
        if sent and schema.get("title") in REQUESTS:
            return REQUESTS[schema["title"]]
        if "examples" in schema:
            return schema["examples"][0]
        if name in VALUES and VALUES[name] is None:
            return None
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                kinds = [one for one in schema[union] if one.get("type") != "null"]
                return self._value(kinds[0], name, depth, sent=sent) if depth < DEEPEST else None
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return VALUES[name] if VALUES.get(name) in schema["enum"] else schema["enum"][0]
        return self._plain(schema, name, depth, sent=sent)

    def _plain(self, schema: Schema, name: str, depth: int, *, sent: bool) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, depth, sent=sent)
            case "array":
                return self._array(schema, name, depth, sent=sent)
            case "string":
                return _text(schema, name)
            case "integer" | "number":
                return _number(schema, name)
            case "boolean":
                return bool(schema.get("default", False))
            case "null":
                return None
            case _:
                return {}

    def _object(self, schema: Schema, depth: int, *, sent: bool) -> dict[str, Any]:
        properties, needed = schema.get("properties", {}), schema.get("required", ())
        wanted = [name for name in properties if not sent or name in needed]
        return {name: self._field(schema, name, depth + 1, sent=sent) for name in wanted}

    def _field(self, owner: Schema, name: str, depth: int, *, sent: bool) -> Any:
        full = f"{owner.get('title')}.{name}"
        return self._value(owner["properties"][name], full if full in VALUES else name, depth, sent=sent)

    def _array(self, schema: Schema, name: str, depth: int, *, sent: bool) -> list[Any]:
        if "prefixItems" in schema:
            return [self._value(one, name, depth + 1, sent=sent) for one in schema["prefixItems"]]
        if depth >= DEEPEST or "items" not in schema:
            return []
        one = self._value(schema["items"], name, depth + 1, sent=sent)
        return [one] * int(schema.get("minItems", 1))


def _text(schema: Schema, name: str) -> str:
    value = VALUES.get(name)
    kinds = {"uuid": "01930d2a-6c7f-7e5f-9c0d-2b7a4e1f8d36", "date-time": MOMENT, "date": "2026-11-27"}
    kind = schema.get("format")
    if isinstance(value, str) and kind != "uuid":
        return value
    return kinds.get(str(kind), "text")


def _number(schema: Schema, name: str) -> float:
    value = VALUES.get(name)
    is_whole = schema["type"] == "integer"
    if isinstance(value, (int, float)) and not (is_whole and isinstance(value, float)):
        return value
    least, most = schema.get("minimum", schema.get("exclusiveMinimum", 0)), schema.get("maximum", 12)
    middle = min(max(least + 1 if is_whole else (least + min(most, 1)) / 2, least), most)
    return int(middle) if is_whole else float(middle)
