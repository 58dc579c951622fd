"""The options of a command that has to wait while a session is open, unless it is forced."""

from typing import Annotated

import typer

SHORTEST_REASON = 3

Force = Annotated[bool, typer.Option("--force", help="Although a session is open; takes --reason.")]
Reason = Annotated[str | None, typer.Option(help="Why it is forced; goes into the audit trail.")]


def forced_because(force: bool, reason: str | None) -> str | None:
    """The reason of a command that is forced, None of one that is not.

    Raises:
        typer.BadParameter: If it is forced without a reason.
    """
    if not force:
        return None
    if reason is None or len(reason.strip()) < SHORTEST_REASON:
        raise typer.BadParameter("say why it is forced", param_hint="--reason")
    return reason.strip()
