"""models list|show|verify|make|install|register|promote|rollback."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from embedding.bundle import Bundle
    from index.models import Models
    from index.promotion import Switched
    from service.promoting import Switches

ACTOR = "invigil models"
app = typer.Typer(no_args_is_help=True, help="Model bundles: which there are, whether they are whole.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Place = Annotated[
    Path | None,
    typer.Argument(exists=True, file_okay=False, help="A bundle's folder; by default the one in use."),
]


def above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse what cannot divide."""
    if not all(value > 0 for value in values):
        raise typer.BadParameter("every number must be greater than 0")
    return values


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """List the models that this installation knows."""
    from index.models import Models
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


@app.command()
def show(bundle: Place = None, as_json: AsJson = False) -> None:
    """Say what a bundle is: its model, where it comes from, and which error rates it can promise."""
    from service.commands.showing import show_json

    opened = bundle_at(bundle)
    facts = facts_of(opened)
    if as_json:
        show_json(facts)
        return
    for name in ("name", "model_id", "path", "dim", "created", "manifest_sha256"):
        typer.echo(f"{name:16} {facts[name]}")
    for name, text in facts["provenance"].items():
        if text:
            typer.echo(f"{name:16} {text}")
    show_rates(opened)


@app.command()
def verify(bundle: Place = None, as_json: AsJson = False) -> None:
    """Check every digest of a bundle, load its networks and run its self-test on this machine."""
    from embedding.embedder import Embedder
    from service.commands.opening import read_settings
    from service.commands.showing import show_json

    opened = Embedder.open(bundle or read_settings().bundle).bundle
    if as_json:
        show_json({"whole": True} | facts_of(opened))
    else:
        typer.echo(
            f"{opened.manifest.name} is whole, and its self-test passes on this machine: {opened.model_id}"
        )


@app.command()
def make(
    embedder: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="ONNX: an aligned 112×112 face in, one vector out."),
    ],
    to: Annotated[Path, typer.Option(file_okay=False, help="The bundle's folder; one there is replaced.")],
    dim: Annotated[int, typer.Option(min=1, help="Length of its vector.")] = 128,
    layout: Annotated[Literal["NCHW", "NHWC"], typer.Option(help="Its order of axes.")] = "NCHW",
    channels: Annotated[Literal["RGB", "BGR"], typer.Option(help="Its order of colours.")] = "RGB",
    mean: Annotated[
        tuple[float, float, float], typer.Option(help="Subtracted from its pixels, which are 0 to 255.")
    ] = (127.5, 127.5, 127.5),
    std: Annotated[
        tuple[float, float, float], typer.Option(help="Divides what is left.", callback=above_zero)
    ] = (127.5, 127.5, 127.5),
    name: Annotated[str | None, typer.Option(help="By default that of the folder.")] = None,
    provenance: Annotated[str, typer.Option(help="Where the network comes from, and its terms.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a bundle of somebody else's embedding network and Invigil's detector."""
    from embedding.bundle import SHIPPED, Bundle, write_bundle
    from embedding.manifest import PixelInput, Provenance
    from service.commands.showing import show_json

    shipped = Bundle.load(SHIPPED)
    made = write_bundle(
        to,
        name=name or to.resolve().name.lower(),
        detector=shipped.detector,
        embedder=embedder,
        dim=dim,
        embedder_input=PixelInput(layout=layout, channels=channels, mean=mean, std=std),
        normalised=False,
        provenance=Provenance(embedder=provenance, detector=shipped.manifest.provenance.detector),
    )
    if as_json:
        show_json(facts_of(made))
    else:
        typer.echo(f"{made.path}: {made.model_id}. Next: invigil calibrate --bundle {made.path} --everyone …")


@app.command()
def install(
    source: Annotated[
        str, typer.Argument(help="A bundle's folder or archive, or the address of an archive.")
    ],
    sha256: Annotated[
        str | None,
        typer.Option(help="Digest of the archive, or of a folder's manifest.json; an address needs it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy a verified bundle into INVIGIL_DATA_DIR/bundles.

    Nothing is fetched unless SOURCE is an address.
    """
    from embedding.installation import install as install_bundle
    from service.commands.opening import read_settings
    from service.commands.showing import show_json

    installed = install_bundle(source, read_settings().data_dir / "bundles", sha256)
    if as_json:
        show_json(facts_of(installed))
        return
    typer.echo(f"{installed.manifest.name} is installed: {installed.model_id}")
    typer.echo(f"To use it from the start: INVIGIL_BUNDLE={installed.path}")
    typer.echo(f"To change to it later: invigil models register {installed.path}, then promote")


@app.command()
def register(
    bundle: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A bundle's folder.")],
    as_json: AsJson = False,
) -> None:
    """Make a bundle known as a candidate; a retraining does it by itself."""
    from embedding.embedder import Embedder
    from index.models import Models
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
    as_json: AsJson = False,
) -> None:
    """Make a candidate the active model. Running services follow by themselves.

    Its templates of kept crops are made first; stopped, the same command goes on from there.
    """
    if override is not None and not 3 <= len(override.strip()) <= 500:
        raise typer.BadParameter("a reason has 3 to 500 characters", param_hint="--override")
    switch(lambda switches, models: switches.promote(one_named(models, model_id), override), as_json)


@app.command()
def rollback(as_json: AsJson = False) -> None:
    """Return to the model that the active one replaced, with everybody who was enrolled since."""
    switch(lambda switches, models: switches.rollback(), as_json)


def switch(how: "Callable[[Switches, Models], Switched]", as_json: bool) -> None:
    """Switch to another model, with a progress bar while its templates are made, and say what was done."""
    from index.models import Models
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json
    from service.logs import configure_logs
    from service.parts import cipher_of
    from service.promoting import Switches

    configure_logs()  # what is logged must not stand between the words of an answer
    settings = read_settings()
    with open_database(settings) as database, crops_bar() as progress:
        switches = Switches(settings, database, cipher_of(settings), actor=ACTOR, progress=progress)
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


@contextmanager
def crops_bar() -> Iterator[Callable[[int, int], None]]:
    """A live line on stderr while templates are made."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("Making templates", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def bundle_at(place: Path | None) -> "Bundle":
    """The bundle in a folder, or the one that the settings name."""
    from embedding.bundle import Bundle
    from service.commands.opening import read_settings

    return Bundle.load(place or read_settings().bundle)


def facts_of(bundle: "Bundle") -> dict[str, Any]:
    """A bundle as JSON: its manifest without the long curve, and what follows from it."""
    import hashlib

    from embedding.bundle import MANIFEST

    manifest = bundle.manifest.model_dump(
        mode="json", exclude={"calibration": {"curve"}, "self_test": {"vector"}}
    )
    return {
        "model_id": bundle.model_id,
        "path": str(bundle.path),
        "dim": bundle.dim,
        "manifest_sha256": hashlib.sha256((bundle.path / MANIFEST).read_bytes()).hexdigest(),
        **manifest,
    }


def show_rates(bundle: "Bundle") -> None:
    """Print the operating points of a bundle's calibration, with what they rest on."""
    from service.commands.showing import show_table

    calibration = bundle.manifest.calibration
    if calibration is None:
        typer.echo("It has no calibration: no decision can be made with it.")
        return
    typer.echo(
        f"{'calibration':16} {calibration.id}: {calibration.identities:,} people, "
        f"{calibration.non_mated:,} non-mated and {calibration.mated:,} mated comparisons; "
        f"smallest FMR {calibration.smallest_fmr:.3g}"
    )
    show_table(
        ("FMR", "threshold d", "95 % interval", "FNMR"),
        (
            (
                f"{target.fmr:g}",
                f"{target.threshold:.4f}",
                f"{target.threshold_interval[0]:.4f} to {target.threshold_interval[1]:.4f}",
                f"{target.fnmr:.4f}",
            )
            for target in calibration.targets
        ),
    )
