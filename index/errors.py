"""Errors of the gallery and the enrolment database.

    GalleryError
    ├── SubjectNotFound            subject_not_found
    ├── TemplateNotFound           template_not_found
    ├── ModelNotFound              model_not_found
    ├── FieldInvalid               validation_failed
    │   ├── SubjectInvalid                               a field of a subject is not what it may be
    │   └── JobInvalid                                   a job that no worker could do as it is described
    ├── TextInvalid                validation_failed     a text that the database cannot hold
    ├── ExternalIdExists           external_id_exists    another subject has this external id, or one like it
    ├── ExternalIdAmbiguous        external_id_ambiguous several subjects of before have an equal external id
    ├── DuplicateIdentity          duplicate_identity    the same face is enrolled under another subject
    ├── NotTheSamePerson           not_the_same_person   the subject's own templates are of another face
    ├── NoTemplate                 no_template           the subject has nothing to compare with
    ├── LegalBasisExpired          legal_basis_expired   the basis has expired or was withdrawn
    ├── SubjectOnHold              on_hold               nothing of the subject goes before somebody lifts it
    ├── LinkInvalid                link_invalid          a link of a person that is used, over or unknown
    ├── PortraitNotFound           portrait_not_found    the office keeps none of this subject
    ├── ProposalNotFound           proposal_not_found    decided, over or unknown
    ├── ProposalTaken              proposal_taken        somebody else decides it at this moment
    ├── KeyMissing                 template_key_missing  there is no key to seal a picture with
    ├── WebhookNotFound            webhook_not_found
    ├── WebhookDisabled            webhook_disabled      it is not called until it is enabled again
    ├── NothingToRollBack          nothing_to_roll_back  no model was active before the present one
    ├── PromotionError                               in `index/models/errors.py`
    ├── JobNotFound                job_not_found
    ├── JobEnded                   job_ended             it is done, failed or cancelled already
    ├── JobTaken                   job_taken             another worker has taken the job over
    ├── ClockLeapt                 clock_leapt           the clock is in doubt; nothing is deleted
    ├── AddressInvalid             database_address_invalid  the address of the database cannot be used
    ├── RowsRefused            rows_refused          another kind of database does not hold these rows
    ├── CipherError
    │   ├── KeyInvalid             key_invalid           the template key is not a key
    │   ├── TemplateUnreadable     template_unreadable   wrong or missing key, or changed bytes
    │   │   └── KeyUnknown                               sealed with a key that is not set, or not at all
    │   └── AnchorInvalid          anchor_invalid        what is known of the audit chain was changed
    └── DatabaseError                                    nothing was written; the call may be repeated
        ├── DatabaseBusy           database_busy         somebody else held the lock for too long
        ├── DatabaseFull           database_full         no room is left on the disk
        ├── DatabaseUnavailable    database_unavailable  no connection, or one that takes no writes
        └── DatabaseOutdated       database_outdated     the tables are older or newer than the program

Every class has a stable `code`; `service/problems.py` maps it to an HTTP status.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar
from uuid import UUID


def suggest_nearest(word: str, words: Iterable[str]) -> str:
    """The end of an error message: the nearest valid word, or all of them if none is near."""
    known = sorted(words)
    near = get_close_matches(word, known, n=1)
    # Quoted, because a name may contain a comma.
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(map(repr, known))}."


class GalleryError(Exception):
    """Base of all errors of this package."""

    code: ClassVar[str] = "internal"


class SubjectNotFound(GalleryError):
    """No subject has this id."""

    code = "subject_not_found"

    def __init__(self, reference: UUID | str) -> None:
        super().__init__(f"There is no subject {reference!s}.")
        self.reference = reference


class TemplateNotFound(GalleryError):
    """The subject has no such template, or has it no longer."""

    code = "template_not_found"

    def __init__(self, template_id: UUID) -> None:
        super().__init__(f"There is no template {template_id} of this subject.")
        self.template_id = template_id


class ModelNotFound(GalleryError):
    """No model is registered under this id."""

    code = "model_not_found"

    def __init__(self, model_id: str) -> None:
        super().__init__(f"There is no model {model_id}.")
        self.model_id = model_id


class FieldInvalid(GalleryError):
    """A value is not allowed; `field` is its place, as in a JSON pointer."""

    code = "validation_failed"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}.".replace("?.", "?"))
        self.field = field
        self.reason = reason


class SubjectInvalid(FieldInvalid):
    """A field of a subject is not allowed."""


class JobInvalid(FieldInvalid):
    """A job that no worker could do as described."""


class TextInvalid(GalleryError):
    """A text that the database can neither store nor search for."""

    code = "validation_failed"

    def __init__(self) -> None:
        super().__init__("A text must not hold the character NUL.")


class ExternalIdExists(GalleryError):
    """Another subject has this external id, in any spelling, or one that looks like it."""

    code = "external_id_exists"

    def __init__(self, subject_id: UUID, external_id: str, *, is_equal: bool) -> None:
        how = "is the same" if is_equal else "looks the same"
        super().__init__(f"Subject {subject_id} already has the external id {external_id}, which {how}.")
        self.subject_id = subject_id
        self.external_id = external_id
        self.is_equal = is_equal


class ExternalIdAmbiguous(GalleryError):
    """Several external ids from before ids were compared equal this one, and none has its exact spelling."""

    code = "external_id_ambiguous"

    def __init__(self, external_id: str, others: Sequence[str]) -> None:
        named = ", ".join(sorted(others))
        super().__init__(f"{external_id[:100]} may be any of these: {named}. Spell it exactly like one.")


class DuplicateIdentity(GalleryError):
    """The same face is enrolled under another subject."""

    code = "duplicate_identity"

    def __init__(
        self, subject_id: UUID, external_id: str | None, d: float, *, is_same_photograph: bool = False
    ) -> None:
        where = f"as subject {subject_id}"
        how = f"d = {d:.3f}, the same photograph" if is_same_photograph else f"d = {d:.3f}"
        super().__init__(f"The face is already enrolled {where} ({how}).")
        self.subject_id = subject_id
        self.external_id = external_id
        self.d = d
        self.is_same_photograph = is_same_photograph


class NotTheSamePerson(GalleryError):
    """A new template is too far from all of the subject's own: one of them belongs to somebody else."""

    code = "not_the_same_person"

    def __init__(self, subject_id: UUID, template_ids: Sequence[UUID]) -> None:
        named = ", ".join(map(str, template_ids))
        super().__init__(
            f"The face is not that of the subject's own templates ({named}). "
            "One of the pictures shows somebody else; that may be the older one."
        )
        self.subject_id = subject_id
        self.template_ids = tuple(template_ids)


class LegalBasisExpired(GalleryError):
    """The subject's face may no longer be compared or enrolled."""

    code = "legal_basis_expired"

    def __init__(self, subject_id: UUID) -> None:
        super().__init__(f"The legal basis of subject {subject_id} has ended.")
        self.subject_id = subject_id


class PortraitNotFound(GalleryError):
    """The office keeps no portrait of this subject."""

    code = "portrait_not_found"

    def __init__(self, subject_id: UUID) -> None:
        super().__init__(f"No portrait of subject {subject_id} is kept.")


class ProposalNotFound(GalleryError):
    """A picture that somebody has sent for the own enrolment, and that is not there any more."""

    code = "proposal_not_found"

    def __init__(self, proposal_id: UUID) -> None:
        super().__init__(f"Proposal {proposal_id} does not wait: it was decided, is over, or never was.")


class ProposalTaken(GalleryError):
    """A proposal that somebody else is deciding at this moment."""

    code = "proposal_taken"

    def __init__(self, proposal_id: UUID) -> None:
        super().__init__(f"Somebody else is deciding proposal {proposal_id} at this moment.")


class KeyMissing(GalleryError):
    """A picture that would have to be kept, and no template key to seal it with."""

    code = "template_key_missing"

    def __init__(self) -> None:
        super().__init__("Pictures are kept sealed only: set INVIGIL_TEMPLATE_KEY first.")


class WebhookNotFound(GalleryError):
    """There is no such webhook, or no such message of it."""

    code = "webhook_not_found"

    def __init__(self, reference: UUID) -> None:
        super().__init__(f"There is no webhook or message {reference}.")


class WebhookDisabled(GalleryError):
    """Nothing is sent to a webhook that is disabled."""

    code = "webhook_disabled"

    def __init__(self, webhook_id: UUID) -> None:
        super().__init__(f"Webhook {webhook_id} is disabled: enable it first.")


class SubjectOnHold(GalleryError):
    """The subject is on hold; `holds` are the ids."""

    code = "on_hold"

    def __init__(self, subject_id: UUID, holds: Sequence[UUID]) -> None:
        super().__init__(
            f"Subject {subject_id} is on hold. Lift the hold first, or let an administrator say why the "
            "subject is erased all the same."
        )
        self.holds = tuple(holds)


class LinkInvalid(GalleryError):
    """A person's own link that is used, expired or was never issued."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__("This link was used already, has expired, or is not one of ours.")


class NoTemplate(GalleryError):
    """The subject has nothing to compare with."""

    code = "no_template"

    def __init__(self, subject_id: UUID) -> None:
        super().__init__(f"Subject {subject_id} has no template.")
        self.subject_id = subject_id


class NothingToRollBack(GalleryError):
    """No model was active before the present one."""

    code = "nothing_to_roll_back"

    def __init__(self) -> None:
        super().__init__("No model was active before the present one.")


class JobNotFound(GalleryError):
    """There is no such job."""

    code = "job_not_found"

    def __init__(self, job_id: UUID | str) -> None:
        super().__init__(f"There is no job {job_id}.")
        self.job_id = job_id


class JobEnded(GalleryError):
    """The job has already ended."""

    code = "job_ended"

    def __init__(self, job_id: UUID, state: str) -> None:
        super().__init__(f"Job {job_id} has ended already: it is {state}.")
        self.job_id = job_id
        self.state = state


class JobTaken(GalleryError):
    """Another worker has taken over the job; this worker's updates are refused."""

    code = "job_taken"

    def __init__(self, job_id: UUID, worker: str | None) -> None:
        super().__init__(f"Job {job_id} is no longer this worker's, but {worker or 'nobody'}'s.")
        self.job_id = job_id
        self.worker = worker


class RowsRefused(GalleryError):
    """One kind of database cannot hold what the other did: a text with NUL, a dangling reference."""

    code = "rows_refused"

    def __init__(self, table: str) -> None:
        super().__init__(f"The database does not take a row of the table {table}; nothing was copied.")
        self.table = table


class CipherError(GalleryError):
    """Stored templates and the key do not match."""

    code = "template_unreadable"


class KeyInvalid(CipherError):
    """The template key is not a key. The message never shows it."""

    code = "key_invalid"

    def __init__(self) -> None:
        super().__init__("The template key must be 32 bytes, in base64 or as 64 hexadecimal digits.")


class TemplateUnreadable(CipherError):
    """The key is missing or wrong, or the stored bytes were changed."""

    code = "template_unreadable"

    def __init__(self, template_id: UUID, reason: str) -> None:
        super().__init__(f"Template {template_id} cannot be read: {reason}.")
        self.template_id = template_id
        self.reason = reason


class KeyUnknown(TemplateUnreadable):
    """The row names a key that is not set, or none."""


class ClockLeapt(GalleryError):
    """The machine's clock leapt; what is deleted because of it cannot be restored."""

    code = "clock_leapt"

    def __init__(self, before: datetime, after: datetime) -> None:
        super().__init__(
            f"The clock went from {before:%Y-%m-%d %H:%M} to {after:%Y-%m-%d %H:%M} UTC. Nothing is deleted "
            "until somebody has looked at it: invigil db confirm-clock"
        )


class AnchorInvalid(CipherError):
    """The audit chain's anchor was changed, or its key is missing."""

    code = "anchor_invalid"

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}.")
        self.line = line


class AddressInvalid(GalleryError, ValueError):
    """The database's address cannot be used; the message omits it because it may contain a password."""

    code = "database_address_invalid"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"INVIGIL_DATABASE_URL cannot be used: {reason} It is sqlite:////folder/invigil.db, "
            "postgresql://user@host:5432/name or postgresql://user@one:5432,two:5432/name."
        )


class DatabaseError(GalleryError):
    """The database failed; nothing was written and the call may be repeated."""

    code = "database_unavailable"


class DatabaseBusy(DatabaseError):
    """Others held the lock, or every connection, for longer than the wait limit."""

    code = "database_busy"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database is busy: {reason}.")


class DatabaseFull(DatabaseError):
    """The database's disk is full."""

    code = "database_full"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database cannot write: {reason}.")


class DatabaseUnavailable(DatabaseError):
    """There is no connection to the database, or the server cannot work."""

    code = "database_unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The database cannot be used: {reason}.")


class DatabaseOutdated(DatabaseError):
    """The tables are of an older or newer revision than this program's."""

    code = "database_outdated"

    def __init__(self, actual: str | None, expected: str | None) -> None:
        super().__init__(f"The database is at revision {actual}, this program needs {expected}; upgrade it.")
        self.actual = actual
        self.expected = expected
