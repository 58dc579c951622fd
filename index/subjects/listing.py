"""Lists of subjects: who is wanted, in which order, and what is known about each, however many there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from index.consent.legal_basis import BasisState, is_in_state
from index.external_ids import build_external_key
from index.gallery.poor import find_poor_reasons, is_poor
from index.tables import PortraitRow, SubjectRow, TemplateRow, TwinRow


class Order(StrEnum):
    """What comes first in a list."""

    ADDED = "added"
    NEWEST = "-added"
    EXTERNAL_ID = "external_id"
    NAME = "name"


@dataclass(frozen=True)
class Mark:
    """A place in a list: behind the subject with this key and id."""

    key: str
    subject_id: UUID


@dataclass(frozen=True)
class Wanted:
    """Who is looked for; None asks for nothing.

    Attributes:
        external_id: The one with this external id.
        contains: Those with this text in their external id or name, compared as external ids are.
        has_template: Those with, or those without, a template.
        is_poor: Those whose templates are all poor, or those with a good one or none.
        has_twin: Those who are, or are not, enrolled in spite of another with the same face.
        bases: Those whose legal basis is in one of these states.
    """

    external_id: str | None = None
    contains: str | None = None
    has_template: bool | None = None
    is_poor: bool | None = None
    has_twin: bool | None = None
    bases: Collection[BasisState] = ()


EVERYBODY = Wanted()


@dataclass(frozen=True)
class SubjectFacts:
    """What is known about a subject beside the own row."""

    templates: int = 0
    enrolled_at: datetime | None = None
    is_poor: bool = False
    twins: int = 0
    portrait_at: datetime | None = None


def build_mark(order: Order, subject_id: UUID, external_id: str | None, display_name: str | None) -> Mark:
    """The place of a subject in a list of this order."""
    text = {Order.EXTERNAL_ID: external_id, Order.NAME: display_name}.get(order)
    return Mark(build_external_key(text) if text else "", subject_id)


def select_page(
    wanted: Wanted, order: Order, after: Mark | None, now: datetime, warned_before: timedelta
) -> Select[UUID]:
    """A query for the ids of those who are wanted, in order, behind a place."""
    query = select(SubjectRow.id).where(*_conditions(wanted, now, warned_before))
    if order in (Order.ADDED, Order.NEWEST):
        is_newest = order is Order.NEWEST
        if after is not None:
            behind = SubjectRow.id < after.subject_id if is_newest else SubjectRow.id > after.subject_id
            query = query.where(behind)
        return query.order_by(SubjectRow.id.desc() if is_newest else SubjectRow.id)
    # Whoever has none comes first, where it is seen that something is missing.
    key = func.coalesce(SubjectRow.name_key if order is Order.NAME else SubjectRow.external_key, "")
    if after is not None:
        query = query.where(or_(key > after.key, and_(key == after.key, SubjectRow.id > after.subject_id)))
    return query.order_by(key, SubjectRow.id)


def _conditions(wanted: Wanted, now: datetime, warned_before: timedelta) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.external_id is not None:
        found.append(SubjectRow.external_key == build_external_key(wanted.external_id))
    if wanted.contains is not None:
        text = build_external_key(wanted.contains)
        columns = (SubjectRow.external_key, SubjectRow.name_key)
        found.append(or_(*(one.contains(text, autoescape=True) for one in columns)))
    theirs = select(TemplateRow.number).where(TemplateRow.subject_id == SubjectRow.id)
    twin = select(TwinRow.subject_id).where(
        or_(TwinRow.subject_id == SubjectRow.id, TwinRow.other_id == SubjectRow.id)
    )
    asked = (
        (wanted.has_template, theirs.exists()),
        (wanted.is_poor, and_(theirs.where(is_poor()).exists(), ~theirs.where(~is_poor()).exists())),
        (wanted.has_twin, twin.exists()),
    )
    found += [holds if answer else ~holds for answer, holds in asked if answer is not None]
    if wanted.bases:
        found.append(or_(*(is_in_state(one, now, warned_before) for one in wanted.bases)))
    return found


def facts_of(db: Session, subject_ids: Sequence[UUID]) -> dict[UUID, SubjectFacts]:
    """What is known about each of a page of subjects; four queries, however many they are."""
    columns = (TemplateRow.subject_id, TemplateRow.created_at, TemplateRow.quality)
    templates: dict[UUID, list[tuple[datetime, bool]]] = {}
    for subject_id, created_at, quality in db.execute(
        select(*columns).where(TemplateRow.subject_id.in_(subject_ids))
    ):
        templates.setdefault(subject_id, []).append((created_at, bool(find_poor_reasons(quality))))
    twins = _count_twins(db, subject_ids)
    shown = select(PortraitRow.subject_id, PortraitRow.created_at)
    portraits = dict(db.execute(shown.where(PortraitRow.subject_id.in_(subject_ids))).all())
    found = {}
    for one in subject_ids:
        own = templates.get(one, [])
        found[one] = SubjectFacts(
            templates=len(own),
            enrolled_at=max((created_at for created_at, _ in own), default=None),
            is_poor=bool(own) and all(poor for _, poor in own),
            twins=twins.get(one, 0),
            portrait_at=portraits.get(one),
        )
    return found


def _count_twins(db: Session, subject_ids: Sequence[UUID]) -> dict[UUID, int]:
    sides = union_all(
        select(TwinRow.subject_id.label("mine")).where(TwinRow.subject_id.in_(subject_ids)),
        select(TwinRow.other_id.label("mine")).where(TwinRow.other_id.in_(subject_ids)),
    ).subquery()
    query = select(sides.c.mine, func.count()).group_by(sides.c.mine)
    return dict(map(tuple, db.execute(query)))


def count_everybody(db: Session) -> tuple[int, int]:
    """How many subjects there are, and how many templates, of every model."""
    subjects, templates = (
        db.scalar(select(func.count()).select_from(table)) or 0 for table in (SubjectRow, TemplateRow)
    )
    return subjects, templates
