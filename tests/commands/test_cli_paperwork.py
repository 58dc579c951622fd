"""The papers of an exam and its report by group, by the command line."""

from datetime import UTC, datetime

from fixtures_cli import CommandLine

from index.database.database import Database
from service.exams.tables import ExamRow

NOW = datetime(2027, 1, 10, 8, tzinfo=UTC)


def add_exam(cli: CommandLine) -> str:
    """An exam as the service leaves it in the database."""
    assert cli.run("db", "upgrade").status == 0
    database = Database(f"sqlite:///{cli.folder / 'var' / 'invigil.db'}")
    try:
        with database.write() as db:
            row = ExamRow(
                name="Chemistry",
                starts_at=NOW,
                ends_at=NOW,
                attempts_allowed=3,
                reason_codes=[],
                keep_probe_thumbnails=False,
                thumbnail_retention_days=30,
                retention_days=180,
            )
            db.add(row)
            db.flush()
            return str(row.id)
    finally:
        database.close()


def test_the_drafts_are_written_once_and_never_over_what_somebody_has_filled_in(cli: CommandLine) -> None:
    exam = add_exam(cli)

    made = cli.run("exams", "paperwork", exam, "--to", "papers", "--language", "pl", "--json")
    notice = cli.folder / "papers" / "notice.pl.md"
    notice.write_text(notice.read_text() + "filled in", encoding="utf-8")
    again = cli.run("exams", "paperwork", exam, "--to", "papers")
    everything = cli.run("exams", "paperwork", exam, "--to", "others")

    assert made.status == 0, made.stderr
    assert len(made.document["files"]) == 5
    assert "Chemistry" in notice.read_text()
    assert again.status == 2
    assert notice.read_text().endswith("filled in")
    assert everything.status == 0
    assert len(list((cli.folder / "others").glob("notice.*.md"))) == 6
    assert len(list((cli.folder / "others").iterdir())) == 10


def test_an_unknown_exam_or_language_is_refused_in_one_line(cli: CommandLine) -> None:
    exam = add_exam(cli)
    nobody = "01890000-0000-7000-8000-000000000000"

    assert cli.run("exams", "paperwork", nobody, "--to", "papers").status == 2
    assert cli.run("exams", "paperwork", exam, "--to", "papers", "--language", "tlh").status == 2
    assert not (cli.folder / "papers").exists()


def test_an_exam_is_reported_by_groups_of_a_file_that_stays_as_it_is(cli: CommandLine) -> None:
    exam = add_exam(cli)
    listed = cli.folder / "groups.csv"
    listed.write_text("external_id,group\n1,left-handed\n")

    made = cli.run("exams", "groups", exam, str(listed), "--json")
    said = cli.run("exams", "groups", exam, str(listed))
    listed.write_text("no list")
    refused = cli.run("exams", "groups", exam, str(listed))

    assert made.document["left_out"] == ["left-handed"]
    assert (made.document["exam_name"], made.document["groups"]) == ("Chemistry", [])
    assert "Left out, fewer than 20 people: left-handed." in said.stdout
    assert refused.status != 0
    assert "external_id and group" in refused.stderr
