"""Rights of each service's database role; `postgres/roles.sql` creates the optional roles.

The service cannot change the audit chain, the change log or the evidence, and has no access to the job
engine's tables. A worker reads no template's vector, no name and nothing about exams.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

API, WORKER, TRAINER = "invigil_api", "invigil_worker", "invigil_trainer"

READ, ADD = "SELECT", "SELECT, INSERT"
EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"

TEMPLATE_WITHOUT_VECTOR = "number, id, subject_id, model_id, quality, source_digest, crop_id, created_at"

Rights = Mapping[str, str]
"""Table → privileges, each with an optional column list in parentheses."""

OF_API: Rights = {
    "audit_event": ADD,
    "gallery_change": ADD,
    "checkin": "SELECT, INSERT, DELETE",
    "checkin_override": "SELECT, INSERT, DELETE",
    "movement": "SELECT, INSERT, DELETE",
    # Readiness updates it without a change, to test whether the database accepts writes.
    "alembic_version": "SELECT, UPDATE",
}
"""Tables on which the service does not have all rights."""

OF_WORKER: Rights = {
    "job": "SELECT, UPDATE",
    "model": "SELECT, INSERT, UPDATE",
    "crop": READ,
    "template": f"INSERT, SELECT ({TEMPLATE_WITHOUT_VECTOR})",
    "subject": "SELECT (id, legal_basis, basis_expires_at, withdrawn_at)",
    "audit_event": ADD,
    "gallery_change": ADD,
    "alembic_version": READ,
}
OF_TRAINER: Rights = {"model": READ, "alembic_version": READ}


@dataclass(frozen=True)
class DatabaseRole:
    """A role, its rights on some tables, and those on all others."""

    name: str
    rights: Rights
    otherwise: str = ""


ROLES = (
    DatabaseRole(API, OF_API, EVERYTHING),
    DatabaseRole(WORKER, OF_WORKER),
    DatabaseRole(TRAINER, OF_TRAINER),
)

_OWNED = text(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user ORDER BY 1"
)
_ROLES_THERE = text("SELECT rolname FROM pg_roles")


def grant_rights(db: Session) -> None:
    """Give the existing roles exactly their rights on the tables that the current role owns.

    Args:
        db: On PostgreSQL, as the owner of the tables; otherwise nothing happens.
    """
    tables = list(db.scalars(_OWNED))
    if not tables:
        return
    there = set(db.scalars(_ROLES_THERE))
    for role in ROLES:
        if role.name in there:
            for statement in statements_of(role, tables):
                db.execute(text(statement))


def statements_of(role: DatabaseRole, tables: list[str]) -> Iterator[str]:
    """The statements for one role; all names come from us or from the database."""
    for table in tables:
        yield f'REVOKE ALL ON "{table}" FROM {role.name}'
        if rights := role.rights.get(table, role.otherwise):
            yield f'GRANT {rights} ON "{table}" TO {role.name}'
    if any("INSERT" in rights for rights in (*role.rights.values(), role.otherwise)):
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role.name}"
