"""The service in processes of its own, as operators run it; the tests start it in the same way."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO

import psutil


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_server(port: int, environment: Mapping[str, str], log: IO[str] | int) -> subprocess.Popen[str]:
    """`invigil serve`: as many processes on one port as INVIGIL_WORKERS says; each listens once it is ready.

    Args:
        port: Where it listens, on this machine only.
        environment: All of it; the settings are read from there.
        log: Where all of its output goes, as `subprocess` takes it.
    """
    command = [sys.executable, "-m", "invigil", "serve", "--port", str(port)]
    return subprocess.Popen(command, env=dict(environment), stdout=log, stderr=log, text=True)


def is_listening(process: psutil.Process) -> bool:
    """Whether it takes connections; one that has just ended does not."""
    try:
        return any(one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False
