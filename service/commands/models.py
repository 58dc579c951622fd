"""models list|register|promote|rollback: what the database knows; with the commands for bundles as files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.bundles import BUNDLE_COMMANDS
from service.commands.forcing import Force, Reason, forced_because
from service.commands.options import AsJson

if TYPE_CHECKING:
    from index.models.models import Models
    from index.models.promotion import SwitchResult
    from service.models.promotion import Switches

ACTOR = "invigil models"
app = typer.Typer(no_args_is_help=True, help="Model bundles: which there are, whether they are whole.")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models that this installation knows."""
    from index.models.models import Models
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table

    with open_database(read_settings()) as database:
        found = Models(database).all()
    if as_json:
        show_json(
            {
                "items": [
                    {
                        "id": model.id,
                        "name": model.name,
                        "dim": model.dim,
                        "state": model.state,
                        "calibration_id": model.calibration_id,
                        "location": model.location,
                    }
                    for model in found
                ]
            }
        )
        return
    show_table(
        ("id", "name", "dim", "state", "calibration"),
        ((model.id, model.name, model.dim, model.state, model.calibration_id) for model in found),
    )


for command in BUNDLE_COMMANDS:
    app.command()(command)


@app.command()
def register(
    bundle: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A bundle's folder.")],
    as_json: AsJson = False,
) -> None:
    """Make a bundle known as a candidate; a retraining does it by itself."""
    from embedding.embedder import Embedder
    from index.models.models import Models
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json

    opened = Embedder.open(bundle).bundle
    with open_database(read_settings()) as database:
        model = Models(database).register_bundle(opened, actor=ACTOR)
    if as_json:
        show_json({"id": model.id, "state": model.state, "location": model.location})
    else:
        typer.echo(f"{model.name} is registered ({model.state}): {model.id}")


@app.command()
def promote(
    model_id: Annotated[str, typer.Argument(help="The model's id, or its beginning.")],
    override: Annotated[
        str | None, typer.Option(help="Why, where it is worse or was not compared; audited.")
    ] = None,
    force: Force = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a candidate the active model. Running services follow by themselves.

    Its templates of kept crops are made first; stopped, the same command goes on from there.
    """
    if override is not None and not 3 <= len(override.strip()) <= 500:
        raise typer.BadParameter("a reason has 3 to 500 characters", param_hint="--override")
    how = partial(promote_named, start=model_id, override=override)
    switch(how, as_json, "A promotion", forced_because(force, reason))


@app.command()
def rollback(force: Force = False, reason: Reason = None, as_json: AsJson = False) -> None:
    """Return to the model that the active one replaced, with everybody who was enrolled since."""
    switch(lambda switches, models: switches.rollback(), as_json, "A rollback", forced_because(force, reason))


def promote_named(switches: "Switches", models: "Models", start: str, override: str | None) -> "SwitchResult":
    """Promote the one model whose id begins like this."""
    return switches.promote(one_named(models, start), override)


def switch(
    how: "Callable[[Switches, Models], SwitchResult]", as_json: bool, what: str, forced: str | None
) -> None:
    """Switch to another model, with a progress bar while its templates are made, and say what was done."""
    from index.audit import Origin
    from index.models.models import Models
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import progress_bar, show_json
    from service.exams.guard import By, note_override, refuse_while_open
    from service.logs import configure_logs
    from service.models.promotion import Switches
    from service.template_keys import TemplateKeys

    configure_logs()  # what is logged must not stand between the words of an answer
    settings = read_settings()
    with open_database(settings) as database, progress_bar("Making templates") as progress:
        cipher = TemplateKeys(settings).cipher()
        sessions = refuse_while_open(database, what, forced)
        note_override(database, what, By(Origin(ACTOR), forced), sessions)
        switches = Switches(settings, database, cipher, actor=ACTOR, progress=progress)
        done = how(switches, Models(database))
    if as_json:
        show_json(
            {
                "id": done.model.id,
                "reembedded": done.reembedded,
                "without_template": [str(one) for one in done.without_template],
            }
        )
        return
    typer.echo(f"{done.model.name} is the active model: {done.model.id}")
    typer.echo(f"{done.reembedded:,} templates were made of kept crops.")
    if done.without_template:
        typer.echo(
            f"{len(done.without_template):,} subjects have none of this model; they are verified with a "
            "former one until they are enrolled again (--json lists them)."
        )


def one_named(models: "Models", start: str) -> str:
    """The id of the one model whose id begins like this.

    Raises:
        ModelNotFound: If there is none, or more than one.
    """
    from index.errors import ModelNotFound

    found = [model.id for model in models.all() if model.id.startswith(start)]
    if len(found) != 1:
        raise ModelNotFound(start if not found else f"{start}… alone: {len(found)} begin like this")
    return found[0]
