"""serve and openapi."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; by default INVIGIL_HOST, or this machine only.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="By default INVIGIL_PORT, or 8000.")
    ] = None,
) -> None:
    """Serve the API and the pages; the database is upgraded first."""
    import uvicorn

    from service.commands.opening import prepare_to_serve, read_settings

    settings = read_settings()
    first_key = prepare_to_serve(settings)
    if first_key is not None:
        typer.echo("This database had no API key. Here is one for everything; it is not shown again:")
        typer.echo(first_key)
    uvicorn.run(
        "service.app:from_environment",
        factory=True,
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=settings.workers,
        # The service logs each request itself, with ids instead of paths.
        log_config=None,
        access_log=False,
        server_header=False,
    )


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
