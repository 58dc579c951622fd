"""The command line as a script meets it: a program with arguments, a folder and an exit status."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cli_worker
import pytest
from processes import quick_processes

SECONDS = 240


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def complaint(self) -> str:
        """The one line on stderr of a refused call."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        return lines[0].removeprefix("invigil: ")


class Running:
    """A command that has been started; a real process, forked from one that has imported everything."""

    def __init__(self, arguments: list[str], folder: Path, environment: Mapping[str, str]) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="invigil-cli-")
        self.stdout, self.stderr = (Path(self._scratch.name) / name for name in ("stdout", "stderr"))
        self.process = quick_processes().Process(
            target=cli_worker.become, args=(arguments, folder, environment, self.stdout, self.stderr)
        )
        self.process.start()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGINT)

    def ended(self) -> Ended:
        """Wait for the end."""
        self.process.join(SECONDS)
        status = self.process.exitcode
        assert status is not None, "the command did not end"
        ended = Ended(status, self.stdout.read_text(), self.stderr.read_text())
        self._scratch.cleanup()
        return ended


@dataclass(frozen=True)
class CommandLine:
    """Runs `invigil` in a folder of its own, with a database of its own."""

    folder: Path
    bundle: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        """The environment without anybody else's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INVIGIL_")}
        own = {"INVIGIL_BUNDLE": str(self.bundle), "COLUMNS": "200"}
        return {**kept, **own, **self.settings, **settings}

    def start(self, *arguments: str | Path, **settings: str) -> Running:
        """Start one command."""
        return Running([str(one) for one in arguments], self.folder, self.environment(settings))

    def run(self, *arguments: str | Path, **settings: str) -> Ended:
        """Run one command to its end."""
        return self.start(*arguments, **settings).ended()

    def run_afresh(self, *arguments: str | Path, **settings: str) -> Ended:
        """Run one command in a new interpreter, as a shell does; it takes its time to import."""
        ended = subprocess.run(
            [sys.executable, "-m", "invigil", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(settings),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def cli(tmp_path: Path, shipped_bundle: Path) -> CommandLine:
    """The program in an empty folder, without a database yet."""
    return CommandLine(tmp_path, shipped_bundle)


@pytest.fixture(scope="module")
def enrolled_cli(
    tmp_path_factory: pytest.TempPathFactory, shipped_bundle: Path, astronaut_jpeg: bytes
) -> CommandLine:
    """The program with one enrolled person, `s-1001`, for tests that only read."""
    folder = tmp_path_factory.mktemp("enrolled")
    (folder / "photos" / "s-1001").mkdir(parents=True)
    (folder / "photos" / "s-1001" / "portrait.jpg").write_bytes(astronaut_jpeg)
    cli = CommandLine(folder, shipped_bundle)
    enrolled = cli.run("enrol", "photos", "--json")
    assert enrolled.document["enrolled"] == 1, enrolled
    return cli
