"""External ids are compared by a key and by how they look; rows of before get both, and nothing is merged.

Where two of them clash already both stay, and `invigil db check` lists them.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from index.external_ids import SKELETONS, build_forms

revision = "20261127_ids_compared"
down_revision = "20261127_with_owners"
branch_labels = None
depends_on = None

BLOCK_ROWS = 5_000
FORMS = ("external_key", *SKELETONS)


def upgrade() -> None:
    for name in FORMS:
        op.add_column("subject", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("roster_entry", sa.Column("external_key", sa.Text(), nullable=False, server_default=""))
    fill("subject", FORMS)
    fill("roster_entry", ("external_key",))
    for name in FORMS:
        op.create_index(f"ix_subject_{name}", "subject", [name])
    op.create_index("ix_roster_entry_session_id_external_key", "roster_entry", ["session_id", "external_key"])


def fill(name: str, forms: tuple[str, ...]) -> None:
    """Compute the forms of every external id of a table."""
    columns = [sa.column(form, sa.Text()) for form in forms]
    rows = sa.table(name, sa.column("id", sa.Uuid()), sa.column("external_id", sa.String()), *columns)
    values: dict[str, Any] = {form: sa.bindparam(f"new_{form}") for form in forms}
    change = sa.update(rows).where(rows.c.id == sa.bindparam("row_id")).values(**values)
    db, last = op.get_bind(), None
    while True:
        query = sa.select(rows.c.id, rows.c.external_id).where(rows.c.external_id.is_not(None))
        query = query.order_by(rows.c.id).limit(BLOCK_ROWS)
        block = db.execute(query if last is None else query.where(rows.c.id > last)).all()
        if not block:
            return
        last = block[-1].id
        db.execute(change, [new_values(row.id, row.external_id, forms) for row in block])


def new_values(row_id: object, external_id: str, forms: tuple[str, ...]) -> dict[str, object]:
    """One row's parameters."""
    found = build_forms(external_id)
    return {"row_id": row_id, **{f"new_{form}": found[form] for form in forms}}


def downgrade() -> None:
    op.drop_index("ix_roster_entry_session_id_external_key", "roster_entry")
    op.drop_column("roster_entry", "external_key")
    for name in FORMS:
        op.drop_index(f"ix_subject_{name}", "subject")
        op.drop_column("subject", name)
