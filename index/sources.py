"""Which pictures are enrolled already, so that a bulk enrolment can be repeated."""

from sqlalchemy import select

from index.database import Database
from index.tables import SubjectRow, TemplateRow


def enrolled_sources(database: Database, model_id: str) -> set[tuple[str, str]]:
    """(external id, SHA-256 of the picture) of every template of this model whose picture is known."""
    query = (
        select(SubjectRow.external_id, TemplateRow.source_digest)
        .join(TemplateRow, TemplateRow.subject_id == SubjectRow.id)
        .where(TemplateRow.model_id == model_id, TemplateRow.source_digest.is_not(None))
    )
    with database.read() as session:
        return {
            (external_id, digest) for external_id, digest in session.execute(query) if external_id and digest
        }
