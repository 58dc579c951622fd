"""Subjects: the people, without their templates."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from index import audit
from index.consent.legal_basis import WARNED_BEFORE, BasisState, is_new_basis, state_of
from index.database.database import Database
from index.errors import ExternalIdAmbiguous, ExternalIdExists, SubjectNotFound
from index.external_ids import SKELETONS, build_external_key, build_forms
from index.fields import columns_of
from index.ids import uuid7
from index.subjects.listing import EVERYBODY, Mark, Order, SubjectFacts, Wanted, facts_of, select_page
from index.tables import SubjectRow, utc_now
from index.twins import Twin, twins_of

# Built once, because every verification runs one of them and building takes longer than running.
_ID_BY_ID = select(SubjectRow.id).where(SubjectRow.id == bindparam("key"))
_IDS_BY_KEY = select(SubjectRow.id, SubjectRow.external_id).where(SubjectRow.external_key == bindparam("key"))


class _Unset:
    """Marks a field that a change leaves alone; None empties it."""


UNSET: Final = _Unset()


@dataclass(frozen=True)
class ExternalId:
    """The caller's own id of a subject."""

    value: str

    def __str__(self) -> str:
        return f"ext:{self.value}"


@dataclass(frozen=True)
class Subject:
    """A person as callers see them.

    Attributes:
        enrolled_at: When the newest template was enrolled.
        is_poor: Whether there are templates, each from a picture that would not be enrolled today.
        twins: How many others are enrolled in spite of the same face.
        portrait_at: When the portrait that the office keeps was put.
    """

    id: UUID
    external_id: str | None
    display_name: str | None
    metadata: dict[str, Any] | None
    legal_basis: dict[str, Any] | None
    legal_basis_state: BasisState
    withdrawn_at: datetime | None
    templates: int
    created_at: datetime
    changed_at: datetime
    enrolled_at: datetime | None = None
    is_poor: bool = False
    twins: int = 0
    portrait_at: datetime | None = None


class Subjects:
    """The people of one installation."""

    def __init__(self, database: Database, warned_before: timedelta = WARNED_BEFORE) -> None:
        """Prepare access to the subjects.

        Args:
            database: With its tables.
            warned_before: How long before its end a legal basis counts as expiring.
        """
        self._database = database
        self._warned_before = warned_before

    def add(
        self,
        *,
        external_id: str | None = None,
        display_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        legal_basis: Mapping[str, Any] | None = None,
        actor: str,
        subject_id: UUID | None = None,
        request_id: str | None = None,
    ) -> Subject:
        """Add a person.

        Args:
            external_id: The caller's own id, 1 to 255 characters, distinguishable from every other subject's
                (`index.external_ids`).
            display_name: Name for people to read, at most 255 characters.
            metadata: A JSON object of at most 16 kB.
            legal_basis: Why their templates may be kept: basis, reference, expires_at.
            actor: Who adds them, for the audit chain.
            subject_id: Chosen by a caller who may have to repeat the call: the same id adds nobody twice.
            request_id: Id of the request.

        Raises:
            SubjectInvalid: If a field is not allowed.
            ExternalIdExists: If another subject has this external id, or one that looks like it.
            DatabaseError: If it could not be written.
        """
        fields = columns_of(
            {
                "external_id": external_id,
                "display_name": display_name,
                "metadata": metadata,
                "legal_basis": legal_basis,
            }
        )
        subject_id = subject_id or uuid7()
        with self._database.write() as db:
            if db.get(SubjectRow, subject_id) is None:
                _refuse_taken(db, fields["external_id"])
                db.add(SubjectRow(id=subject_id, **fields))
                db.flush()
                audit.record(
                    db, action="subject.added", actor=actor, subject_id=subject_id, request_id=request_id
                )
            return self._one(db, subject_id)

    def require_addable(self, external_id: str) -> None:
        """Refuse an external id that nobody could be added with now; nobody is added.

        Raises:
            SubjectInvalid, ExternalIdExists: As `add`.
        """
        fields = columns_of({"external_id": external_id})
        with self._database.read() as db:
            _refuse_taken(db, fields["external_id"])

    def id_of(self, reference: UUID | ExternalId) -> UUID:
        """Only the subject's id, which is all that a verification needs; faster than `find`.

        Raises:
            SubjectNotFound: If there is none.
            ExternalIdAmbiguous: If several external ids equal this one.
        """
        with self._database.read() as db:
            return _find_id(db, reference)

    def find(self, reference: UUID | ExternalId) -> Subject:
        """The subject with this id.

        Raises:
            SubjectNotFound: If there is none.
            ExternalIdAmbiguous: If several external ids equal this one.
        """
        with self._database.read() as db:
            return self._one(db, reference)

    def names_of(self, subject_ids: Collection[UUID]) -> dict[UUID, tuple[str | None, str | None]]:
        """External id and name of these subjects; whoever has been erased is left out."""
        query = select(SubjectRow.id, SubjectRow.external_id, SubjectRow.display_name)
        with self._database.read() as db:
            rows = db.execute(query.where(SubjectRow.id.in_(subject_ids))).all()
        return {row.id: (row.external_id, row.display_name) for row in rows}

    def twins_of(self, subject_id: UUID) -> list[Twin]:
        """Who is enrolled in spite of this subject's face; also empty if there is no such subject."""
        with self._database.read() as db:
            return twins_of(db, [subject_id]).get(subject_id, [])

    def page(
        self,
        wanted: Wanted = EVERYBODY,
        *,
        limit: int = 50,
        order: Order = Order.ADDED,
        after: Mark | None = None,
    ) -> list[Subject]:
        """Those subjects who are wanted, in this order.

        Args:
            wanted: Who is looked for.
            limit: At most this many.
            order: What comes first.
            after: Only those behind this place, as `build_mark` names it.
        """
        now = utc_now()
        with self._database.read() as db:
            # Two queries: what is known about a person is read for those of the page alone.
            found = db.scalars(select_page(wanted, order, after, now, self._warned_before).limit(limit)).all()
            known = facts_of(db, found)
            rows = db.scalars(select(SubjectRow).where(SubjectRow.id.in_(found))).all()
        subjects = {row.id: self._build_subject(row, known[row.id]) for row in rows}
        return [subjects[one] for one in found if one in subjects]

    def change(
        self,
        reference: UUID | ExternalId,
        *,
        actor: str,
        external_id: str | _Unset | None = UNSET,
        display_name: str | _Unset | None = UNSET,
        metadata: Mapping[str, Any] | _Unset | None = UNSET,
        legal_basis: Mapping[str, Any] | _Unset | None = UNSET,
        request_id: str | None = None,
    ) -> Subject:
        """Change the given fields; None empties a field.

        Another legal basis ends a withdrawal: the person may be enrolled again. The same basis does not.

        Raises:
            SubjectNotFound: If there is no such subject.
            SubjectInvalid, ExternalIdAmbiguous, ExternalIdExists, DatabaseError: As `add` and `find`.
        """
        asked = {
            "external_id": external_id,
            "display_name": display_name,
            "metadata": metadata,
            "legal_basis": legal_basis,
        }
        given = {name: value for name, value in asked.items() if value is not UNSET}
        fields = columns_of(given)
        with self._database.write() as db:
            subject = self._one(db, reference)
            if fields.get("external_id") != subject.external_id:
                _refuse_taken(db, fields.get("external_id"), but_by=subject.id)
            basis = fields.get("legal_basis")
            if subject.withdrawn_at and basis and is_new_basis(basis, subject.legal_basis):
                fields["withdrawn_at"] = None
            db.execute(
                update(SubjectRow).where(SubjectRow.id == subject.id).values(**fields, changed_at=utc_now())
            )
            audit.record(
                db,
                action="subject.changed",
                actor=actor,
                subject_id=subject.id,
                request_id=request_id,
                # The names of the fields, never their values: erasure does not remove the chain.
                details={"fields": sorted(given)},
            )
            db.expire_all()
            return self._one(db, subject.id)

    def _one(self, db: Session, reference: UUID | ExternalId) -> Subject:
        row = db.scalars(select(SubjectRow).where(SubjectRow.id == _find_id(db, reference))).one_or_none()
        if row is None:
            # Erased between the two queries.
            raise SubjectNotFound(reference if isinstance(reference, UUID) else str(reference))
        return self._build_subject(row, facts_of(db, [row.id])[row.id])

    def _build_subject(self, row: SubjectRow, facts: SubjectFacts) -> Subject:
        return Subject(
            id=row.id,
            external_id=row.external_id,
            display_name=row.display_name,
            metadata=row.details,
            legal_basis=row.legal_basis,
            legal_basis_state=state_of(row, utc_now(), self._warned_before),
            withdrawn_at=row.withdrawn_at,
            templates=facts.templates,
            enrolled_at=facts.enrolled_at,
            is_poor=facts.is_poor,
            twins=facts.twins,
            portrait_at=facts.portrait_at,
            created_at=row.created_at,
            changed_at=row.changed_at,
        )


def _find_id(db: Session, reference: UUID | ExternalId) -> UUID:
    if isinstance(reference, UUID):
        subject_id = db.scalar(_ID_BY_ID, {"key": reference})
    else:
        found = db.execute(_IDS_BY_KEY, {"key": build_external_key(reference.value)}).all()
        subject_id = choose_meant(reference.value, found)
    if subject_id is None:
        raise SubjectNotFound(reference if isinstance(reference, UUID) else str(reference))
    return subject_id


def choose_meant(external_id: str, found: Sequence[tuple[UUID, str | None]]) -> UUID | None:
    """Of rows with an equal external id, the one meant: the only one, or the one spelled exactly so.

    Several rows can exist only from before ids were compared.

    Raises:
        ExternalIdAmbiguous: If there are several and none has this spelling.
    """
    spelled = [row_id for row_id, spelling in found if spelling == external_id]
    if len(found) > 1 and not spelled:
        raise ExternalIdAmbiguous(external_id, [spelling or "" for _, spelling in found])
    return next(iter(spelled or [row_id for row_id, _ in found]), None)


def _refuse_taken(db: Session, external_id: str | None, but_by: UUID | None = None) -> None:
    """Refuse an id that equals another subject's or looks like it; its own subject may change its spelling.

    Ordered writers see each other's commits, so checking first is enough.
    """
    if external_id is None:
        return
    columns = [getattr(SubjectRow, name) for name in ("external_key", *SKELETONS)]
    forms = build_forms(external_id)
    alike = or_(*(column == forms[column.key] for column in columns))
    query = select(SubjectRow.id, SubjectRow.external_id, columns[0]).where(alike, SubjectRow.id != but_by)
    # An equal id before a similar one, and the oldest of each.
    first = db.execute(query.order_by(columns[0] != forms["external_key"], SubjectRow.id)).first()
    if first is not None:
        raise ExternalIdExists(
            first.id, first.external_id, is_equal=first.external_key == forms["external_key"]
        )
