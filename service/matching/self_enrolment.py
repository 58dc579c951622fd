"""A picture that a person sends by a link, and what becomes of it when somebody decides."""

from contextlib import suppress
from functools import partial
from typing import Any, Literal
from uuid import UUID

from embedding.embedder import Embedding
from embedding.errors import EmbeddingError
from embedding.quality import Purpose
from embedding.template import distance
from index.errors import GalleryError, PortraitNotFound
from index.gallery.enrolment import EnrolledTemplate
from index.subjects.portraits import Portrait, has_portrait
from index.subjects.proposals import BY_LINK, Proposed
from index.tables import utc_now
from service.decisions.decision import Outcome, decide
from service.errors import RateLimited
from service.exams.checkin.thumbnails import shrunk
from service.matching.enrolling import count_refusal, enrol_embedding
from service.parts import Parts

SIDE = 1280
JPEG_QUALITY = 92

ComparedWith = Literal["portrait", "document"]


def receive_picture(
    parts: Parts, token: str, picture: bytes, consent: dict[str, Any], request_id: str
) -> None:
    """Keep a picture as a proposal if it is good enough; what was sent is counted whatever it is.

    By a direct link a picture that matches the office's portrait is enrolled at once. Whatever stands against
    that leaves it a proposal, and the sender is told the same.

    Raises:
        LinkInvalid: If the link does not work, or no longer when the picture has been looked at.
        EmbeddingError: If no template could be made of the picture.
    """
    parts.enrolment_links.count_picture(token)
    kept = shrunk(picture, SIDE, JPEG_QUALITY, parts.settings.image_limits)
    # As it will be enrolled, so that nobody accepts what cannot be. Unless the link is direct, the template
    # is forgotten at once: the sender must not learn, from an answer or a refusal, whose face is enrolled.
    sent = parts.embedder.embed(kept, Purpose.ENROL)
    given = consent | {"at": utc_now().isoformat()}
    proposed = parts.proposals.propose(token, kept, given, request_id=request_id)
    if proposed.direct:
        with suppress(EmbeddingError, GalleryError, RateLimited):
            enrol_directly(parts, proposed, sent, request_id)


def enrol_directly(parts: Parts, proposed: Proposed, sent: Embedding, request_id: str) -> None:
    """Enrol a picture that matches the office's portrait; else it waits for a person.

    Raises:
        EmbeddingError: If the portrait cannot be compared under the model in use.
        GalleryError: As `Gallery.enrol`: another subject has the face, or the own templates another one.
    """
    portrait = parts.portraits.read(proposed.subject_id)
    if portrait is None:
        return
    portrait_id, picture = portrait
    shown = parts.embedder.embed(picture, Purpose.VERIFY).template
    claim = parts.proposals.claim(proposed.id)
    try:
        is_same = decide(distance(shown, sent.template), parts.policy) is Outcome.MATCH
        if is_same:
            enrol_embedding(
                parts,
                claim.subject_id,
                sent,
                actor=BY_LINK,
                template_id=claim.id,
                require=partial(require_portrait, portrait_id, claim.subject_id),
                request_id=request_id,
            )
            record_basis(parts, claim.subject_id, claim.id, claim.consent, BY_LINK)
    except Exception:
        parts.proposals.release(claim.id)
        raise
    if not is_same:
        parts.proposals.release(claim.id)
        return
    details = {"compared_with": "portrait", "direct": True, "portrait_id": str(portrait_id)}
    parts.proposals.settle(claim, "accepted", actor=BY_LINK, request_id=request_id, **details)


def require_portrait(portrait_id: UUID, subject_id: UUID, db: Any) -> None:
    """Refuse, in the enrolment's own transaction, what was compared with a portrait that has gone since.

    Raises:
        PortraitNotFound: If somebody has replaced or removed it.
    """
    if not has_portrait(db, portrait_id):
        raise PortraitNotFound(subject_id)


def keep_portrait(
    parts: Parts, subject_id: UUID, picture: bytes, *, actor: str, portrait_id: UUID, request_id: str
) -> Portrait:
    """Keep a portrait of a subject, without the data of the camera.

    Raises:
        EmbeddingError: If there is not exactly one face that could be compared.
        GalleryError: As `Portraits.put`.
    """
    kept = shrunk(picture, SIDE, JPEG_QUALITY, parts.settings.image_limits)
    parts.embedder.embed(kept, Purpose.VERIFY)
    return parts.portraits.put(subject_id, kept, actor=actor, portrait_id=portrait_id, request_id=request_id)


def accept_proposal(
    parts: Parts,
    proposal_id: UUID,
    compared_with: ComparedWith,
    force_reason: str | None,
    *,
    actor: str,
    request_id: str,
) -> EnrolledTemplate:
    """Enrol the picture of a proposal, which a person has compared with a portrait or a document.

    Raises:
        ProposalNotFound, ProposalTaken: As `Proposals.claim`.
        EmbeddingError: If no template can be made of it under the model in use.
        GalleryError: As `Gallery.enrol`; the proposal then waits on.
    """
    claim = parts.proposals.claim(proposal_id)
    try:
        parts.gallery.require_basis(claim.subject_id)
        embedding = parts.embedder.embed(claim.picture, Purpose.ENROL)
        # Under the proposal's id: done again after a crash, it is enrolled once.
        details = {"template_id": claim.id, "force_reason": force_reason, "request_id": request_id}
        with count_refusal(parts, claim.subject_id, force_reason):
            enrolled = enrol_embedding(parts, claim.subject_id, embedding, actor=actor, **details)
        record_basis(parts, claim.subject_id, claim.id, claim.consent, actor)
    except Exception:
        parts.proposals.release(proposal_id)
        raise
    parts.proposals.settle(claim, "accepted", actor=actor, request_id=request_id, compared_with=compared_with)
    return enrolled


def record_basis(
    parts: Parts, subject_id: UUID, proposal_id: UUID, consent: dict[str, Any], actor: str
) -> None:
    """Record the consent as the legal basis where none is recorded."""
    subject = parts.subjects.find(subject_id)
    if subject.legal_basis is None:
        reference = f"self-enrolment {proposal_id}, text {str(consent.get('text'))[:16]}"
        basis = {"basis": "consent", "reference": reference}
        parts.subjects.change(subject_id, legal_basis=basis, actor=actor)


def refuse_proposal(
    parts: Parts, proposal_id: UUID, reason: str | None, *, actor: str, request_id: str
) -> None:
    """Remove a proposal with its picture; raises as `Proposals.claim`."""
    claim = parts.proposals.claim(proposal_id)
    details = {"reason": reason} if reason else {}
    parts.proposals.settle(claim, "refused", actor=actor, request_id=request_id, **details)
