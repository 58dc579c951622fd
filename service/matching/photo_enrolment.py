"""One photo of somebody who is named by an external id, as a page or a script sends many of them.

The same rules as `bulk_enrolment`, which reads from a disk: whoever is not known is added, a photo that is
enrolled already is not looked at again, and somebody whose photo is refused is a subject all the same.
"""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from embedding.quality import Purpose
from index.errors import SubjectNotFound
from index.gallery.enrolment import EnrolmentWarning
from index.ids import uuid7
from index.subjects.subjects import ExternalId
from service.matching.bulk_enrolment import Fate, find_or_add
from service.matching.enrolling import count_refusal, enrol_embedding, probes_of, same_photograph
from service.parts import Parts


@dataclass(frozen=True)
class PhotoFate:
    """What became of a photo that was not refused; a rehearsal has no template."""

    fate: Fate
    subject_id: UUID | None
    template_id: UUID | None
    warnings: tuple[EnrolmentWarning, ...] = ()


def enrol_photo(
    parts: Parts,
    external_id: str,
    display_name: str | None,
    picture: bytes,
    *,
    actor: str,
    template_id: UUID,
    force_reason: str | None,
    request_id: str,
) -> PhotoFate:
    """Enrol one photo.

    Raises:
        EmbeddingError: If no template can be made of it.
        GalleryError: As `find_or_add` and `Gallery.enrol`.
    """
    subject = find_or_add(parts, external_id, display_name, actor)
    digest = hashlib.sha256(picture).hexdigest()
    if known := parts.gallery.find_source(subject.id, digest):
        return PhotoFate(Fate.KNOWN, subject.id, known.id)
    parts.gallery.require_basis(subject.id)
    embedding = parts.embedder.embed(picture, Purpose.ENROL)
    details = {"template_id": template_id, "force_reason": force_reason, "request_id": request_id}
    with count_refusal(parts, subject.id, force_reason):
        made = enrol_embedding(parts, subject.id, embedding, actor=actor, source_digest=digest, **details)
    parts.metrics.timed(embedding.timings)
    return PhotoFate(Fate.ENROLLED, subject.id, made.id, made.warnings)


def rehearse_photo(parts: Parts, external_id: str, picture: bytes) -> PhotoFate:
    """What `enrol_photo` would come to now; nothing is written, and nobody is added.

    Raises:
        EmbeddingError, GalleryError: As `enrol_photo`.
    """
    subject_id: UUID | None = None
    try:
        subject_id = parts.subjects.id_of(ExternalId(external_id))
    except SubjectNotFound:
        parts.subjects.require_addable(external_id)
    if subject_id is not None:
        if known := parts.gallery.find_source(subject_id, hashlib.sha256(picture).hexdigest()):
            return PhotoFate(Fate.KNOWN, subject_id, known.id)
        parts.gallery.require_basis(subject_id)
    embedding = parts.embedder.embed(picture, Purpose.ENROL)
    probes = probes_of(parts, embedding)
    whose = subject_id or uuid7()
    same = same_photograph(parts, whose, embedding, probes)
    if subject_id is None:
        return PhotoFate(Fate.ENROLLED, None, None, parts.gallery.rehearse(whose, probes, same))
    with count_refusal(parts, subject_id):
        warnings = parts.gallery.rehearse(subject_id, probes, same)
    return PhotoFate(Fate.ENROLLED, subject_id, None, warnings)
