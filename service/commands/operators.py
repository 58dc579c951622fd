"""operators create|list|invite|reset|end."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from service.access.roles import Role
from service.commands.options import AsJson

if TYPE_CHECKING:
    from index.database.database import Database
    from service.access.invitations import Invitations, Link
    from service.access.operators import OperatorFacts, Operators

app = typer.Typer(no_args_is_help=True, help="People who sign in: invite, list, reset, end.")

ACTOR = "invigil operators"
PAGE = 200
Who = Annotated[str, typer.Argument(help="The sign-in name, or the id.")]


@app.command()
def create(
    login: Annotated[str, typer.Option(help="The name to sign in by, for example an e-mail address.")],
    name: Annotated[str, typer.Option(help="How the person is called; decisions show it.")],
    role: Annotated[Role, typer.Option(help="What the person is there to do.")],
    exam: Annotated[
        list[UUID] | None, typer.Option(help="An invigilator sees this exam alone; repeat for several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Invite somebody. The link is shown once; it works once, for seven days."""
    from index.audit import Origin
    from index.ids import uuid7
    from service.access.operators import OperatorTerms
    from service.commands.opening import open_database, read_settings

    with open_database(read_settings()) as database:
        require_exams(database, exam or [])
        terms = OperatorTerms(
            label("--login", login), label("--name", name), role, tuple(exam) if exam else None
        )
        facts, link = invitations(database).create(terms, Origin(ACTOR), uuid7())
    show_link(facts, link, as_json)


@app.command("list")
def list_operators(as_json: AsJson = False) -> None:
    """List all operators, ended ones too."""
    from service.access.operators import Operators
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table

    with open_database(read_settings()) as database:
        found = all_operators(Operators(database))
    if as_json:
        show_json({"items": [told(one) for one in found]})
        return
    show_table(
        ("id", "sign-in name", "name", "role", "second factor", "last signed in", "state"),
        (
            (
                one.id,
                one.login,
                one.name,
                one.role,
                "yes" if one.has_second_factor else "",
                one.last_signed_in_at,
                state_of(one),
            )
            for one in found
        ),
    )


@app.command()
def invite(who: Who, as_json: AsJson = False) -> None:
    """A new link for somebody who has not used the former one, in place of it."""
    from service.access.operators import Operators
    from service.commands.opening import open_database, read_settings

    with open_database(read_settings()) as database:
        facts = operator_named(who, Operators(database))
        if facts.has_password or facts.issuer:
            raise typer.BadParameter(f"{facts.name} signs in already; `reset` starts anew", param_hint="WHO")
        show_link(*renew(database, facts.id), as_json)


@app.command()
def reset(who: Who, as_json: AsJson = False) -> None:
    """Forget password and second factor, sign the person out, and show a new link."""
    from service.access.operators import Operators
    from service.commands.opening import open_database, read_settings

    with open_database(read_settings()) as database:
        show_link(*renew(database, operator_named(who, Operators(database)).id), as_json)


@app.command()
def end(who: Who, as_json: AsJson = False) -> None:
    """End an operator at once, in every process and for good."""
    from index.audit import Origin
    from service.access.operators import Operators
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.logs import configure_logs
    from service.trail.anchoring import note_now

    configure_logs()
    settings = read_settings()
    with open_database(settings) as database:
        operators = Operators(database)
        facts = operators.end(operator_named(who, operators).id, Origin(ACTOR))
        note_now(settings, database)
    if as_json:
        show_json(told(facts))
    else:
        typer.echo(f"{facts.name} ({facts.login}) is ended.")


def invitations(database: "Database") -> "Invitations":
    """The links of a database."""
    from service.access.invitations import Invitations
    from service.access.passwords import Passwords

    return Invitations(database, Passwords())


def renew(database: "Database", operator_id: UUID) -> "tuple[OperatorFacts, Link]":
    """A new link in place of every former one."""
    from index.audit import Origin

    return invitations(database).reset(operator_id, Origin(ACTOR))


def require_exams(database: "Database", exam_ids: list[UUID]) -> None:
    """Refuse exams that there are not."""
    from service.exams.exams import exam_row

    with database.read() as db:
        for exam_id in exam_ids:
            exam_row(db, exam_id)


def label(option: str, text: str) -> str:
    """A name as the API takes it."""
    from pydantic import TypeAdapter, ValidationError

    from service.fields import PersonName

    try:
        return TypeAdapter[str](PersonName).validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"], param_hint=option) from error


def operator_named(text: str, operators: "Operators") -> "OperatorFacts":
    """The operator of a sign-in name or an id."""
    from service.access.operators import login_key

    key = login_key(text)
    for facts in all_operators(operators):
        if key in (str(facts.id), login_key(facts.login)):
            return facts
    raise typer.BadParameter(f"there is no operator {text!r}", param_hint="WHO")


def all_operators(operators: "Operators") -> "list[OperatorFacts]":
    """Every operator, page by page."""
    found = page = operators.page(PAGE)
    while len(page) == PAGE:
        page = operators.page(PAGE, page[-1].id)
        found = found + page
    return found


def show_link(facts: "OperatorFacts", link: "Link", as_json: bool) -> None:
    """The link, alone on the last line."""
    from service.commands.keys import moment
    from service.commands.showing import show_json

    path = f"/console#/join/{link.token}"
    if as_json:
        show_json(told(facts) | {"link": path, "link_expires_at": moment(link.expires_at)})
        return
    until = f"{link.expires_at:%Y-%m-%d %H:%M} UTC"
    typer.echo(f"{facts.name} ({facts.role}) sets a password by this link; it works once, until {until}.")
    typer.echo("Put the address of the service in front; it is not shown again:")
    typer.echo(path)


def told(facts: "OperatorFacts") -> dict[str, Any]:
    """An operator as JSON, as the API tells it."""
    from service.commands.keys import moment

    shown = {name: value for name, value in vars(facts).items() if name != "version"}
    return {name: moment(value) if isinstance(value, datetime) else value for name, value in shown.items()}


def state_of(facts: "OperatorFacts") -> str:
    """Whether the operator can sign in."""
    if facts.ended_at is not None:
        return "ended"
    if facts.has_password or facts.issuer:
        return "active"
    return "invited" if facts.invited_until else "link ended"
