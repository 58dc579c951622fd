"""The gallery: how templates are enrolled, removed and erased. What searches see is `index.gallery.view`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from embedding.template import Template
from index import audit
from index.consent.erasure import ErasureReceipt, erase_subject, remove_template
from index.consent.legal_basis import require_basis
from index.consent.withdrawal import WithdrawalReceipt, withdraw_by_link, withdraw_subject
from index.crops import NewCrop, keep_crop
from index.errors import (
    DatabaseError,
    SubjectNotFound,
    SubjectOnHold,
    TemplateNotFound,
    TemplateUnreadable,
)
from index.gallery.enrolment import (
    EnrolledTemplate,
    EnrolmentLimits,
    EnrolmentWarning,
    build_audit_details,
    find_by_id,
    find_by_source,
    insert_template,
    refuse_conflict,
    require_known,
    warnings_of,
)
from index.gallery.neighbours import Nearest
from index.gallery.view import DuplicateProbe, GalleryView, compare_with_enrolled
from index.holds import find_holds_of
from index.ids import uuid7
from index.sealing.cipher import template_binding
from index.tables import SubjectRow, TemplateRow
from index.twins import note_twins

__all__ = ["DuplicateProbe", "EnrolledTemplate", "EnrolmentLimits", "ErasureReceipt", "Gallery", "Nearest"]


class Gallery(GalleryView):
    """The templates of one model, to be added to and removed from. Thread-safe, as its view is."""

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
