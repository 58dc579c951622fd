"""Operators from the command line, and what a first start prints."""

from collections.abc import Callable

import pytest
from fixtures_cli import CommandLine
from fixtures_operators import PASSWORD

from index.database.database import Database
from service.access.invitations import Invitations
from service.access.keys import Keys
from service.access.passwords import Passwords
from service.access.scopes import Scope
from service.commands.serving import First, address_of, announce, prepare
from service.settings import Settings

ADA = ("--login", "ada", "--name", "Ada Keller", "--role", "auditor")


def test_the_link_of_an_invitation_stands_alone_on_the_last_line(cli: CommandLine) -> None:
    made = cli.run("operators", "create", *ADA)

    link = made.stdout.splitlines()[-1]
    assert made.status == 0
    assert link.startswith("/console#/join/")
    shown = cli.run("operators", "list")
    assert "Ada Keller" in shown.stdout
    assert "invited" in shown.stdout
    assert link.rpartition("/")[2] not in shown.stdout


def test_an_operator_is_invited_again_reset_and_ended(cli: CommandLine) -> None:
    first = cli.run("operators", "create", *ADA, "--json").document

    again = cli.run("operators", "invite", "ADA", "--json").document
    reset = cli.run("operators", "reset", first["id"], "--json").document
    ended = cli.run("operators", "end", "ada", "--json").document
    refused = cli.run("operators", "reset", "ada")

    assert len({one["link"] for one in (first, again, reset)}) == 3
    assert {one["id"] for one in (first, again, reset, ended)} == {first["id"]}
    assert ended["ended_at"] is not None
    assert (refused.status, refused.stdout) == (2, "")
    assert "has been ended" in refused.complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["create", "--login", "x", "--name", "X", "--role", "boss"], "Invalid value for '--role'"),
        (["create", "--login", " ", "--name", "X", "--role", "auditor"], "Invalid value for --login"),
        (["end", "nobody"], "Invalid value for WHO: there is no operator 'nobody'"),
    ],
)
def test_a_wrong_call_is_one_line(cli: CommandLine, arguments: list[str], complaint: str) -> None:
    ended = cli.run("operators", *arguments)

    assert (ended.status, ended.stdout) == (2, "")
    assert ended.complaint.startswith(complaint)


class TestTheFirstStart:
    @pytest.fixture
    def settings(self, settings_for: Callable[..., Settings]) -> Settings:
        return settings_for()

    def test_it_prints_a_link_and_a_key_once(
        self, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first, second = prepare(settings), prepare(settings)

        announce(first, address_of("0.0.0.0", 8000))
        printed = capsys.readouterr().out.splitlines()
        assert printed[-1] == first.key
        assert f"http://127.0.0.1:8000/console#/join/{first.token}" in printed
        assert second == First(None, None)
        announce(second, "")
        assert capsys.readouterr().out == ""

    def test_once_there_is_an_administrator_it_prints_nothing(self, settings: Settings) -> None:
        token = prepare(settings).token
        database = Database(settings.database)
        Invitations(database, Passwords()).accept(token or "", PASSWORD, name="Ada", login="ada")
        with database.write() as db:
            db.connection().exec_driver_sql("DELETE FROM api_key")
        database.close()

        assert prepare(settings) == First(None, None)

    def test_where_there_was_a_key_before_it_prints_the_link_alone(self, settings: Settings) -> None:
        database = Database(settings.database)
        database.upgrade()
        Keys(database).create("machine", [Scope.VERIFY], actor="test")
        database.close()

        first = prepare(settings)

        assert first.key is None
        assert first.token is not None
