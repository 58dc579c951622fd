"""The service in processes of its own, as operators run it; the tests start it in the same way."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_server(port: int, environment: Mapping[str, str], log: IO[str] | int) -> subprocess.Popen[str]:
    """`uvicorn service.app:from_environment --factory`; it answers once it is ready.

    Args:
        port: Where it listens, on this machine only.
        environment: All of it; the settings are read from there.
        log: Where its log goes, as `subprocess` takes it.
    """
    command = ["uvicorn", "service.app:from_environment", "--factory", "--port", str(port)]
    return subprocess.Popen(
        [sys.executable, "-m", *command, "--no-access-log"], env=dict(environment), stderr=log, text=True
    )


def start_service(port: int, environment: Mapping[str, str], log: IO[str] | int) -> subprocess.Popen[str]:
    """`invigil serve`: as many processes on one port as INVIGIL_WORKERS of the environment says.

    Args:
        port: As `start_server` takes it.
        environment: All of it.
        log: Where all of its output goes.
    """
    command = [sys.executable, "-m", "invigil", "serve", "--port", str(port)]
    return subprocess.Popen(command, env=dict(environment), stdout=log, stderr=log, text=True)
