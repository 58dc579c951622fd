"""verify, compare and search from the command line: answers, exit statuses, one JSON document."""

from collections.abc import Mapping

import pytest
from fixtures_cli import CommandLine

DECISION_KEYS = {
    "decision",
    "d",
    "threshold",
    "fmr",
    "subject_id",
    "template_id",
    "probe_quality",
    "model_id",
    "calibration",
    "timings_ms",
    "request_id",
}


@pytest.fixture(scope="module")
def probes(
    enrolled_cli: CommandLine,
    astronaut_variants: Mapping[str, bytes],
    stranger_jpeg: bytes,
    faceless_pictures: Mapping[str, bytes],
) -> CommandLine:
    pictures = {
        "same.jpg": astronaut_variants["mirrored"],
        "stranger.jpg": stranger_jpeg,
        "cup.jpg": faceless_pictures["coffee"],
        "broken.jpg": stranger_jpeg[:2000],
        "animation.jpg": b"GIF89a" + bytes(100),
    }
    for name, picture in pictures.items():
        (enrolled_cli.folder / name).write_bytes(picture)
    return enrolled_cli


def test_a_match_is_status_0_and_one_json_document(probes: CommandLine) -> None:
    ended = probes.run("verify", "s-1001", "same.jpg", "--json")

    decision = ended.document
    assert ended.status == 0
    assert decision["decision"] == "match"
    assert set(decision) >= DECISION_KEYS
    assert decision["d"] <= decision["threshold"]["match"] < decision["threshold"]["refer"]
    assert decision["fmr"]["match"] == 1e-4
    assert decision["subject_id"] is not None


def test_a_stranger_is_status_1_and_the_decision_is_still_printed(probes: CommandLine) -> None:
    ended = probes.run("verify", "s-1001", "stranger.jpg", "--json")

    assert ended.status == 1
    assert ended.document["decision"] != "match"
    assert ended.document["d"] > ended.document["threshold"]["match"]


def test_people_read_the_decision_with_its_error_rate(probes: CommandLine) -> None:
    ended = probes.run("verify", "s-1001", "same.jpg")

    assert ended.status == 0
    assert ended.stdout.startswith("MATCH  same.jpg against s-1001\n")
    assert "FMR 0.0001" in ended.stdout
    assert "strangers would be this near" in ended.stdout


@pytest.mark.parametrize(("other", "status"), [("same.jpg", 0), ("stranger.jpg", 1)])
def test_two_pictures_are_compared_without_a_database(
    cli: CommandLine, probes: CommandLine, other: str, status: int
) -> None:
    portrait = probes.folder / "photos" / "s-1001" / "portrait.jpg"

    ended = cli.run("compare", portrait, probes.folder / other, "--json")

    assert ended.status == status
    assert (ended.document["decision"] == "match") is (status == 0)
    assert ended.document["reference_quality"]["acceptable"] is True
    assert list(cli.folder.iterdir()) == []


def test_a_search_names_the_person(probes: CommandLine) -> None:
    found = probes.run("search", "same.jpg", "-k", "3", "--json")
    shown = probes.run("search", "same.jpg")

    assert found.status == shown.status == 0
    assert [match["decision"] for match in found.document["matches"]] == ["match"]
    assert "s-1001" in shown.stdout
    assert found.document["matches"][0]["subject_id"] in shown.stdout


def test_a_search_that_finds_nobody_is_an_answer_and_no_error(probes: CommandLine) -> None:
    # At one in ten thousand the stranger is nobody who is enrolled.
    strict = {"INVIGIL_REFER_FMR": "1e-4"}

    found = probes.run("search", "stranger.jpg", "--json", **strict)
    shown = probes.run("search", "stranger.jpg", **strict)

    assert (found.status, found.document["matches"]) == (0, [])
    assert shown.status == 0
    assert "Nobody" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["compare", "photos/s-1001/portrait.jpg", "cup.jpg"], "cup.jpg: No face was found in the picture."),
        (["compare", "broken.jpg", "same.jpg"], "broken.jpg: The picture cannot be decoded"),
        (["verify", "s-1001", "animation.jpg"], "animation.jpg: The bytes are not a JPEG, PNG, WebP or BMP"),
        (["verify", "nobody", "same.jpg"], "There is no subject ext:nobody."),
        (["verify", "s-1001", "absent.jpg"], "Invalid value for 'photo': file 'absent.jpg' does not exist"),
        (["verify", "s-1001"], "Missing argument 'photo'"),
        (["search", "same.jpg", "-k", "0"], "Invalid value for '-k'"),
        (["compare", "same.jpg", "same.jpg", "--score"], "No such option: --score"),
        (["verifiy", "s-1001", "same.jpg"], "No such command 'verifiy'. Did you mean 'verify'?"),
    ],
)
def test_a_wrong_call_is_status_2_and_one_line_on_stderr(
    probes: CommandLine, arguments: list[str], complaint: str
) -> None:
    ended = probes.run(*arguments, "--json")

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)
