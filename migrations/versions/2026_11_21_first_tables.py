"""The first tables: subjects, templates, models, the change log, keys, idempotency, the audit chain."""

import sqlalchemy as sa
from alembic import op

revision = "20261121_first_tables"
down_revision = None
branch_labels = None
depends_on = None

# A migration describes the past and never changes with the program: it repeats the types of the tables.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True)
ACTIVE = sa.text("state = 'active'")


def upgrade() -> None:
    create_subject()
    create_model()
    create_crop()
    create_template()
    create_gallery_change()
    create_api_key()
    create_idempotency_record()
    create_audit_event()


def create_subject() -> None:
    op.create_table(
        "subject",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.String(255)),
        sa.Column("display_name", sa.String(255)),
        sa.Column("metadata", JSON),
        sa.Column("legal_basis", JSON),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subject"),
        sa.UniqueConstraint("external_id", name="uq_subject_external_id"),
    )


def create_model() -> None:
    op.create_table(
        "model",
        sa.Column("id", sa.String(100), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("dim", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("calibration_id", sa.String(100)),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("gate", JSON),
        sa.Column("location", sa.Text()),
        sa.Column("replaced_id", sa.String(100)),
        sa.Column("registered_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.ForeignKeyConstraint(["replaced_id"], ["model.id"], name="fk_model_replaced_id_model"),
    )
    op.create_index(
        "uq_model_active", "model", ["state"], unique=True, sqlite_where=ACTIVE, postgresql_where=ACTIVE
    )


def create_crop() -> None:
    op.create_table(
        "crop",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_crop_subject_id_subject", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_crop"),
    )
    op.create_index("ix_crop_subject_id", "crop", ["subject_id"])
    op.create_index("ix_crop_expires_at", "crop", ["expires_at"])


def create_template() -> None:
    op.create_table(
        "template",
        sa.Column("number", ROW_NUMBER, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.String(16)),
        sa.Column("quality", JSON, nullable=False),
        sa.Column("source_digest", sa.String(64)),
        sa.Column("crop_id", sa.Uuid()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_template"),
        sa.UniqueConstraint("id", name="uq_template_id"),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subject.id"], name="fk_template_subject_id_subject", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["model_id"], ["model.id"], name="fk_template_model_id_model"),
        sa.ForeignKeyConstraint(
            ["crop_id"], ["crop.id"], name="fk_template_crop_id_crop", ondelete="SET NULL"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_template_subject_id", "template", ["subject_id"])
    op.create_index("ix_template_crop_id", "template", ["crop_id"])


def create_gallery_change() -> None:
    op.create_table(
        "gallery_change",
        sa.Column("seq", ROW_NUMBER, nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("template_number", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.String(100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_gallery_change"),
        sqlite_autoincrement=True,
    )


def create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("not_before", MOMENT),
        sa.Column("expires_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("last_used_at", MOMENT),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
        sa.UniqueConstraint("prefix", name="uq_api_key_prefix"),
    )
    op.create_index("ix_api_key_session_id", "api_key", ["session_id"])


def create_idempotency_record() -> None:
    op.create_table(
        "idempotency_record",
        sa.Column("api_key_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("method", sa.String(8), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("leased_until", MOMENT, nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("headers", JSON),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("api_key_id", "key", name="pk_idempotency_record"),
        sa.ForeignKeyConstraint(
            ["api_key_id"],
            ["api_key.id"],
            name="fk_idempotency_record_api_key_id_api_key",
            ondelete="CASCADE",
        ),
    )
    for column in ("resource_id", "subject_id", "created_at"):
        op.create_index(f"ix_idempotency_record_{column}", "idempotency_record", [column])


def create_audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("subject_id", sa.Uuid()),
        sa.Column("request_id", sa.String(128)),
        sa.Column("details", JSON, nullable=False),
        sa.Column("previous_digest", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit_event"),
    )
    for column in ("action", "subject_id"):
        op.create_index(f"ix_audit_event_{column}", "audit_event", [column])


def downgrade() -> None:
    for table in (
        "audit_event",
        "idempotency_record",
        "api_key",
        "gallery_change",
        "template",
        "crop",
        "model",
        "subject",
    ):
        op.drop_table(table)
