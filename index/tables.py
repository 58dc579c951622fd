"""The tables that every process shares. They are the source of truth; the vectors in memory are a cache."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    Uuid,
    false,
    text,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from index.external_ids import SKELETONS, build_forms, fold_name
from index.ids import uuid7

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC with microseconds; SQLite has no time zones and stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone, which is ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"A time without a zone cannot be stored: {value.isoformat()}.")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Restore the zone of every time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite assigns numbers only in a column declared INTEGER.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON(none_as_null=True)


def build_form_default(name: str) -> Callable[[DefaultExecutionContext], str | None]:
    """The default of a column with a form of the row's external id (`index.external_ids.build_forms`)."""

    def form(context: DefaultExecutionContext) -> str | None:
        given: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
        return build_forms(given.get("external_id"))[name]

    return form


def fold_row_name(context: DefaultExecutionContext) -> str | None:
    """The default of a column with the form of the row's name by which it is searched."""
    given: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]
    return fold_name(given.get("display_name"))


def utc_now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


OF_THE_MOMENT = "of_the_moment"
FOR_THE_MOMENT: dict[str, Any] = {"info": {OF_THE_MOMENT: True}}
"""Of a table whose rows let somebody in once, or for a while; no copy of the database takes them along."""


class Base(DeclarativeBase):
    """The only catalogue of tables, including those of other packages."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: Json,
        list[str]: Json,
        list[Any]: Json,
        UUID: Uuid,
    }


class SubjectRow(Base):
    """A person. Nothing here is needed to recognise one; erasure removes all of it."""

    __tablename__ = "subject"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    external_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    # The forms by which ids are compared. They are not unique: older rows may clash, and nothing is merged
    # automatically. Writers of ids are serialised and check for clashes first.
    external_key: Mapped[str | None] = mapped_column(
        Text, index=True, default=build_form_default("external_key")
    )
    external_skeleton: Mapped[str | None] = mapped_column(
        Text, index=True, default=build_form_default(SKELETONS[0])
    )
    external_skeleton_lower: Mapped[str | None] = mapped_column(
        Text, index=True, default=build_form_default(SKELETONS[1])
    )
    external_skeleton_upper: Mapped[str | None] = mapped_column(
        Text, index=True, default=build_form_default(SKELETONS[2])
    )
    display_name: Mapped[str | None] = mapped_column(String(255))
    # What names are searched and sorted by: no database folds the letters of every alphabet.
    name_key: Mapped[str | None] = mapped_column(Text, default=fold_row_name)
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    legal_basis: Mapped[dict[str, Any] | None]
    # A copy from `legal_basis`, so that queries can use it.
    basis_expires_at: Mapped[datetime | None] = mapped_column(index=True)
    withdrawn_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)


class WithdrawalLinkRow(Base):
    """A link that lets a person withdraw consent, once; only the SHA-256 of its token is stored."""

    __tablename__ = "withdrawal_link"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class EnrolmentLinkRow(Base):
    """A link by which a person sends a picture for the own enrolment, once; its secret is not stored.

    `pictures` counts what came by it, whether it could be used or not.
    """

    __tablename__ = "enrolment_link"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    token_digest: Mapped[str] = mapped_column(String(64), unique=True)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    pictures: Mapped[int] = mapped_column(default=0)
    # Whether a picture that matches the office's portrait is enrolled at once.
    direct: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = FOR_THE_MOMENT


class ProposalRow(Base):
    """A picture that came by such a link. It has no template, so nobody is compared with it.

    `claimed_until` keeps a second person off while the first one's decision is being carried out.
    """

    __tablename__ = "enrolment_proposal"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    consent: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    claimed_until: Mapped[datetime | None]


class ShadowRow(Base):
    """A candidate model that runs beside the active one for a while, and decides nothing."""

    __tablename__ = "model_shadow"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    active_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    started_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]


class ShadowCountRow(Base):
    """How often the active model said one thing and the candidate another."""

    __tablename__ = "model_shadow_count"

    shadow_id: Mapped[UUID] = mapped_column(ForeignKey("model_shadow.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    active: Mapped[str] = mapped_column(String(16), primary_key=True)
    candidate: Mapped[str] = mapped_column(String(16), primary_key=True)
    n: Mapped[int]


class ShadowDisagreementRow(Base):
    """A check-in on which the two disagreed; it goes with the subject, and with the check-in's evidence."""

    __tablename__ = "model_shadow_disagreement"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    shadow_id: Mapped[UUID] = mapped_column(ForeignKey("model_shadow.id"), index=True)
    checkin_id: Mapped[UUID] = mapped_column(index=True)
    session_id: Mapped[UUID]
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    active: Mapped[str] = mapped_column(String(16))
    candidate: Mapped[str] = mapped_column(String(16))
    d: Mapped[float]


class PortraitRow(Base):
    """A picture of a person that the office keeps, to look at beside another; nobody is compared with it,
    except who sends a picture by a direct link. Another portrait has another `id`.
    """

    __tablename__ = "portrait"

    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class ModelRow(Base):
    """A model bundle that this installation knows, and whether it is the active one."""

    __tablename__ = "model"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    dim: Mapped[int]
    state: Mapped[str] = mapped_column(String(16))
    calibration_id: Mapped[str | None] = mapped_column(String(100))
    facts: Mapped[dict[str, Any]]
    # How it compares with the model that was active when it was made (training/evaluation/gate.py); null if
    # never compared.
    gate: Mapped[dict[str, Any] | None]
    location: Mapped[str | None] = mapped_column(Text)
    replaced_id: Mapped[str | None] = mapped_column(ForeignKey("model.id"))
    registered_at: Mapped[datetime] = mapped_column(default=utc_now)
    activated_at: Mapped[datetime | None]

    __table_args__ = (
        Index(
            "uq_model_active",
            "state",
            unique=True,
            sqlite_where=text("state = 'active'"),
            postgresql_where=text("state = 'active'"),
        ),
    )


class TemplateRow(Base):
    """One enrolled template. `number` identifies its vector in memory and is never reused."""

    __tablename__ = "template"

    number: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    id: Mapped[UUID] = mapped_column(unique=True, default=uuid7)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("model.id"))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str | None] = mapped_column(String(16))
    quality: Mapped[dict[str, Any]]
    # SHA-256 of the picture if it came from a folder or list, so that a second bulk enrolment skips it.
    source_digest: Mapped[str | None] = mapped_column(String(64))
    # The crop it was made from, if kept: templates of several models may share one.
    crop_id: Mapped[UUID | None] = mapped_column(ForeignKey("crop.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    # Without AUTOINCREMENT, SQLite would give a removed row's number to the next template, and a process that
    # does not know of the removal yet would take one person's vector for another's.
    __table_args__ = ({"sqlite_autoincrement": True},)


class TwinRow(Base):
    """Two subjects with the same face, both enrolled on purpose. The smaller id comes first."""

    __tablename__ = "twin"

    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True)
    other_id: Mapped[UUID] = mapped_column(
        ForeignKey("subject.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    # The template that was enrolled despite the other. Not a foreign key: another model's may replace it.
    template_id: Mapped[UUID]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class CropRow(Base):
    """The aligned face of an enrolment, always encrypted; kept only if the settings say so.

    It allows another model's template to be made without the person, and training if there is a legal basis
    for that. The end of its retention removes it and leaves the templates.
    """

    __tablename__ = "crop"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    picture: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime | None] = mapped_column(index=True)


class HoldRow(Base):
    """Keeps what is known of an exam or a subject from every sweep, until somebody lifts it.

    It names one of the two. Who lifted it, and why, stays with it.
    """

    __tablename__ = "retention_hold"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    exam_id: Mapped[UUID | None] = mapped_column(index=True)
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(Text)
    put_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(String(255))
    lifted_because: Mapped[str | None] = mapped_column(Text)


class JobRow(Base):
    """Work that takes longer than a request: the service submits it, a worker does it.

    `state` is `queued`, `running`, `done`, `failed` or `cancelled`. The two communicate through this row
    only; the worker stores elsewhere what it needs to survive a crash.
    """

    __tablename__ = "job"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    kind: Mapped[str] = mapped_column(String(32))
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(16), default="queued", index=True)
    step: Mapped[str | None] = mapped_column(String(64))
    progress: Mapped[float] = mapped_column(default=0.0)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # The last lines of its log, oldest first.
    log: Mapped[list[Any]] = mapped_column(default=list)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    actor: Mapped[str] = mapped_column(String(255))
    worker: Mapped[str | None] = mapped_column(String(255))
    # Submitted over HTTP: it may only read the folders that the operator allows.
    confined: Mapped[bool] = mapped_column(default=False)
    cancel_requested_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    changed_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]


class GalleryChangeRow(Base):
    """Changes to the gallery in the order of their commits; every process replays them."""

    __tablename__ = "gallery_change"

    seq: Mapped[int] = mapped_column(RowNumber, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    template_number: Mapped[int] = mapped_column(BigInteger)
    model_id: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = ({"sqlite_autoincrement": True},)


class ApiKeyRow(Base):
    """A caller's key: the prefix is public; only a hash of the secret is stored."""

    __tablename__ = "api_key"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    prefix: Mapped[str] = mapped_column(String(32), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(255))
    name: Mapped[str] = mapped_column(String(255))
    scopes: Mapped[list[str]]
    session_id: Mapped[UUID | None] = mapped_column(index=True)
    not_before: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class FailedComparisonRow(Base):
    """A comparison with a subject that did not match; counted for an hour, across keys and processes."""

    __tablename__ = "failed_comparison"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (Index("ix_failed_comparison_subject_id_at", "subject_id", "at"),)


class OperatorRow(Base):
    """A person who signs in to the pages. Nobody is deleted: decisions name them."""

    __tablename__ = "operator"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    login: Mapped[str] = mapped_column(String(255))
    # What sign-in names are compared by.
    login_key: Mapped[str] = mapped_column(String(255), unique=True)
    name: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(32))
    # The only exams that this operator sees; None for all.
    exam_ids: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    # Who this is to an OpenID Connect issuer.
    issuer: Mapped[str | None] = mapped_column(String(255))
    issuer_subject: Mapped[str | None] = mapped_column(String(255))
    # Counts changes of what a sign-in rests on: one that began before a change does not come after it.
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_signed_in_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("issuer", "issuer_subject"),)


class SecondFactorRow(Base):
    """The secret of an operator's one-time codes (TOTP, RFC 6238); it counts once a code has come."""

    __tablename__ = "second_factor"

    operator_id: Mapped[UUID] = mapped_column(ForeignKey("operator.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str] = mapped_column(String(16))
    confirmed: Mapped[bool] = mapped_column(default=False)
    # The time step of the last code: none works twice.
    last_step: Mapped[int | None] = mapped_column(BigInteger)


class OperatorLinkRow(Base):
    """A link by which a person becomes an operator, or sets a new password; it works once.

    Without an operator it makes the first administrator.
    """

    __tablename__ = "operator_link"
    __table_args__ = FOR_THE_MOMENT

    token_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    operator_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("operator.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    expires_at: Mapped[datetime]


class SignInRow(Base):
    """An attempt to sign in with a password; failures bound the next, a success makes an address known."""

    __tablename__ = "sign_in"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    # SHA-256 of the sign-in name, which may be nobody's.
    login_digest: Mapped[str] = mapped_column(String(64))
    address: Mapped[str] = mapped_column(String(64))
    succeeded: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(default=utc_now)

    __table_args__ = (
        Index("ix_sign_in_login_digest_at", "login_digest", "at"),
        Index("ix_sign_in_address_at", "address", "at"),
        FOR_THE_MOMENT,
    )


class PageSessionRow(Base):
    """A page session of somebody who has signed in: the browser holds the id, the database its SHA-256.

    It stands for a key or for an operator. It ends when somebody signs out, when nobody has used it for a
    while, and with its key or operator.
    """

    __tablename__ = "page_session"
    __table_args__ = FOR_THE_MOMENT

    id_digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    page: Mapped[str] = mapped_column(String(16))
    api_key_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_key.id", ondelete="CASCADE"), index=True)
    operator_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("operator.id", ondelete="CASCADE"), index=True
    )
    # What seals the caller's kept answers, wrapped by the id: it cannot be had from what is stored.
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    last_used_at: Mapped[datetime] = mapped_column(default=utc_now)


class IdempotencyRecordRow(Base):
    """A POST claimed under the caller's `Idempotency-Key`, with the response once there is one.

    `state` is `claimed`, `done`, or `erased` if its subject has been erased: the response is then removed
    too, and the same key must not bring the subject back. A claim may be taken over after its lease ends: its
    process died, or its work failed. `body` is sealed for the caller alone.
    """

    __tablename__ = "idempotency_record"

    # A key, or the sign-in of an operator, whose answers nobody else can open.
    caller_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(Text)
    body_digest: Mapped[str] = mapped_column(String(64))
    resource_id: Mapped[UUID] = mapped_column(index=True, default=uuid7)
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(String(8), default="claimed")
    leased_until: Mapped[datetime] = mapped_column(default=utc_now)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)


class AuditEventRow(Base):
    """One event of the audit chain, with the digest of its content and of the previous event."""

    __tablename__ = "audit_event"

    # Numbered by the writer and not by the database: a rollback would leave a gap, and a gap means a removed
    # row.
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    action: Mapped[str] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(255))
    # No foreign key: the event outlives the subject.
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    request_id: Mapped[str | None] = mapped_column(String(128))
    # Where the request came from, as trusted proxies say; none on the command line.
    address: Mapped[str | None] = mapped_column(String(64))
    details: Mapped[dict[str, Any]]
    previous_digest: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class WebhookRow(Base):
    """An address that is called about events.

    `seq` is the last audit event that was looked at for it: the audit trail is the outbox, so an event can
    neither be lost nor invented.
    """

    __tablename__ = "webhook"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    url: Mapped[str] = mapped_column(String(2_000))
    events: Mapped[list[Any]]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key_id: Mapped[str | None] = mapped_column(String(16))
    seq: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(String(64))


class WebhookDeliveryRow(Base):
    """One message for one webhook, with how its delivery stands; it holds ids only.

    It is due at `due_at`; None once it was delivered or given up.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (UniqueConstraint("webhook_id", "seq"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhook.id"), index=True)
    # The audit event; None for a test.
    seq: Mapped[int | None] = mapped_column(BigInteger)
    event: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    due_at: Mapped[datetime | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]
    status: Mapped[int | None]
    error: Mapped[str | None] = mapped_column(String(64))


class WebhookLeaseRow(Base):
    """Which process delivers; one row."""

    __tablename__ = "webhook_lease"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(String(64))
    until: Mapped[datetime]
