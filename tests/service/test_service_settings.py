"""Settings as operators give them: in the environment, and secrets in files."""

from pathlib import Path

import pytest

from service.commands.opening import read_settings
from service.errors import StartRefused
from service.template_keys import TemplateKeys

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture(autouse=True)
def _away_from_any_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_template_key_may_stand_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    monkeypatch.setenv("INVIGIL_TEMPLATE_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("INVIGIL_TEMPLATE_KEY", "")

    settings = read_settings()

    assert settings.template_key is not None
    assert settings.template_key.get_secret_value() == KEY
    assert TemplateKeys(settings).cipher() is not None


def test_the_address_of_the_database_may_stand_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@h/d")
    monkeypatch.setenv("INVIGIL_DATABASE_URL_FILE", str(tmp_path / "url"))

    assert read_settings().database == "postgresql://u:p@h/d"


@pytest.mark.parametrize(
    ("content", "also", "complaint"),
    [
        (None, "", "INVIGIL_TEMPLATE_KEY_FILE: key cannot be read (No such file or directory)"),
        ("\n", "", "INVIGIL_TEMPLATE_KEY_FILE: key is empty"),
        (KEY, KEY, "INVIGIL_TEMPLATE_KEY and INVIGIL_TEMPLATE_KEY_FILE are both set: one of them is enough"),
    ],
)
def test_a_file_without_a_secret_ends_the_start_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, also: str, complaint: str
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    monkeypatch.setenv("INVIGIL_TEMPLATE_KEY_FILE", "key")
    monkeypatch.setenv("INVIGIL_TEMPLATE_KEY", also)

    with pytest.raises(StartRefused) as refused:
        read_settings()

    assert str(refused.value) == complaint


def test_folders_for_jobs_are_parted_by_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVIGIL_JOB_FOLDERS", "/faces:/srv/more")

    settings = read_settings()

    assert settings.readable_folders == (Path("var"), Path("/faces"), Path("/srv/more"))
