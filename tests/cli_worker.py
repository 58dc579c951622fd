"""One run of the command line in a process that has imported everything already."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Imported for the processes that are forked from here; a command would else import for seconds.
import invigil
import service.app
import service.bulk_enrolment
import service.commands.decisions
import service.commands.parts  # noqa: F401


def become(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
) -> None:
    """Be `invigil` with these arguments, in this folder, with this environment and nothing else."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    sys.argv = ["invigil", *arguments]
    invigil.main()
