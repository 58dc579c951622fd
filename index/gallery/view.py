"""What a process sees of the templates of one model: the nearest faces, and what their rows say.

Rows first, vectors second: a template is a committed row before any search can see its vector, and a vector
that a search finds counts only while its row exists. A vector whose row was rolled back would match and could
never be removed; a row whose vector was lost in a crash comes back through a replay of the change log.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from embedding.errors import ModelMismatch
from embedding.template import Template
from index.consent.legal_basis import find_ended
from index.database.database import Database
from index.gallery.codec import VectorCodec
from index.gallery.coverage import models_of
from index.gallery.enrolment import (
    EnrolledTemplate,
    EnrolmentFindings,
    EnrolmentLimits,
    build_enrolled_template,
    find_comparable,
    read_own_templates,
    read_rows_of,
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
from index.sealing.cipher import TemplateCipher
from index.tables import TemplateRow
from index.vectors import Vectors, compute_distances

_MOST_NAMED = 8
"""Most subjects near a new template that warnings name, nearest first."""


@dataclass(frozen=True)
class DuplicateProbe:
    """A face under one model, to search for among the subjects whom no newer model knows.

    Attributes:
        limits: What its distances mean.
        newer: Ids of the models that take precedence over this one.
    """

    gallery: "GalleryView"
    template: Template
    limits: EnrolmentLimits
    newer: tuple[str, ...]


class GalleryView:
    """The templates of one model, to compare with. Thread-safe; several processes may use one database."""

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
