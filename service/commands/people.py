"""verify, compare, search: a picture and a question."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.commands.options import AsJson

if TYPE_CHECKING:
    from embedding.calibration import Calibration
    from service.decisions.decision import Decision

Photo = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="A JPEG, PNG, WebP, BMP or HEIC picture.")
]


def verify(
    external_id: Annotated[str, typer.Argument(help="Who the person claims to be.")],
    photo: Photo,
    as_json: AsJson = False,
) -> None:
    """Is this the person enrolled under EXTERNAL_ID?

    Exit status 1 without a match.
    """
    from index.subjects.subjects import ExternalId
    from service.commands.parts import embed_file, open_parts
    from service.matching.comparisons import verify_probe

    with open_parts() as parts:
        subject = parts.subjects.find(ExternalId(external_id))
        model = parts.serving.model_of(subject.id)
        decision = verify_probe(parts, model, subject.id, embed_file(model.embedder, photo))
        show(decision, model.calibration, f"{photo} against {external_id}", as_json)


def compare(photo_a: Photo, photo_b: Photo, as_json: AsJson = False) -> None:
    """Do two pictures show the same person?

    Nothing is stored and no database is needed. Exit status 1 without a match.
    """
    from embedding.embedder import Embedder
    from service.commands.opening import read_settings
    from service.commands.parts import embed_file
    from service.logs import configure_logs
    from service.matching.comparisons import decide_between
    from service.models.loaded import policy_of_settings

    configure_logs()
    settings = read_settings()
    opened = Embedder.open(settings.bundle, settings.image_limits, threads=settings.picture_workers)
    embedder = opened.with_face_policies(settings.face_policies)
    policy = policy_of_settings(embedder, settings)
    decision = decide_between(policy, embed_file(embedder, photo_a), embed_file(embedder, photo_b))
    show(decision, policy.calibration, f"{photo_a} against {photo_b}", as_json)


def explain(
    photo_a: Photo,
    photo_b: Photo,
    picture: Annotated[
        Path, typer.Option(dir_okay=False, help="Where both faces are drawn, as PNG: blue near, orange far.")
    ] = Path("explanation.png"),
    as_json: AsJson = False,
) -> None:
    """Which places of two faces made them near or far?

    Each of 49 cells is covered in turn: what d gains is how much the cell brought the two nearer. Nothing is
    stored and no database is needed.
    """
    from embedding.embedder import Embedder
    from embedding.explaining import draw_maps, explain_by_occlusion
    from embedding.image import encode_png
    from embedding.template import distance
    from service.commands.opening import read_settings
    from service.commands.parts import embed_file
    from service.commands.showing import show_json
    from service.decisions.explanation import Explanation, describe_places
    from service.logs import configure_logs

    configure_logs()
    settings = read_settings()
    opened = Embedder.open(settings.bundle, settings.image_limits, threads=settings.picture_workers)
    embedder = opened.with_face_policies(settings.face_policies)
    a, b = embed_file(embedder, photo_a), embed_file(embedder, photo_b)
    maps = [
        explain_by_occlusion(embedder.embed_crops, one.crop, other.template.vector)
        for one, other in ((a, b), (b, a))
    ]
    picture.write_bytes(encode_png(draw_maps([a.crop, b.crop], maps)))
    d = distance(a.template, b.template)
    explained = Explanation(d=d, a=maps[0].tolist(), b=maps[1].tolist(), picture=str(picture))
    if as_json:
        show_json(explained)
        return
    typer.echo(f"d = {d:.3f}; drawn in {picture}")
    for name, cells in ((photo_a, maps[0]), (photo_b, maps[1])):
        typer.echo(f"{name}: {describe_places(cells)}")


def search(
    photo: Photo,
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Show at most this many people.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Who is this? Nobody is a possible answer.

    Lists the enrolled people who are near enough, nearest first.
    """
    from service.commands.parts import embed_file, open_parts
    from service.commands.showing import show_json, show_table
    from service.matching.comparisons import name_matches, search_probe

    with open_parts() as parts:
        found = name_matches(parts, search_probe(parts, embed_file(parts.embedder, photo), k))
        if as_json:
            show_json(found)
            return
        if found.not_searched:
            typer.echo(
                f"{found.not_searched} templates cannot be opened and were not searched: invigil db check",
                err=True,
            )
        if not found.matches:
            typer.echo(
                f"Nobody in the gallery is within d = {found.threshold.refer:.3f} (FMR {found.fmr.refer:g})."
            )
            return
        show_table(
            ("external id", "name", "d", "decision", "subject"),
            (
                (match.external_id, match.display_name, f"{match.d:.3f}", match.decision, match.subject_id)
                for match in found.matches
            ),
        )


def show(decision: "Decision", calibration: "Calibration", question: str, as_json: bool) -> None:
    """Print a decision; anything but a match ends the command with status 1."""
    from service.commands.decisions import show_decision
    from service.commands.showing import show_json
    from service.decisions.decision import Outcome

    if as_json:
        show_json(decision)
    else:
        show_decision(decision, calibration, question)
    if decision.decision is not Outcome.MATCH:
        raise typer.Exit(1)
