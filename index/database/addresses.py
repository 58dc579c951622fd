"""Database addresses: SQLAlchemy's form, and PostgreSQL's own list of hosts."""

import re
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from index.errors import AddressInvalid

# Head, hosts with ports, and the rest. SQLAlchemy cannot parse a comma in the hosts.
_SEVERAL_HOSTS = re.compile(
    r"(?P<head>[\w+]+://(?:[^:/@]*(?::[^@]*)?@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<rest>[/?].*)?"
)
_HOST = re.compile(r"(?:\[(?P<ipv6>[^\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d*))?")
_DEFAULT_PORT = "5432"


def parse_address(text: str) -> URL:
    """Parse a database address; for PostgreSQL it may have several hosts (libpq, section 34.1.1.2).

    Of several hosts, the one that accepts writes is used unless the address says otherwise: the others are
    standbys, on which nobody can be enrolled.

    Raises:
        AddressInvalid: If it is not an address. The message omits it because it may contain a password.
    """
    several = _SEVERAL_HOSTS.fullmatch(text)
    try:
        address = _check_address(
            make_url(text if several is None else several["head"] + (several["rest"] or ""))
        )
    except AddressInvalid:
        raise
    except (ArgumentError, ValueError):
        raise AddressInvalid("It cannot be read.") from None
    if several is None:
        return address
    found = [_HOST.fullmatch(one) for one in several["hosts"].split(",")]
    # A folder with a server's socket is written as %2Ffolder.
    hosts = [unquote(one["ipv6"] or one["name"]) for one in found if one]
    if address.get_backend_name() != "postgresql" or len(hosts) < len(found):
        raise AddressInvalid("Several hosts are PostgreSQL's, each host:port.")
    ports = [one["port"] or _DEFAULT_PORT for one in found if one]
    query = {"target_session_attrs": "read-write", **address.query}
    return address.set(query={**query, "host": ",".join(hosts), "port": ",".join(ports)})


def _check_address(address: URL) -> URL:
    if address.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise AddressInvalid(f"There is no {address.drivername} here.")
    if not address.database or address.database == ":memory:":
        raise AddressInvalid(
            "SQLite needs a file: a database in memory would be another one for every connection."
        )
    return address


def jobs_file(database: Path) -> Path:
    """The file with the job engine's own tables, next to a SQLite database."""
    path = database.resolve()
    return path.with_name(f"{path.stem}-jobs{path.suffix}")


def file_of(text: str) -> Path | None:
    """The file of a SQLite address; None for any other text."""
    try:
        address = parse_address(text)
    except AddressInvalid:
        return None
    is_file = address.get_backend_name() == "sqlite" and address.database
    return Path(str(address.database)) if is_file else None
