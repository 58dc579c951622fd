"""subjects list|rename|erase."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.commands.options import AsJson

if TYPE_CHECKING:
    from index.subjects.listing import Wanted
    from index.subjects.subjects import Subject, Subjects

app = typer.Typer(no_args_is_help=True, help="The people of the gallery: list, rename, erase.")

ACTOR = "invigil subjects"
PAGE = 500
Who = Annotated[str, typer.Argument(help="The external id.")]


@app.command("list")
def list_subjects(
    contains: Annotated[str | None, typer.Argument(help="Part of a name or external id.")] = None,
    without_template: Annotated[bool, typer.Option(help="Only those without a template.")] = False,
    poor: Annotated[
        bool, typer.Option(help="Only those whose pictures would all not be enrolled today.")
    ] = False,
    twins: Annotated[bool, typer.Option(help="Only those enrolled in spite of the same face.")] = False,
    basis_ended: Annotated[
        bool, typer.Option(help="Only those whose legal basis has expired or was withdrawn.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List people, in the order they were added."""
    from index.consent.legal_basis import BasisState
    from index.subjects.listing import Wanted
    from index.subjects.subjects import Subjects
    from service.api.subjects import SubjectDocument
    from service.commands.opening import open_database, read_settings
    from service.commands.showing import show_json, show_table

    wanted = Wanted(
        contains=contains or None,
        has_template=False if without_template else None,
        is_poor=True if poor else None,
        has_twin=True if twins else None,
        bases=(BasisState.EXPIRED, BasisState.WITHDRAWN) if basis_ended else (),
    )
    settings = read_settings()
    with open_database(settings) as database:
        found = read_all(Subjects(database, settings.basis_warning), wanted)
    if as_json:
        show_json({"items": [SubjectDocument.of(one).model_dump(mode="json") for one in found]})
        return
    show_table(
        ("external id", "name", "templates", "newest", "legal basis", "twins", "subject"),
        (
            (
                one.external_id,
                one.display_name,
                f"{one.templates} (poor)" if one.is_poor else one.templates,
                f"{one.enrolled_at:%Y-%m-%d}" if one.enrolled_at else None,
                one.legal_basis_state,
                one.twins or None,
                one.id,
            )
            for one in found
        ),
    )


@app.command()
def rename(
    external_id: Who,
    name: Annotated[str | None, typer.Option(help="The new name.")] = None,
    number: Annotated[str | None, typer.Option(help="The new external id.")] = None,
) -> None:
    """Change the name or the external id of somebody."""
    from index.subjects.subjects import ExternalId, Subjects
    from service.commands.opening import open_database, read_settings

    given: dict[str, Any] = {"display_name": name, "external_id": number}
    given = {field: value for field, value in given.items() if value is not None}
    if not given:
        raise typer.BadParameter("give a new name or a new external id", param_hint="--name, --number")
    with open_database(read_settings()) as database:
        changed = Subjects(database).change(ExternalId(external_id), actor=ACTOR, **given)
    typer.echo(f"{changed.external_id}: {changed.display_name or 'without a name'}.")


@app.command()
def erase(
    external_id: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    despite_hold: Annotated[
        str | None, typer.Option(help="Why somebody on hold is erased all the same.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Erase somebody for good: number, name, templates, kept pictures. Records of check-ins stay.

    A running service forgets the face at its next search.
    """
    from index.subjects.subjects import ExternalId
    from service.api.subjects import Receipt
    from service.commands.parts import open_parts
    from service.commands.showing import show_json
    from service.exams.holds import find_holds_of_person

    with open_parts(reading=True) as parts:
        found = parts.subjects.find(ExternalId(external_id))
        if not yes:
            typer.confirm(f"Erase {external_id} with {found.templates} templates for good?", abort=True)
        receipt = parts.gallery.erase(
            found.id, actor=ACTOR, despite_hold=despite_hold, find_holds=find_holds_of_person
        )
        parts.note_anchor()
    if as_json:
        show_json(Receipt.model_validate(vars(receipt)))
        return
    typer.echo(
        f"Erased: {receipt.templates} templates, {receipt.crops} kept pictures, {receipt.responses} kept "
        f"answers. Receipt: {receipt.subject_id}, event {receipt.audit_seq}."
    )


def read_all(subjects: "Subjects", wanted: "Wanted") -> "list[Subject]":
    """Everybody who is wanted, page after page."""
    from index.subjects.listing import Mark

    found: list[Subject] = []
    while page := subjects.page(wanted, limit=PAGE, after=Mark("", found[-1].id) if found else None):
        found += page
    return found
