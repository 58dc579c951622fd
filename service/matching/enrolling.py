"""From a photograph's embedding to an enrolled template; the same over HTTP and for many photos at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from embedding.embedder import Embedding
from embedding.image import encode_png
from index.crops import NewCrop
from index.errors import NotTheSamePerson
from index.gallery.enrolment import EnrolledTemplate
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
    return parts.gallery.enrol(
        subject_id,
        embedding.template,
        quality=embedding.quality.measures,
        duplicate_threshold=limits.duplicate,
        near_threshold=limits.near,
        own_threshold=limits.own,
        former=parts.serving.former_probes(embedding),
        crop=crop_to_keep(parts.settings, embedding),
        actor=actor,
        **details,
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
