"""demo: a throw-away installation with people who do not exist."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import socket

    from service.demo.folder import DemoFolder
    from service.demo.running import Demonstration


def demo(
    folder: Annotated[
        Path, typer.Option(file_okay=False, help="Where it lives; a second run goes on from there.")
    ] = Path("invigil-demo"),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine; 0 takes any.")] = 8000,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw the former demonstration away.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the links as one JSON document, then serve.")
    ] = False,
) -> None:
    """Show everything with made-up people: an exam of today, a filled board, a simulated camera.

    It has a folder, a database and a key of its own; no setting of a real installation is read.
    """
    from service.demo.folder import opened
    from service.demo.running import listen, prepare
    from service.logs import configure_logs

    configure_logs()
    listening = listen(port)
    with listening, opened(folder, is_fresh=fresh) as own:
        make_database(own)
        if own.session_id is None:
            typer.echo("Making 60 people who do not exist, an exam of today and its board …", err=True)
        shown = prepare(own)
        print_links(shown, f"http://127.0.0.1:{listening.getsockname()[1]}", as_json)
        serve_until_stopped(shown, listening)


def make_database(own: "DemoFolder") -> None:
    """Bring the demonstration's tables up to date and make its template key, without a word about it."""
    from index.database.database import Database
    from service.commands.opening import make_data_folder, upgrade_database
    from service.template_keys import TemplateKeys

    make_data_folder(own.settings)
    database = Database(own.settings.database)
    try:
        upgrade_database(own.settings, database)
        TemplateKeys(own.settings).cipher_or_new(database, announce=lambda _: None)
    finally:
        database.close()


def print_links(shown: "Demonstration", base: str, as_json: bool) -> None:
    """Print where to look, and with which key."""
    from service.commands.showing import show_json

    links = shown.links(base)
    if as_json:
        keys = {"admin_key": shown.admin_key, "password": shown.password}
        show_json({**links, **keys, "session_id": str(shown.session_id)})
        return
    typer.echo(
        f"Console  {links['console']}\n"
        f"         sign in as administrator, exam_office, invigilator, registrar or auditor\n"
        f"         with the password {shown.password}\n"
        f"API      key {shown.admin_key}\n"
        f"Board    {links['board']}\n"
        f"Kiosk    {links['kiosk']}\n"
        f"         try {shown.next_candidate}; below the picture, choose who stands before the camera\n"
        "Nobody here exists. Ctrl-C stops it; the same command goes on, with --fresh it begins anew.",
    )


def serve_until_stopped(shown: "Demonstration", listening: "socket.socket") -> None:
    """Serve until Ctrl-C."""
    import uvicorn

    config = uvicorn.Config(
        shown.app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listening])
