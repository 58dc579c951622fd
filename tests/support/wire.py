"""A wire between a browser and a server, which a test cuts and mends."""

import socket
import threading
from contextlib import suppress


class Wire:
    """Passes bytes to and from a port of this machine, while it is whole."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: list[socket.socket] = []
        self._is_cut = False
        self._lock = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._take, daemon=True).start()

    @property
    def address(self) -> str:
        """Where the browser finds the server."""
        return f"http://127.0.0.1:{self._door.getsockname()[1]}"

    def cut(self) -> None:
        """From now on nothing passes; what is under way breaks off."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def mend(self) -> None:
        """Let bytes pass again."""
        self._is_cut = False

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self.cut()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._door.accept()
                with self._lock:
                    if self._is_cut:
                        here.close()
                        continue
                    there = socket.create_connection(("127.0.0.1", self._port))
                    self._open += [here, there]
                threading.Thread(target=_carry, args=(here, there), daemon=True).start()


def _carry(here: socket.socket, there: socket.socket) -> None:
    """Pass bytes both ways until either side has no more."""
    back = threading.Thread(target=_pass, args=(there, here), daemon=True)
    back.start()
    _pass(here, there)
    back.join()
    here.close()
    there.close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
