"""People who sign in as themselves, the links that invite them, and from where somebody does something."""

import sqlalchemy as sa
from alembic import op

revision = "20261127_with_operators"
down_revision = "20261127_pictures_of_cases"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(255), nullable=False),
        sa.Column("login_key", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("exam_ids", sa.JSON()),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("issuer", sa.String(255)),
        sa.Column("issuer_subject", sa.String(255)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_signed_in_at", MOMENT),
        sa.Column("ended_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_operator"),
        sa.UniqueConstraint("login_key", name="uq_operator_login_key"),
        sa.UniqueConstraint("issuer", "issuer_subject", name="uq_operator_issuer_issuer_subject"),
    )
    op.create_table(
        "second_factor",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("last_step", sa.BigInteger()),
        sa.PrimaryKeyConstraint("operator_id", name="pk_second_factor"),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_second_factor_operator_id_operator", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "operator_link",
        sa.Column("token_digest", sa.String(64), nullable=False),
        sa.Column("operator_id", sa.Uuid()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name="pk_operator_link"),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name="fk_operator_link_operator_id_operator", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_operator_link_operator_id", "operator_link", ["operator_id"])
    op.create_table(
        "sign_in",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login_digest", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in"),
    )
    op.create_index("ix_sign_in_login_digest_at", "sign_in", ["login_digest", "at"])
    op.create_index("ix_sign_in_address_at", "sign_in", ["address", "at"])
    with op.batch_alter_table("page_session") as table:
        table.alter_column("api_key_id", existing_type=sa.Uuid(), nullable=True)
        table.add_column(sa.Column("operator_id", sa.Uuid()))
        table.create_foreign_key(
            "fk_page_session_operator_id_operator", "operator", ["operator_id"], ["id"], ondelete="CASCADE"
        )
        table.create_index("ix_page_session_operator_id", ["operator_id"])
    with op.batch_alter_table("idempotency_record") as table:
        table.drop_constraint("fk_idempotency_record_api_key_id_api_key", type_="foreignkey")
        table.alter_column("api_key_id", existing_type=sa.Uuid(), new_column_name="caller_id")
    op.add_column("audit_event", sa.Column("address", sa.String(64)))


def downgrade() -> None:
    op.drop_column("audit_event", "address")
    op.execute("DELETE FROM idempotency_record WHERE caller_id NOT IN (SELECT id FROM api_key)")
    with op.batch_alter_table("idempotency_record") as table:
        table.alter_column("caller_id", existing_type=sa.Uuid(), new_column_name="api_key_id")
    # By itself: SQLite's table is made anew, and a key on a column that gets its name meanwhile is lost.
    with op.batch_alter_table("idempotency_record") as table:
        table.create_foreign_key(
            "fk_idempotency_record_api_key_id_api_key", "api_key", ["api_key_id"], ["id"], ondelete="CASCADE"
        )
    op.execute("DELETE FROM page_session WHERE api_key_id IS NULL")
    with op.batch_alter_table("page_session") as table:
        table.drop_index("ix_page_session_operator_id")
        table.drop_constraint("fk_page_session_operator_id_operator", type_="foreignkey")
        table.drop_column("operator_id")
        table.alter_column("api_key_id", existing_type=sa.Uuid(), nullable=False)
    op.drop_table("sign_in")
    op.drop_table("operator_link")
    op.drop_table("second_factor")
    op.drop_table("operator")
