"""Everything read from the environment (or `.env`), once, at the edge; units are in the names."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from embedding.bundle import SHIPPED
from embedding.cores import count_usable_cores
from embedding.faces import FacePolicy
from embedding.image import ImageLimits
from embedding.quality import Purpose
from index.database.addresses import file_of, jobs_file
from index.sealing.key_file import KEY_FILE
from service.access.issuer_terms import IssuerTerms
from service.access.roles import Role
from service.cards.number_rule import CheckDigit, NumberRule
from service.webhooks.targets import Targets

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client gives the name: it looks there when it is imported."""

SECRETS = ("template_key", "template_keys", "database_url", "oidc_client_secret")
"""Settings that may stand in a file of their own: `<name>_file`."""

HELD_BYTES_PER_WORKER = 26_000_000
"""Of bodies with pictures; with what decoding one takes (`embedding.formats.encoded`), 150 MB a worker."""

FORM_OVERHEAD_BYTES = 64 * 1024
"""Boundaries, headers and text fields of a form, besides its pictures."""

Rate = Annotated[float, Field(gt=0, lt=1)]


class Settings(BaseSettings):
    """The service's settings; each field is the environment variable INVIGIL_<FIELD>.

    Attributes:
        database_url: Empty means SQLite in `data_dir`.
        match_fmr: False match rate at or below which a comparison is a match.
        refer_fmr: False match rate up to which a person decides.
        duplicate_fmr: How near another subject's face must be for an enrolment to be refused.
        enrol_faces: Which face is taken where a picture for an enrolment shows several.
        verify_faces: The same where a picture is verified, compared or searched with.
        checkin_faces: The same at a check-in.
        template_key: Encrypts templates at rest; base64 of 32 bytes. Where there is none, the first start on
            SQLite makes a file with one in `data_dir`.
        template_keys: Several, with commas between them: the first seals, all of them open.
        template_key_file: A file that holds `template_key` instead: what stands in the environment can be
            read there for as long as the process lives.
        template_keys_file: The same for `template_keys`.
        database_url_file: The same for `database_url`, which may hold a password.
        job_folders: Beside `data_dir`, folders that jobs may read that were asked for over HTTP.
        anchor_file: Where the newest audit events and all erasures are written down outside the database;
            best on another disk. By default `audit.anchor` in `data_dir`.
        store_crops: Keep the aligned face of every enrolment, encrypted, so that a new model can make its
            templates without the people, and the enrolment photograph is noticed at the door.
        crop_retention_days: How long one is kept.
        card_prefix: In front of each candidate number on a card, and no part of it.
        card_length: Characters of the number behind the prefix.
        card_check_digit: How the number's last character follows from the others: none, luhn or mod11.
        basis_warning_days: How long before its end a legal basis is shown as expiring.
        erase_expired_after_days: Erase people so many days after their legal basis has ended or was
            withdrawn, each announced in the audit trail a day before; None: nobody is erased by itself.
        public_url: Where people outside reach `/enrol/` and `/withdraw/`; by default as the request
            that makes a link.
        withdrawal_link_days: How long a link works by which a person withdraws consent.
        trusted_proxies: Addresses and networks, parted by commas, of proxies whose `X-Forwarded-Proto` and
            `X-Forwarded-For` are believed.
        oidc_issuer: Address of an OpenID Connect issuer that signs operators in; None: passwords alone.
        oidc_client_id: What the issuer knows this installation as.
        oidc_client_secret: None for a public client.
        oidc_client_secret_file: A file that holds it instead.
        oidc_role_claim: The claim of the ID token with roles or groups; dots lead into objects.
        oidc_roles: `claim value=role`, several with commas between them; the first that a person has counts.
        webhook_targets: Hosts, addresses and networks, parted by commas, that webhooks may call; a host's
            name covers public addresses only. Empty: no webhook is called.
        workers: Processes that serve one port.
        picture_workers: Pictures worked on at once in one process; by default one for each core.
        picture_queue: Pictures that may wait, while they weigh no more than `max_held_bytes`; one more is
            answered 503 `queue_full`.
        requests_per_minute: Of one key in one process; one more is answered 429; None: no limit.
        failed_comparisons_per_hour: Verifications and searches that do not match one subject, by all keys;
            one more is answered 429; None: no limit. Check-ins do not count.
        upload_seconds: Longest time in which a request's body may arrive.
        shared_metrics: Where the processes of one port add up their counters; `invigil serve` makes it.
        idempotency_hours: How long an answer can be replayed.
    """

    # A line that is left empty, in `.env` or in docker-compose.yml, leaves the default.
    model_config = SettingsConfigDict(
        env_prefix="INVIGIL_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    data_dir: Path = Path("var")
    database_url: str = ""
    bundle: Path = SHIPPED
    match_fmr: Rate = 1e-4
    refer_fmr: Rate = 1e-3
    duplicate_fmr: Rate = 1e-5
    max_upload_bytes: int = Field(default=ImageLimits().max_bytes, ge=1_000)
    max_pixels: int = Field(default=ImageLimits().max_pixels, ge=10_000)
    template_key: SecretStr | None = None
    template_keys: SecretStr | None = None
    template_key_file: Path | None = None
    template_keys_file: Path | None = None
    database_url_file: Path | None = None
    job_folders: Annotated[tuple[Path, ...], NoDecode] = ()
    enrol_faces: FacePolicy = FacePolicy.EXACTLY_ONE
    verify_faces: FacePolicy = FacePolicy.CENTRAL
    checkin_faces: FacePolicy = FacePolicy.CENTRAL
    anchor_file: Path | None = None
    store_crops: bool = False
    crop_retention_days: int = Field(default=365, ge=1, le=36_500)
    card_prefix: str = Field(default="", max_length=50)
    card_length: int | None = Field(default=None, ge=1, le=255)
    card_check_digit: CheckDigit = "none"
    basis_warning_days: int = Field(default=30, ge=0, le=3_650)
    erase_expired_after_days: int | None = Field(default=None, ge=0, le=36_500)
    public_url: str | None = Field(default=None, pattern=r"^https?://[^/\s]+(/[^\s?#]*)?$")
    withdrawal_link_days: int = Field(default=30, ge=1, le=365)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    trusted_proxies: str = "127.0.0.1"
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_client_secret_file: Path | None = None
    oidc_role_claim: str = "groups"
    oidc_roles: Annotated[dict[str, Role], NoDecode] = Field(default_factory=dict)
    webhook_targets: Annotated[tuple[str, ...], NoDecode] = ()
    workers: int = Field(default=1, ge=1)
    picture_workers: int = Field(default_factory=count_usable_cores, ge=1)
    picture_queue: int = Field(default=32, ge=0)
    requests_per_minute: int | None = Field(default=None, ge=1)
    failed_comparisons_per_hour: int | None = Field(default=30, ge=1)
    upload_seconds: float = Field(default=30.0, gt=0)
    idempotency_hours: float = Field(default=24.0, gt=0)
    shared_metrics: Path | None = Field(default=None, validation_alias=SHARED_FOLDER)

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, given: dict[str, Any]) -> dict[str, Any]:
        return {**given, **{name: text for name in SECRETS if (text := secret_in(given, name)) is not None}}

    @field_validator("job_folders", mode="before")
    @classmethod
    def _part_folders(cls, given: Any) -> Any:
        return [part for part in given.split(os.pathsep) if part] if isinstance(given, str) else given

    @field_validator("webhook_targets", mode="before")
    @classmethod
    def _part_targets(cls, given: Any) -> Any:
        return (
            [part.strip() for part in given.split(",") if part.strip()] if isinstance(given, str) else given
        )

    @field_validator("webhook_targets")
    @classmethod
    def _check_targets(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        Targets.parse(given)
        return given

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _part_roles(cls, given: Any) -> Any:
        return parted_roles(given) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _check_issuer(self) -> Self:
        if self.oidc_issuer is None:
            return self
        if not self.oidc_client_id or not self.oidc_roles:
            raise ValueError("INVIGIL_OIDC_ISSUER needs INVIGIL_OIDC_CLIENT_ID and INVIGIL_OIDC_ROLES")
        parts = urlsplit(self.oidc_issuer)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError("INVIGIL_OIDC_ISSUER has to begin with https://")
        return self

    @model_validator(mode="after")
    def _check_rates(self) -> Self:
        if self.match_fmr > self.refer_fmr:
            raise ValueError(
                f"INVIGIL_MATCH_FMR ({self.match_fmr:g}) exceeds INVIGIL_REFER_FMR ({self.refer_fmr:g})"
            )
        return self

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'invigil.db'}"

    @property
    def numbers(self) -> NumberRule:
        """How the site's cards spell candidate numbers."""
        return NumberRule(self.card_prefix, self.card_length, self.card_check_digit)

    @property
    def basis_warning(self) -> timedelta:
        """How long before its end a legal basis is shown as expiring."""
        return timedelta(days=self.basis_warning_days)

    @property
    def readable_folders(self) -> tuple[Path, ...]:
        """What a job may read that was asked for over HTTP."""
        return self.data_dir, *self.job_folders

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Files of the installation that no job may be pointed at: keys, databases, the anchor, `.env`."""
        named = (*(getattr(self, f"{name}_file") for name in SECRETS), self.anchor)
        database = file_of(self.database) or self.data_dir / "invigil.db"
        files = [database.resolve(), jobs_file(database)]
        beside = [file.with_name(file.name + end) for file in files for end in ("-wal", "-shm", "-journal")]
        own = (self.data_dir / KEY_FILE, Path(".env"))
        return (*own, *files, *beside, *(path for path in named if path is not None))

    @property
    def issuer(self) -> IssuerTerms | None:
        """Who signs operators in, beside their passwords."""
        if self.oidc_issuer is None or self.oidc_client_id is None:
            return None
        secret = self.oidc_client_secret
        return IssuerTerms(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=secret.get_secret_value() if secret else None,
            role_claim=self.oidc_role_claim,
            roles=self.oidc_roles,
        )

    @property
    def face_policies(self) -> dict[Purpose, FacePolicy]:
        """What is done for each purpose with a picture that shows several faces."""
        return {
            Purpose.ENROL: self.enrol_faces,
            Purpose.VERIFY: self.verify_faces,
            Purpose.CHECKIN: self.checkin_faces,
            Purpose.KIOSK: self.checkin_faces,
        }

    @property
    def anchor(self) -> Path:
        """The anchor's file, with the default filled in."""
        return self.anchor_file or self.data_dir / "audit.anchor"

    @property
    def template_key_texts(self) -> list[tuple[str, str]]:
        """Each variable that gives template keys, with its text; the one with the sealing key goes first."""
        given = {"INVIGIL_TEMPLATE_KEYS": self.template_keys, "INVIGIL_TEMPLATE_KEY": self.template_key}
        return [(name, secret.get_secret_value()) for name, secret in given.items() if secret is not None]

    @property
    def image_limits(self) -> ImageLimits:
        """What a picture may weigh, in bytes and in pixels."""
        return ImageLimits(max_bytes=self.max_upload_bytes, max_pixels=self.max_pixels)

    @property
    def max_held_bytes(self) -> int:
        """Of all bodies with pictures in one process; never less than the largest request there is."""
        return max(
            self.picture_workers * HELD_BYTES_PER_WORKER, 2 * (self.max_upload_bytes + FORM_OVERHEAD_BYTES)
        )


def parted_roles(text: str) -> dict[str, str]:
    """`staff=invigilator,exams=exam_office` as pairs, in their order.

    Raises:
        ValueError: If a part is none.
    """
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip()]
    if not all(value.strip() and role.strip() for value, _, role in pairs):
        raise ValueError("it is written as `claim value=role,claim value=role`")
    return {value.strip(): role.strip() for value, _, role in pairs}


def secret_in(given: dict[str, Any], name: str) -> str | None:
    """The content of the file that is named for a secret; None where none is.

    Raises:
        ValueError: If the file cannot be read or is empty, or the secret is given as well.
    """
    path = given.get(f"{name}_file")
    if not path:
        return None
    variable = f"INVIGIL_{name.upper()}"
    if given.get(name):
        raise ValueError(f"{variable} and {variable}_FILE are both set: one of them is enough")
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ValueError(f"{variable}_FILE: {path} cannot be read ({reason})") from error
    if not text:
        raise ValueError(f"{variable}_FILE: {path} is empty")
    return text
