"""The gallery: enrolled templates, and the search for the nearest.

Rows first, vectors second: a template is a committed row before any search can see its vector, and a vector
that a search finds counts only while its row exists. A vector whose row was rolled back would match and could
never be removed; a row whose vector was lost in a crash comes back through a replay of the change log.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from embedding.errors import ModelMismatch
from embedding.template import Template
from index import audit
from index.consent.erasure import ErasureReceipt, erase_subject, remove_template
from index.consent.legal_basis import find_ended, require_basis
from index.consent.withdrawal import WithdrawalReceipt, withdraw_by_link, withdraw_subject
from index.crops import NewCrop, keep_crop
from index.database.database import Database
from index.errors import (
    DatabaseError,
    SubjectNotFound,
    SubjectOnHold,
    TemplateNotFound,
    TemplateUnreadable,
)
from index.gallery.codec import VectorCodec
from index.gallery.coverage import models_of
from index.gallery.enrolment import (
    EnrolledTemplate,
    EnrolmentFindings,
    EnrolmentLimits,
    EnrolmentWarning,
    build_audit_details,
    build_enrolled_template,
    find_by_id,
    find_by_source,
    find_comparable,
    insert_template,
    read_own_templates,
    read_rows_of,
    refuse_conflict,
    require_known,
    warnings_of,
)
from index.gallery.neighbours import (
    Nearest,
    drop_known,
    find_best,
    find_nearest_people,
    find_pairs,
    keep_in_force,
    read_owners,
)
from index.gallery.replay import LeftOut, Replay
from index.gallery.rosters import Rosters
from index.gallery.survey import Place, survey_templates
from index.holds import find_holds_of
from index.ids import uuid7
from index.sealing.cipher import TemplateCipher, template_binding
from index.tables import SubjectRow, TemplateRow
from index.twins import note_twins
from index.vectors import Vectors, compute_distances

__all__ = ["DuplicateProbe", "EnrolledTemplate", "EnrolmentLimits", "ErasureReceipt", "Gallery", "Nearest"]

_MOST_NAMED = 8
"""Most subjects near a new template that warnings name, nearest first."""


@dataclass(frozen=True)
class DuplicateProbe:
    """A face under one model, to search for among the subjects whom no newer model knows.

    Attributes:
        limits: What its distances mean.
        newer: Ids of the models that take precedence over this one.
    """

    gallery: "Gallery"
    template: Template
    limits: EnrolmentLimits
    newer: tuple[str, ...]


class Gallery:
    """All templates of one model. Thread-safe; several processes may use one database."""

    def __init__(
        self, database: Database, *, model_id: str, dim: int, cipher: TemplateCipher | None = None
    ) -> None:
        """Prepare an empty view; `catch_up` reads the rows.

        Args:
            database: With its tables at the current revision.
            model_id: The model whose templates these are. It must be registered before the first enrolment.
            dim: Length of its vectors.
            cipher: Encrypts and rotates templates; with one, rows that it did not seal are refused.
        """
        self.model_id = model_id
        self._database = database
        self._cipher = cipher
        self._codec = VectorCodec(cipher, dim)
        self._replay = Replay(self._codec, model_id)
        self._rosters = Rosters()

    def __len__(self) -> int:
        return len(self._replay.vectors)

    @property
    def loads(self) -> int:
        """How often every row has been read: at the start, and whenever the database went back in time."""
        return self._replay.loads

    @property
    def left_out(self) -> list[LeftOut]:
        """Templates that no search sees because their rows do not open; any is an alarm."""
        return list(self._replay.left_out.values())

    def not_searched(self, within: Collection[UUID] | None = None) -> int:
        """How many templates a search among these subjects, or among all, misses."""
        return sum(within is None or one.subject_id in within for one in self._replay.left_out.values())

    def look_again(self) -> None:
        """Load templates that were left out and can be opened now.

        Raises:
            DatabaseError: If the database cannot be reached.
        """
        with self._database.read() as db:
            self._replay.look_again(db)

    def catch_up(self) -> int:
        """Replay every committed change; returns the number of the newest.

        Raises:
            TemplateUnreadable: If there are rows, and none of the set keys is theirs.
            DatabaseError: If the database cannot be reached.
        """
        with self._database.read() as db:
            return self._replay.catch_up(db).seq

    def enrol(
        self,
        subject_id: UUID,
        template: Template,
        *,
        quality: Mapping[str, Any],
        duplicate_threshold: float,
        actor: str,
        template_id: UUID | None = None,
        force_reason: str | None = None,
        source_digest: str | None = None,
        crop: NewCrop | None = None,
        near_threshold: float | None = None,
        own_threshold: float | None = None,
        former: Sequence[DuplicateProbe] = (),
        same_photograph: Collection[UUID] = (),
        request_id: str | None = None,
        require: Callable[[Session], None] = lambda db: None,
    ) -> EnrolledTemplate:
        """Add a template to a subject. Once this returns, every search in every process finds it.

        Args:
            subject_id: The subject of the template.
            template: A template of this gallery's model.
            quality: Measures of the picture it was made from.
            duplicate_threshold: d up to which another subject's template counts as the same face.
            actor: Who enrols, for the audit chain.
            template_id: Chosen by a caller who may have to repeat the call: the same id is enrolled once.
            force_reason: Why a face may be enrolled under two subjects (twins), or far from the subject's
                other templates; goes into the audit chain.
            source_digest: SHA-256 of the picture; a subject gets only one template per picture, whoever asks.
            crop: The crop of the template, if it is to be kept; the gallery then needs a cipher.
            near_threshold: As `EnrolmentLimits.near`.
            own_threshold: As `EnrolmentLimits.own`.
            former: The same face under former models that still know people whom this one does not.
            same_photograph: Others who are enrolled by the same photograph, as `find_same_photograph` knows.
            request_id: Id of the request.
            require: Raises, in the same transaction, where the enrolment rests on something that has changed.

        Raises:
            ModelMismatch: If the template is of another model.
            ModelNotFound: If the gallery's model was never registered.
            SubjectNotFound: If there is no such subject.
            LegalBasisExpired: If the subject's basis has ended.
            DuplicateIdentity: If another subject has this face and no reason was given.
            NotTheSamePerson: If every template of the subject is of another face and no reason was given.
            DatabaseError: If it could not be written; it is then not enrolled.
        """
        self._require_own(template)
        with self._database.write() as db:
            enrolled = find_by_id(db, template_id, subject_id) or find_by_source(
                db, subject_id, self.model_id, source_digest
            )
            if enrolled is None:
                require(db)
                require_known(db, subject_id, self.model_id)
                limits = EnrolmentLimits(duplicate_threshold, near_threshold, own_threshold)
                probes = (DuplicateProbe(self, template, limits, newer=()), *former)
                found = compare_with_enrolled(db, subject_id, probes, same_photograph)
                if force_reason is None:
                    refuse_conflict(db, subject_id, found)
                row = self._row(subject_id, template, template_id or uuid7())
                row.quality, row.source_digest = dict(quality), source_digest
                row.crop_id = self._keep(db, subject_id, crop)
                enrolled = replace(insert_template(db, row), warnings=warnings_of(db, found))
                twins = [one.subject_id for one in found.duplicates]
                note_twins(db, subject_id, twins, enrolled.id, force_reason or "")
                audit.record(
                    db,
                    action="template.enrolled",
                    actor=actor,
                    subject_id=subject_id,
                    request_id=request_id,
                    details=build_audit_details(enrolled.id, found, force_reason),
                )
        self._show()
        return enrolled

    def remove(
        self, subject_id: UUID, template_id: UUID, *, actor: str, request_id: str | None = None
    ) -> None:
        """Remove one template, its crop and other models' templates of that crop.

        Once this returns, no search in any process finds it again.

        Raises:
            TemplateNotFound: If the subject has no such template.
            DatabaseError: If it could not be written; it is then not removed.
        """
        with self._database.write() as db:
            row = db.scalars(
                select(TemplateRow).where(TemplateRow.id == template_id, TemplateRow.subject_id == subject_id)
            ).first()
            if row is None:
                raise TemplateNotFound(template_id)
            remove_template(db, row, actor=actor, request_id=request_id)
        self._show()

    def erase(
        self,
        subject_id: UUID,
        *,
        actor: str,
        request_id: str | None = None,
        despite_hold: str | None = None,
        find_holds: Callable[[Session, UUID], Sequence[UUID]] = find_holds_of,
    ) -> ErasureReceipt:
        """Remove everything known about a subject, including the vectors in this process's memory.

        Args:
            subject_id: The subject.
            actor: Who erases, for the audit chain.
            request_id: Id of the request.
            despite_hold: Why a subject on hold is erased all the same; goes into the audit chain.
            find_holds: Which holds are in force for the subject.

        Raises:
            SubjectNotFound: If there is no such subject.
            SubjectOnHold: If it is on hold and nobody has said why that does not count.
            DatabaseError: If it could not be written; nothing is then erased.
        """
        with self._remove_for_good() as db:
            if db.get(SubjectRow, subject_id) is None:
                raise SubjectNotFound(subject_id)
            holds = find_holds(db, subject_id)
            if holds and despite_hold is None:
                raise SubjectOnHold(subject_id, holds)
            if holds:
                details = {"reason": despite_hold, "holds": [str(one) for one in holds]}
                audit.record(
                    db,
                    action="hold.overridden",
                    actor=actor,
                    subject_id=subject_id,
                    request_id=request_id,
                    details=details,
                )
            return erase_subject(db, subject_id, actor=actor, request_id=request_id)

    def withdraw(
        self,
        subject_id: UUID,
        *,
        actor: str,
        withdrawn_at: datetime | None = None,
        request_id: str | None = None,
    ) -> WithdrawalReceipt:
        """End a subject's consent: templates and crops are gone when this returns. Idempotent.

        Args:
            subject_id: The subject.
            actor: Who withdraws, for the audit chain.
            withdrawn_at: When the person withdrew; now by default.
            request_id: Id of the request.

        Raises:
            SubjectNotFound: If there is no such subject.
            DatabaseError: If it could not be written; then nothing is withdrawn.
        """
        with self._remove_for_good() as db:
            return withdraw_subject(
                db, subject_id, actor=actor, withdrawn_at=withdrawn_at, request_id=request_id
            )

    def withdraw_by_link(self, token: str, *, request_id: str | None = None) -> WithdrawalReceipt:
        """`withdraw` for the link's person.

        Raises:
            LinkInvalid: If the link is used, expired or was never issued.
            DatabaseError: If it could not be written; then nothing is withdrawn.
        """
        with self._remove_for_good() as db:
            return withdraw_by_link(db, token, request_id=request_id)

    def require_basis(self, subject_id: UUID) -> None:
        """Refuse a subject whose basis has ended, before any photograph is processed.

        Raises:
            SubjectNotFound: If there is no such subject.
            LegalBasisExpired: If the subject's basis has ended.
        """
        with self._database.read() as db:
            require_basis(db, subject_id)

    def find_source(self, subject_id: UUID, source_digest: str) -> EnrolledTemplate | None:
        """The subject's template of this model from the picture with this SHA-256, if any."""
        with self._database.read() as db:
            return find_by_source(db, subject_id, self.model_id, source_digest)

    def find_others(self, subject_id: UUID, probes: Sequence[DuplicateProbe]) -> list[Nearest]:
        """Everybody else with this face or one like it, as an enrolment would find them now."""
        with self._database.read() as db:
            return compare_with_enrolled(db, subject_id, probes).others

    def rehearse(
        self,
        subject_id: UUID,
        probes: Sequence[DuplicateProbe],
        same_photograph: Collection[UUID] = (),
    ) -> tuple[EnrolmentWarning, ...]:
        """What an enrolment would warn of; nothing is written.

        Args:
            subject_id: The subject; one that does not exist has no templates that could disagree.
            probes: The face under this model, then under former ones.
            same_photograph: As `enrol`.

        Raises:
            DuplicateIdentity, NotTheSamePerson: As `enrol`.
        """
        with self._database.read() as db:
            found = compare_with_enrolled(db, subject_id, probes, same_photograph)
            refuse_conflict(db, subject_id, found)
            return warnings_of(db, found)

    def templates_of(self, subject_id: UUID) -> list[EnrolledTemplate]:
        """A subject's templates of every model, oldest first; also empty if there is no such subject."""
        query = select(TemplateRow).where(TemplateRow.subject_id == subject_id).order_by(TemplateRow.number)
        with self._database.read() as db:
            return [build_enrolled_template(row) for row in db.scalars(query)]

    def models_of(self, subject_ids: Collection[UUID]) -> dict[UUID, set[str]]:
        """The models of each subject's templates; subjects without any are left out."""
        with self._database.read() as db:
            return models_of(db, subject_ids)

    def distance_to(self, subject_id: UUID, probe: Template) -> Nearest:
        """The nearest of one subject's templates, read from the rows: exact and without an index.

        Raises:
            ModelMismatch: If the probe, or every template of the subject, is of another model.
            SubjectNotFound: If there is no such subject.
            LegalBasisExpired: If the subject's basis has ended.
            NoTemplate: If the subject has none.
            TemplateUnreadable: If one of the subject's rows does not open; searches leave it out from now on.
        """
        self._require_own(probe)
        with self._database.read() as db:
            own = find_comparable(db, subject_id, self.model_id)
        d = compute_distances(self._codec.rotate(probe.vector), self._open_rows(own))
        best = int(np.argmin(d))
        return Nearest(subject_id, own[best].id, float(d[best]))

    def nearest(
        self,
        probe: Template,
        k: int,
        *,
        max_d: float,
        within: Collection[UUID] | None = None,
        unknown_to: Collection[str] = (),
    ) -> list[Nearest]:
        """The k nearest people with d <= max_d, nearest first; fewer, or none, if no more are near enough.

        Finds everybody enrolled before the call, and nobody removed before it or whose legal basis has ended.

        Args:
            probe: A template of this gallery's model.
            k: At most this many people, however many templates each has.
            max_d: Largest d.
            within: Only these subjects, without reading the rest of the gallery.
            unknown_to: Only subjects without a template of any of these models.

        Raises:
            ModelMismatch: If the probe is of another model.
            DatabaseError: If the database cannot be reached.
        """
        self._require_own(probe)
        rotated = self._codec.rotate(probe.vector)
        with self._database.read() as db:
            newest = self._replay.catch_up(db)
            vectors = self._replay.vectors
            if within is None:
                return find_nearest_people(db, vectors, rotated, k, max_d, unknown_to=unknown_to)
            owners = self._rosters.owners(db, newest, within)
            people = find_best(vectors, rotated, owners, max_d)
            return keep_in_force(db, drop_known(db, people, unknown_to), k)

    def find_close_pairs(self, subject_ids: Collection[UUID], max_d: float) -> list[tuple[UUID, UUID, float]]:
        """Pairs of these subjects who look alike, with the smallest d between their templates.

        Leaves out subjects whose legal basis has ended.

        Args:
            subject_ids: A roster.
            max_d: Largest d of a pair.

        Returns:
            (a, b, d) with a < b, nearest first; each pair once.
        """
        with self._database.read() as db:
            newest = self._replay.catch_up(db)
            in_question = set(subject_ids) - find_ended(db, subject_ids)
            owners = self._rosters.owners(db, newest, in_question)
        return find_pairs(self._replay.vectors, owners, max_d)

    def survey(self) -> list[Place]:
        """Where each template lies among all others; leaves out subjects whose legal basis has ended."""
        everybody = select(TemplateRow.subject_id).where(TemplateRow.model_id == self.model_id).distinct()
        with self._database.read() as db:
            self._replay.catch_up(db)
            people = set(db.scalars(everybody))
            # Not by the cached rosters: this one is asked for now and then, and as large as can be.
            owners = read_owners(db, TemplateRow.subject_id, people - find_ended(db, people))
        return survey_templates(self._replay.vectors, owners)

    def find_others_near(self, db: Session, subject_id: UUID, probe: DuplicateProbe) -> list[Nearest]:
        """Other subjects with a similar face. Under the writers' lock nobody can enrol one meanwhile."""
        self._require_own(probe.template)
        self._replay.catch_up(db)
        vectors, max_d = self._replay.vectors, probe.limits.farthest
        vector = self._codec.rotate(probe.template.vector)
        return find_nearest_people(
            db, vectors, vector, _MOST_NAMED, max_d, skip=subject_id, unknown_to=probe.newer
        )

    def distances_to_own(self, db: Session, subject_id: UUID, template: Template) -> list[tuple[UUID, float]]:
        """The subject's templates of this model, each with its d to another template; may be empty."""
        own = read_own_templates(db, subject_id, self.model_id)
        if not own:
            return []
        d = compute_distances(self._codec.rotate(template.vector), self._open_rows(own))
        return [(row.id, float(each)) for row, each in zip(own, d, strict=True)]

    def find_unreadable(self, subject_ids: Collection[UUID]) -> set[UUID]:
        """Those subjects with a row that does not open; searches leave out such rows from now on."""
        with self._database.read() as db:
            rows = list(read_rows_of(db, subject_ids, self.model_id))
        unreadable = self._codec.decode_readable(rows).unreadable
        if unreadable:
            self._replay.leave_out(unreadable)
        return {row.subject_id for row, _ in unreadable}

    def _open_rows(self, rows: Sequence[Any]) -> Vectors:
        """The vectors of a subject's rows.

        Raises:
            TemplateUnreadable: If one does not open.
        """
        decoded = self._codec.decode_readable(rows)
        if decoded.unreadable:
            self._replay.leave_out(decoded.unreadable)
            raise decoded.unreadable[0][1]
        return decoded.vectors

    def _require_own(self, template: Template) -> None:
        if template.model_id != self.model_id:
            raise ModelMismatch(expected=self.model_id, actual=template.model_id)

    def _row(self, subject_id: UUID, template: Template, new_id: UUID) -> TemplateRow:
        binding = template_binding(new_id, subject_id, self.model_id)
        vector, key_id = self._codec.encode(binding, template.vector)
        return TemplateRow(
            id=new_id, subject_id=subject_id, model_id=self.model_id, vector=vector, key_id=key_id
        )

    def _keep(self, db: Session, subject_id: UUID, crop: NewCrop | None) -> UUID | None:
        if crop is None:
            return None
        if self._cipher is None:
            raise ValueError("A crop is kept only where there is a key to encrypt it with.")
        return keep_crop(db, self._cipher, subject_id, crop)

    @contextmanager
    def _remove_for_good(self) -> Iterator[Session]:
        """A transaction after which the removed data is neither on disk nor in this process's memory."""
        with self._database.write() as db:
            yield db
        self._database.settle()
        self._show()

    def _show(self) -> None:
        """Update this process's memory to the latest commit.

        A lost connection must not make a committed change look failed; every search catches up anyway.
        """
        with suppress(DatabaseError, TemplateUnreadable):
            self.catch_up()


def compare_with_enrolled(
    db: Session,
    subject_id: UUID,
    probes: Sequence[DuplicateProbe],
    same_photograph: Collection[UUID] = (),
) -> EnrolmentFindings:
    """Find other subjects with this or a similar face, and own templates that disagree with it."""
    duplicates: list[Nearest] = []
    near: list[Nearest] = []
    for probe in probes:
        for one in probe.gallery.find_others_near(db, subject_id, probe):
            (duplicates if one.d <= probe.limits.duplicate else near).append(one)
    not_searched = sum(probe.gallery.not_searched() for probe in probes)
    disagreeing = find_disagreeing(db, subject_id, probes)
    return EnrolmentFindings(duplicates, near, disagreeing, not_searched, same_photograph)


def find_disagreeing(db: Session, subject_id: UUID, probes: Sequence[DuplicateProbe]) -> list[UUID]:
    """The subject's own templates of any model if all of them are of another face, else none."""
    far: list[UUID] = []
    for probe in probes:
        limit = probe.limits.own
        if limit is None:
            continue
        own = probe.gallery.distances_to_own(db, subject_id, probe.template)
        if any(d <= limit for _, d in own):
            return []
        far += [template_id for template_id, _ in own]
    return far
