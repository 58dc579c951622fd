"""Two real PostgreSQL servers: a primary, and a standby that streams from it and can take its place."""

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from fixtures_database import started_postgresql
from sqlalchemy import make_url


class Pair:
    """A primary and its standby; each listens on a socket in a folder of its own."""

    def __init__(self, primary: Any, folder: Path) -> None:
        self.primary = primary
        self.folder = folder
        self._data = folder / "standby"
        self._socket = folder / "socket"

    @property
    def address(self) -> str:
        """Both hosts; the service takes the one that can be written."""
        hosts = ",".join(quote(str(one), safe="") for one in (self._primary_socket, self._socket))
        return f"postgresql://postgres@{hosts}/postgres"

    @property
    def of_standby(self) -> str:
        """The standby alone, by any session."""
        return f"postgresql://postgres@/postgres?host={quote(str(self._socket), safe='')}"

    @property
    def _primary_socket(self) -> str:
        return str(make_url(self.primary.get_uri()).query["host"])

    def begin_standby(self) -> None:
        """Copy the primary and follow it."""
        user = self.primary.system_user
        self._socket.mkdir()
        if user is not None:
            for path in (self.folder, self._socket):
                os.chown(path, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        self._call(
            "pg_basebackup",
            "-h",
            self._primary_socket,
            "-U",
            "postgres",
            "-D",
            self._data,
            "-R",
            "-c",
            "fast",
        )
        options = f"-k {self._socket} -h ''"
        self._call("pg_ctl", "-w", "-D", self._data, "-l", self.folder / "log", "-o", options, "start")

    def await_standby(self) -> None:
        """Wait until the standby has all that the primary has committed."""
        with psycopg.connect(self.primary.get_uri(), autocommit=True) as connection:
            newest = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert newest is not None
        with psycopg.connect(self.of_standby, autocommit=True) as connection:
            replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn, pg_sleep(0.05)"
            assert any((connection.execute(replayed, newest).fetchone() or (False,))[0] for _ in range(600))

    def lose_primary(self) -> None:
        """Stop it at once, as if its machine were gone."""
        self._call("pg_ctl", "-w", "-m", "immediate", "-D", self.primary.pgdata, "stop")

    def promote(self) -> None:
        """Let the standby take writes."""
        self._call("pg_ctl", "-w", "-D", self._data, "promote")

    def end(self) -> None:
        """Stop the standby."""
        self._call("pg_ctl", "-w", "-m", "immediate", "-D", self._data, "stop", check=False)

    def _call(self, program: str, *arguments: object, check: bool = True) -> None:
        called = [str(self.primary.bin_path / program), *map(str, arguments)]
        user = self.primary.system_user
        # The server's output goes into its log: a pipe that it held open would keep this call waiting.
        subprocess.run(
            called,
            user=user,
            check=check,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
        )


@contextmanager
def primary_and_standby() -> Iterator[Pair]:
    """Both, running."""
    with started_postgresql() as primary, tempfile.TemporaryDirectory(prefix="invigil-standby-") as folder:
        pair = Pair(primary, Path(folder))
        pair.begin_standby()
        try:
            yield pair
        finally:
            pair.end()
