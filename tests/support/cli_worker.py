"""One run of the command line in a process of its own."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import invigil


def become(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdout: Path, stderr: Path
) -> None:
    """Be `invigil` with these arguments, in this folder, with this environment and nothing else."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((stdout, 1), (stderr, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), stream)
    # As a shell starts what runs in the foreground; a run of tests in the background ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["invigil", *arguments]
    invigil.main()
