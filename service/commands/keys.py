"""keys create|list|revoke."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from service.access.scopes import Scope
from service.commands.options import AsJson

if TYPE_CHECKING:
    from service.access.keys import KeyFacts, Keys

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")

ACTOR = "invigil keys"
PAGE = 200


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for; shown in lists and in the audit trail.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for several.")],
    expires_in_days: Annotated[
        float | None, typer.Option(min=0.001, help="The key ends after so many days; by default it does not.")
    ] = None,
    session: Annotated[UUID | None, typer.Option(help="Bind a kiosk's key to one exam session.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once, alone on the last line; only its hash is kept."""
    from service.access.keys import Keys
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json

    expires_at = None if expires_in_days is None else datetime.now(UTC) + timedelta(days=expires_in_days)
    with open_database(read_settings()) as database:
        facts, text = Keys(database).create(
            name, scope, actor=ACTOR, session_id=session, expires_at=expires_at
        )
    if as_json:
        show_json(told(facts) | {"key": text})
        return
    typer.echo(f"Key {facts.prefix} ({facts.id}) for {', '.join(facts.scopes)}. It is not shown again:")
    typer.echo(text)


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List all keys, without their secrets."""
    from service.access.keys import Keys
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table

    with open_database(read_settings()) as database:
        found = all_keys(Keys(database))
    if as_json:
        show_json({"items": [told(key) for key in found]})
        return
    show_table(
        ("id", "prefix", "name", "scopes", "expires", "last used", "state"),
        (
            (
                key.id,
                key.prefix,
                key.name,
                " ".join(key.scopes),
                key.expires_at,
                key.last_used_at,
                state_of(key),
            )
            for key in found
        ),
    )


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, or its prefix (what stands before the dot).")],
    as_json: AsJson = False,
) -> None:
    """End a key at once, in every process."""
    from service.access.keys import Keys
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.logs import configure_logs
    from service.trail.anchoring import note_now

    configure_logs()
    settings = read_settings()
    with open_database(settings) as database:
        keys = Keys(database)
        facts = keys.revoke(id_of(key, keys), actor=ACTOR)
        note_now(settings, database)
    if as_json:
        show_json(told(facts))
    else:
        typer.echo(f"Key {facts.prefix} ({facts.name}) is revoked.")


def id_of(text: str, keys: "Keys") -> UUID:
    """The id of a key that is named by its id or its prefix."""
    for facts in all_keys(keys):
        if text in (str(facts.id), facts.prefix):
            return facts.id
    raise typer.BadParameter(f"there is no key {text!r}", param_hint="KEY")


def all_keys(keys: "Keys") -> "list[KeyFacts]":
    """Every key, page by page."""
    found = page = keys.page(PAGE)
    while len(page) == PAGE:
        page = keys.page(PAGE, page[-1].id)
        found = found + page
    return found


def told(facts: "KeyFacts") -> dict[str, Any]:
    """A key as JSON, as the API tells it."""
    return {
        "id": facts.id,
        "prefix": facts.prefix,
        "name": facts.name,
        "scopes": [str(scope) for scope in facts.scopes],
        "session_id": facts.session_id,
        "not_before": moment(facts.not_before),
        "expires_at": moment(facts.expires_at),
        "created_at": moment(facts.created_at),
        "last_used_at": moment(facts.last_used_at),
        "revoked_at": moment(facts.revoked_at),
    }


def moment(at: datetime | None) -> str | None:
    """RFC 3339, or nothing."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def state_of(facts: "KeyFacts") -> str:
    """Whether the key is of use now."""
    now = datetime.now(UTC)
    if facts.revoked_at is not None:
        return "revoked"
    return "expired" if facts.expires_at is not None and facts.expires_at <= now else "valid"
