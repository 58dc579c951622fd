"""Find pictures that are already enrolled, so that a bulk enrolment can be repeated."""

from collections.abc import Collection

from sqlalchemy import select

from index.database.batches import batches
from index.database.database import Database
from index.external_ids import build_external_key
from index.tables import SubjectRow, TemplateRow


def find_enrolled_sources(database: Database, model_id: str) -> set[tuple[str, str]]:
    """(key of the external id, SHA-256 of the picture) for the model's templates whose picture is known."""
    query = (
        select(SubjectRow.external_key, TemplateRow.source_digest)
        .join(TemplateRow, TemplateRow.subject_id == SubjectRow.id)
        .where(TemplateRow.model_id == model_id, TemplateRow.source_digest.is_not(None))
    )
    with database.read() as db:
        return {(key, digest) for key, digest in db.execute(query) if key and digest}


def find_people_with_template(database: Database, external_ids: Collection[str]) -> set[str]:
    """Those external ids whose subject has a template of any model."""
    keys = {one: build_external_key(one) for one in external_ids}
    found = set[str]()
    with database.read() as db:
        for batch in batches(set(keys.values())):
            mine = SubjectRow.external_key.in_(batch)
            query = select(SubjectRow.external_key).join(TemplateRow).where(mine).distinct()
            found.update(one for one in db.scalars(query) if one)
    return {one for one, key in keys.items() if key in found}
