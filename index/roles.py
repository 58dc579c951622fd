"""What each service's database role may do; `postgres/roles.sql` makes them where an installation wants them.

The service cannot change what the audit chain, the change log and the evidence say, and has nothing to do
with the tables of the engine of jobs. A worker reads no template's vector, no name and nothing of exams.
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
"""Table → privileges; a column list in parentheses goes with each."""

OF_API: Rights = {
    "audit_event": ADD,
    "gallery_change": ADD,
    "checkin": "SELECT, INSERT, DELETE",
    "checkin_override": "SELECT, INSERT, DELETE",
    # Readiness writes it as it is, to see whether anything can be written.
    "alembic_version": "SELECT, UPDATE",
}
"""Where the service may not do everything."""

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
class Role:
    """A role, its rights by table, and those on all other tables."""

    name: str
    rights: Rights
    otherwise: str = ""


ROLES = (Role(API, OF_API, EVERYTHING), Role(WORKER, OF_WORKER), Role(TRAINER, OF_TRAINER))

_OWNED = text(
    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user ORDER BY 1"
)
_ROLES_THERE = text("SELECT rolname FROM pg_roles")


def grant_rights(db: Session) -> None:
    """Give the roles that there are their rights, and no others, on the tables that this role owns.

    Args:
        db: On PostgreSQL, as whoever has made the tables; for anybody else it does nothing.
    """
    tables = list(db.scalars(_OWNED))
    if not tables:
        return
    there = set(db.scalars(_ROLES_THERE))
    for role in ROLES:
        if role.name in there:
            for statement in statements_of(role, tables):
                db.execute(text(statement))


def statements_of(role: Role, tables: list[str]) -> Iterator[str]:
    """The statements for one role; the names are ours or the database's own."""
    for table in tables:
        yield f'REVOKE ALL ON "{table}" FROM {role.name}'
        if rights := role.rights.get(table, role.otherwise):
            yield f'GRANT {rights} ON "{table}" TO {role.name}'
    if any("INSERT" in rights for rights in (*role.rights.values(), role.otherwise)):
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role.name}"
