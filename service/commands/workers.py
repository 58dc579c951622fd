"""Several processes that serve one port: how they begin, what they share, how they end.

One process computes with little more than one core, for Python runs one thread at a time.
"""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Self

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from service.errors import StartRefused
from service.settings import SHARED_FOLDER

APPLICATION = "service.commands.workers:application"
REFUSAL = "refusal.txt"


class SharedPort(socket.socket):
    """A bound socket that becomes one of its own in every process it is sent to (SO_REUSEPORT).

    The kernel then deals connections out evenly. From one socket that all processes accept from, the first to
    wake takes every connection that waits: eight kiosks that come together would all share one process.
    """

    @classmethod
    def bound(cls, family: int, host: str, port: int) -> Self:
        """A socket of this process, which receives nothing until it listens.

        Raises:
            OSError: If the port cannot be had.
        """
        shared = cls(family, socket.SOCK_STREAM)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind((host, port))
        return shared

    @classmethod
    def instead_of(cls, reserved: socket.socket) -> Self:
        """Take over the address of a socket that has it alone, which is closed.

        Two services on one port would each get half of the requests; who has the port alone first is told of
        the other.
        """
        family, (host, port) = reserved.family, reserved.getsockname()[:2]
        reserved.close()
        return cls.bound(family, host, port)

    def __reduce__(self) -> tuple[object, tuple[int, str, int]]:
        """What another process makes of it: a socket bound to the same address."""
        host, port = self.getsockname()[:2]
        return type(self).bound, (int(self.family), host, port)


def serve_together(config: uvicorn.Config) -> None:
    """Serve `APPLICATION` with `config.workers` processes until stopped; one that dies is replaced.

    Raises:
        StartRefused: In the words of the first worker that could not begin.
    """
    with tempfile.TemporaryDirectory(prefix="invigil-") as folder:
        os.environ[SHARED_FOLDER] = folder
        Multiprocess(config, [SharedPort.instead_of(config.bind_socket())]).run()
        refusal = Path(folder) / REFUSAL
        if refusal.is_file():
            raise StartRefused(refusal.read_text(encoding="utf-8"))


def application() -> object:
    """One worker's application, as the environment describes it.

    What is wrong will be wrong in every worker and at every new beginning: the parent is told, and ends all.
    """
    # Here, because the parent, which only watches, needs none of it in memory.
    from embedding.errors import EmbeddingError
    from index.errors import GalleryError
    from service.app import from_environment
    from service.errors import ServiceError

    leave_with_parent()
    try:
        return from_environment()
    except (EmbeddingError, GalleryError, ServiceError) as error:
        (Path(os.environ[SHARED_FOLDER]) / REFUSAL).write_text(str(error), encoding="utf-8")
        sys.exit(STARTUP_FAILURE)


def leave_with_parent() -> None:
    """Stop this process when its parent dies, however that happens.

    It would go on listening, and share the port with the workers of the next start.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait_and_stop() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_and_stop, name="parent", daemon=True).start()
