"""/v1/me: who is signed in, and what one changes about one's own account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from index.audit import Origin
from service.access.callers import Caller
from service.access.passwords import LONGEST
from service.access.roles import Role
from service.access.scopes import Scope
from service.api.exams import origin_of
from service.api.inputs import PartsHere, needs
from service.api.operators import OperatorDocument, document
from service.cards.qr_codes import draw_qr_code
from service.errors import NotAnOperator
from service.http.tracing import address_of

router = APIRouter(prefix="/v1/me", tags=["operators"])
Anybody = Annotated[Caller, needs()]
Password = Annotated[SecretStr, Field(min_length=1, max_length=LONGEST)]
Code = Annotated[str, Field(pattern=r"^\s*\d{6}\s*$", description="six digits")]


class Me(BaseModel):
    """Who sends the request."""

    id: UUID
    name: str
    is_operator: bool
    role: Role | None
    scopes: list[Scope]
    exam_ids: list[UUID] | None
    has_password: bool
    has_second_factor: bool


class PasswordChange(BaseModel):
    """The password of now, and the new one."""

    model_config = ConfigDict(extra="forbid")

    former: Password
    password: Password


class Confirmation(BaseModel):
    """A one-time code that the app shows."""

    model_config = ConfigDict(extra="forbid")

    code: Code


class PasswordGiven(BaseModel):
    """The password, so that nobody does it who found an open page."""

    model_config = ConfigDict(extra="forbid")

    password: Password


class NewSecondFactor(BaseModel):
    """What an app for one-time codes has to know; it is not shown again."""

    secret: str
    uri: str
    qr: str = Field(description="the uri as a QR code: an SVG document")


@router.get("", response_model=Me)
def show_me(parts: PartsHere, caller: Anybody) -> Me:
    """The key or the operator that sends the request."""
    facts = parts.operators.find(caller.id) if caller.is_operator else None
    return Me(
        id=caller.id,
        name=caller.name,
        is_operator=caller.is_operator,
        role=facts.role if facts else None,
        scopes=sorted(caller.scopes),
        exam_ids=None if caller.exam_ids is None else sorted(caller.exam_ids),
        has_password=facts is not None and facts.has_password,
        has_second_factor=facts is not None and facts.has_second_factor,
    )


@router.put("/password", response_model=OperatorDocument)
def change_password(
    request: Request, parts: PartsHere, caller: Anybody, change: PasswordChange
) -> OperatorDocument:
    """Set another password; every other page of the operator is signed out."""
    who, keep = signed_in(request, caller)
    former, password = change.former.get_secret_value(), change.password.get_secret_value()
    address = address_of(request.scope)
    return document(parts.signing_in.change_password(caller.id, former, password, who, address, keep=keep))


@router.put("/second-factor", response_model=NewSecondFactor)
def begin_second_factor(
    request: Request, parts: PartsHere, caller: Anybody, given: PasswordGiven
) -> NewSecondFactor:
    """A secret for an app of one-time codes; it counts once a code has shown that the app has it."""
    signed_in(request, caller)
    require_password(request, parts, caller, given)
    made = parts.second_factors.begin(caller.id)
    return NewSecondFactor(**vars(made), qr=draw_qr_code(made.uri))


@router.put("/second-factor/confirmation", response_model=OperatorDocument)
def confirm_second_factor(
    request: Request, parts: PartsHere, caller: Anybody, given: Confirmation
) -> OperatorDocument:
    """Ask for a code at every sign-in from now on; every other page of the operator is signed out."""
    who, keep = signed_in(request, caller)
    parts.second_factors.confirm(caller.id, given.code, who, keep)
    return document(parts.operators.find(caller.id))


@router.put("/second-factor/removal", response_model=OperatorDocument)
def remove_second_factor(
    request: Request, parts: PartsHere, caller: Anybody, given: PasswordGiven
) -> OperatorDocument:
    """Ask for no code any more."""
    who, keep = signed_in(request, caller)
    require_password(request, parts, caller, given)
    parts.second_factors.remove(caller.id, who, keep)
    return document(parts.operators.find(caller.id))


def signed_in(request: Request, caller: Caller) -> tuple[Origin, str | None]:
    """The operator, and the digest of the page that asks.

    Raises:
        NotAnOperator: If a key asks.
    """
    if not caller.is_operator:
        raise NotAnOperator
    session = getattr(request.state, "page_session", None)
    return origin_of(request, caller), session.digest if session else None


def require_password(request: Request, parts: PartsHere, caller: Caller, given: PasswordGiven) -> None:
    """Refuse whoever does not know the operator's password; raises as `SigningIn.require_password`."""
    address = address_of(request.scope)
    parts.signing_in.require_password(caller.id, given.password.get_secret_value(), address, "/body/password")
