"""The command line as a script meets it: a program with arguments, a folder and an exit status."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PROGRAM = [sys.executable, "-m", "invigil"]
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


@dataclass(frozen=True)
class CommandLine:
    """Runs `invigil` in a folder of its own, with a database of its own."""

    folder: Path
    bundle: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The environment without anybody else's settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("INVIGIL_")}
        return kept | {"INVIGIL_BUNDLE": str(self.bundle), "COLUMNS": "200"} | self.settings

    def run(self, *arguments: str | Path, **settings: str) -> Ended:
        """Run one command to its end."""
        ended = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def start(self, *arguments: str | Path, **settings: str) -> subprocess.Popen[str]:
        """Start a command that goes on until it is stopped."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupted(self, process: subprocess.Popen[str]) -> Ended:
        """Press Ctrl-C and wait for the end."""
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=SECONDS)
        return Ended(process.returncode, stdout, stderr)


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
