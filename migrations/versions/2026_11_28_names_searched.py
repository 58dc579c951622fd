"""Names are searched and sorted by a key of their own; rows of before get theirs."""

import sqlalchemy as sa
from alembic import op

from index.external_ids import fold_name

revision = "20261128_names_searched"
down_revision = "20261127_with_operators"
branch_labels = None
depends_on = None

BLOCK_ROWS = 5_000


def upgrade() -> None:
    op.add_column("subject", sa.Column("name_key", sa.Text(), nullable=True))
    rows = sa.table(
        "subject",
        sa.column("id", sa.Uuid()),
        sa.column("display_name", sa.String()),
        sa.column("name_key", sa.Text()),
    )
    change = sa.update(rows).where(rows.c.id == sa.bindparam("row_id"))
    change = change.values(name_key=sa.bindparam("new_key"))
    named = sa.select(rows.c.id, rows.c.display_name).where(rows.c.display_name.is_not(None))
    db, last = op.get_bind(), None
    while True:
        query = named.order_by(rows.c.id).limit(BLOCK_ROWS)
        block = db.execute(query if last is None else query.where(rows.c.id > last)).all()
        if not block:
            return
        last = block[-1].id
        db.execute(change, [{"row_id": row.id, "new_key": fold_name(row.display_name)} for row in block])


def downgrade() -> None:
    op.drop_column("subject", "name_key")
