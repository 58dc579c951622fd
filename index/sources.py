"""Which pictures are enrolled already, so that a bulk enrolment can be repeated."""

from collections.abc import Collection
from itertools import islice

from sqlalchemy import select

from index.database import Database
from index.tables import SubjectRow, TemplateRow

# Both databases take far more parameters in one statement (SQLite 32,766).
_IDS_IN_ONE_QUERY = 5000


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


def people_with_template(database: Database, external_ids: Collection[str]) -> set[str]:
    """Those of the external ids whose subject has a template, of whichever model."""
    wanted, found = iter(external_ids), set[str]()
    with database.read() as db:
        while block := list(islice(wanted, _IDS_IN_ONE_QUERY)):
            mine = SubjectRow.external_id.in_(block)
            query = select(SubjectRow.external_id).join(TemplateRow).where(mine).distinct()
            found.update(one for one in db.scalars(query) if one)
    return found
