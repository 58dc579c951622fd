"""From a photograph's embedding to an enrolled template; the same over HTTP and for many photos at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from embedding.embedder import Embedding
from embedding.image import encode_png
from index.crops import NewCrop
from index.errors import NotTheSamePerson
from index.gallery.enrolment import EnrolledTemplate
from index.gallery.gallery import DuplicateProbe
from index.same_photograph import find_same_photograph
from service.parts import Parts
from service.settings import Settings


def enrol_embedding(
    parts: Parts, subject_id: UUID, embedding: Embedding, *, actor: str, **details: Any
) -> EnrolledTemplate:
    """Enrol what was made of a photograph; the crop is kept with it where the settings say so.

    Args:
        parts: The open parts.
        subject_id: Whose photograph it is.
        embedding: Of the model in use.
        actor: Who enrols, for the audit chain.
        details: As `Gallery.enrol` takes them.

    Raises:
        GalleryError: As `Gallery.enrol`.
    """
    limits = parts.model.enrolment_limits
    probes = probes_of(parts, embedding)
    return parts.gallery.enrol(
        subject_id,
        embedding.template,
        quality=embedding.quality.measures,
        duplicate_threshold=limits.duplicate,
        near_threshold=limits.near,
        own_threshold=limits.own,
        former=probes[1:],
        same_photograph=same_photograph(parts, subject_id, embedding, probes),
        crop=crop_to_keep(parts.settings, embedding),
        actor=actor,
        **details,
    )


def probes_of(parts: Parts, embedding: Embedding) -> tuple[DuplicateProbe, ...]:
    """The face to look for among everybody enrolled: under the model in use, then under former ones."""
    own = DuplicateProbe(parts.gallery, embedding.template, parts.model.enrolment_limits, newer=())
    return (own, *parts.serving.former_probes(embedding))


def same_photograph(
    parts: Parts, subject_id: UUID, embedding: Embedding, probes: Sequence[DuplicateProbe]
) -> set[UUID]:
    """Who else is enrolled by this photograph, as far as crops are kept; before any transaction."""
    return find_same_photograph(
        parts.gallery, parts.database, parts.cipher, embedding.crop, subject_id, probes
    )


@contextmanager
def count_refusal(parts: Parts, subject_id: UUID, force_reason: str | None = None) -> Iterator[None]:
    """Count a photograph that is refused as another person's: a refusal tells as much as a verification.

    What is forced leaves a template and an event, and is not limited.

    Raises:
        GuessesExhausted: If the subject was compared too often without a match.
    """
    if force_reason is not None:
        yield
        return
    with parts.guesses.comparing(subject_id) as comparison:
        try:
            yield
        except NotTheSamePerson:
            comparison.failed.add(subject_id)
            raise


def crop_to_keep(settings: Settings, embedding: Embedding) -> NewCrop | None:
    """The crop of an enrolment, where crops are kept at all."""
    if not settings.store_crops:
        return None
    return NewCrop(encode_png(embedding.crop), settings.crop_retention_days)
