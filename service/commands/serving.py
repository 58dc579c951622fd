"""serve and openapi."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.settings import Settings

KEEP_ALIVE_SECONDS = 130
MOST_HEADER_BYTES = 64 * 1024


def serve(
    host: Annotated[str | None, typer.Option(help="By default INVIGIL_HOST, or this machine only.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="By default INVIGIL_PORT, or 8000.")
    ] = None,
) -> None:
    """Serve the API and the pages; the database is upgraded first."""
    import uvicorn

    from service.commands.opening import read_settings
    from service.commands.workers import APPLICATION, serve_together
    from service.http.connections import PromptProtocol
    from service.logs import configure_logs

    configure_logs()
    settings = read_settings()
    announce(prepare(settings), address_of(host or settings.host, settings.port if port is None else port))
    app: FastAPI | str = APPLICATION
    if settings.workers == 1:
        # Loaded here, for a parent of workers needs none of it; opened before uvicorn runs, so that what is
        # wrong ends as one line and not as a traceback.
        from service.app import open_app

        app = open_app(settings)
    config = uvicorn.Config(
        app,
        factory=settings.workers > 1,
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=settings.workers,
        # The service logs each request itself, with ids instead of paths.
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        # h11 alone bounds what one header may take; the other parser takes 250 MB of it.
        http=PromptProtocol,
        # There are none; whoever asks for one is answered over HTTP.
        ws="none",
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
        # Live boards stay open for as long as somebody watches; a stop does not wait for them.
        timeout_graceful_shutdown=5,
        # Longer than a proxy keeps an idle connection (Caddy: 2 minutes, nginx: 1). Whoever closes first must
        # be the one who sends the next request, or that request meets a closed connection: 502 for a POST.
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    if settings.workers == 1:
        uvicorn.Server(config).run()
    else:
        serve_together(config)


@dataclass(frozen=True)
class First:
    """What a new installation is opened with, each for a day.

    Attributes:
        token: Of the link that makes the first administrator; None where there is one, or such a link.
        key: An admin key; None where there has ever been a key, or there is an administrator.
    """

    token: str | None
    key: str | None


def announce(first: First, address: str) -> None:
    """Print once what opens the installation; the key alone on its line."""
    if first.token is not None:
        typer.echo(
            "Nobody can sign in yet. This link makes the first administrator; it works once, for 24 hours "
            "(behind a proxy, put its address in front):"
        )
        typer.echo(f"{address}/console#/join/{first.token}")
    if first.key is not None:
        typer.echo(
            "This database had no API key. Here is one for everything, for 24 hours; it is not shown again "
            "(`invigil keys create --name N --scope admin` makes another):"
        )
        typer.echo(first.key)


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds the service; nothing where the port is not known yet."""
    if port == 0:
        return ""
    name = "127.0.0.1" if host in ("", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}"


def prepare(settings: "Settings") -> First:
    """Upgrade the database, make the template key, and what a new installation is opened with.

    Raises:
        SessionOpen: If there is something to upgrade while a session is open.
        StartRefused: If there is no template key and none may be made.
        AnchorInvalid: If the anchor was changed.
        DatabaseError: If the database cannot be reached or written.
    """
    from index.database.database import Database
    from service.access.invitations import Invitations
    from service.access.keys import Keys
    from service.access.operators import Operators
    from service.access.passwords import Passwords
    from service.commands.opening import make_data_folder, upgrade_database
    from service.template_keys import TemplateKeys
    from service.trail.anchoring import Anchoring

    make_data_folder(settings)
    database = Database(settings.database)
    try:
        upgrade_database(settings, database)
        cipher = TemplateKeys(settings).cipher_or_new(database, announce=typer.echo)
        # Before it is asked who is there, and before a link is made that it would end.
        Anchoring.of(settings, database, cipher).settle_return()
        if Operators(database).has_administrator():
            return First(None, None)
        link = Invitations(database, Passwords()).create_first()
        return First(link.token if link else None, Keys(database).create_first())
    finally:
        database.close()


def openapi(
    target: Annotated[
        Path | None, typer.Argument(dir_okay=False, help="Where to write it; by default stdout.")
    ] = None,
) -> None:
    """Write the OpenAPI document of the service."""
    from service.openapi import document

    if target is None:
        typer.echo(document(), nl=False)
    else:
        target.write_text(document(), encoding="utf-8")
