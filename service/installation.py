"""What an administrator wants to see of an installation: is it well, how is it set, and what holds it up."""

import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel, Field, SecretStr

from index import audit
from index.clock import confirm_clock, find_leap
from index.errors import AnchorInvalid
from index.subjects.listing import count_everybody
from service.exams.use.drift import Alarm
from service.parts import Parts
from service.settings import SECRETS, SHARED_FOLDER, Settings


class Setting(BaseModel):
    """One setting as the service reads it."""

    name: str = Field(description="of the environment variable")
    value: str | None = Field(description="null where nothing is set, and for every secret")
    is_set: bool = Field(description="in the environment or in `.env`; otherwise it is the default")
    is_secret: bool


class ClockLeap(BaseModel):
    """Two moments between which the machine's clock leapt; nothing is deleted until somebody confirms it."""

    before: datetime
    after: datetime


class Installation(BaseModel):
    """The installation at this moment."""

    version: str
    model: str = Field(description="name of the active model")
    calibration_id: str
    database: str = Field(description="sqlite or postgresql")
    revision: str | None = Field(description="of its tables")
    subjects: int
    templates: int
    templates_left_out: int = Field(description="that do not open with this key: an alarm")
    free_bytes: int = Field(description="on the disk of the data folder")
    total_bytes: int
    audit_events: int
    anchored_events: int | None = Field(
        description="the newest event that is noted outside the database; null where nothing is"
    )
    use_alarms: list[Alarm] = Field(description="rates of the model in use that have risen")
    model_id: str
    anchor_is_changed: bool = Field(description="somebody has changed what is noted there: an alarm")
    clock_leap: ClockLeap | None
    now: datetime
    settings: list[Setting]


def describe_installation(parts: Parts) -> Installation:
    """Everything at once; no secret, and nothing of a person.

    Raises:
        DatabaseError: If the database cannot be reached.
    """
    now = datetime.now(UTC)
    anchored, is_changed = find_anchored(parts)
    disk = shutil.disk_usage(parts.settings.data_dir)
    with parts.database.read() as db:
        leap = find_leap(db, now)
        subjects, templates = count_everybody(db)
        events = audit.find_newest_head(db)[0]
    return Installation(
        version=version("invigil"),
        model=parts.embedder.bundle.manifest.name,
        calibration_id=parts.policy.calibration.id,
        database="sqlite" if parts.database.is_sqlite else "postgresql",
        revision=parts.database.revision(),
        subjects=subjects,
        templates=templates,
        templates_left_out=len(parts.serving.left_out),
        free_bytes=disk.free,
        total_bytes=disk.total,
        audit_events=events,
        anchored_events=anchored,
        use_alarms=parts.use_watch.look(parts.serving),
        model_id=parts.model.id,
        anchor_is_changed=is_changed,
        clock_leap=ClockLeap(before=leap.before, after=leap.after) if leap else None,
        now=now,
        settings=list_settings(parts.settings),
    )


def find_anchored(parts: Parts) -> tuple[int | None, bool]:
    """The newest event that the anchor knows, None where there is none yet, and whether it was changed."""
    try:
        lines = parts.anchoring.anchor.lines() if parts.anchoring else []
    except AnchorInvalid:
        return None, True
    return (lines[-1].head[0] if lines else None), False


def list_settings(settings: Settings) -> list[Setting]:
    """Every setting by its name in the environment, without secrets."""
    return [
        Setting(
            name=SHARED_FOLDER if name == "shared_metrics" else f"INVIGIL_{name.upper()}",
            value=None if name in SECRETS else value_of(getattr(settings, name)),
            is_set=name in settings.model_fields_set,
            is_secret=name in SECRETS,
        )
        for name in type(settings).model_fields
    ]


def value_of(value: Any) -> str | None:
    """A setting's value as it would be written; None for none, and for what is secret by its type."""
    if value is None or isinstance(value, SecretStr):
        return None
    if isinstance(value, dict):
        return ",".join(f"{key}={one}" for key, one in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


def accept_clock(parts: Parts, actor: str) -> datetime:
    """Say that the clock is right after it leapt; what is past its time is announced anew."""
    with parts.database.write() as db:
        return confirm_clock(db, actor=actor).at
