"""models show|verify|make|install: bundles as files; no database is opened."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from service.commands.options import AsJson

if TYPE_CHECKING:
    from embedding.bundle import Bundle

Place = Annotated[
    Path | None,
    typer.Argument(exists=True, file_okay=False, help="A bundle's folder; by default the one in use."),
]


def above_zero(values: tuple[float, ...]) -> tuple[float, ...]:
    """Refuse what cannot divide."""
    if not all(value > 0 for value in values):
        raise typer.BadParameter("every number must be greater than 0")
    return values


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


BUNDLE_COMMANDS: tuple[Callable[..., None], ...] = (show, verify, make, install)
