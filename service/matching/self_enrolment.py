"""A picture that a person sends by a link, and what becomes of it when somebody decides."""

from typing import Any, Literal
from uuid import UUID

from embedding.quality import Purpose
from index.gallery.enrolment import EnrolledTemplate
from index.tables import utc_now
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

    Raises:
        LinkInvalid: If the link does not work, or no longer when the picture has been looked at.
        EmbeddingError: If no template could be made of the picture.
    """
    parts.enrolment_links.count_picture(token)
    kept = shrunk(picture, SIDE, JPEG_QUALITY, parts.settings.image_limits)
    # As it will be enrolled, so that nobody accepts what cannot be. The template is forgotten at once: the
    # sender must not learn, from an answer or a refusal, whose face is enrolled.
    parts.embedder.embed(kept, Purpose.ENROL)
    parts.proposals.propose(token, kept, consent | {"at": utc_now().isoformat()}, request_id=request_id)


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
