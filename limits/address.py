"""Where the store is: one URL, in the forms redis-py reads too, so that both ends of this package agree. Pure.

redis://[USER:PASSWORD@]HOST[:PORT][/DB]      rediss:// the same over TLS, [?ssl_ca_certs=FILE]
unix://[USER:PASSWORD@]/PATH[?db=DB]
"""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

_FORMS = "redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH"


class StoreAddress(NamedTuple):
    """A store and how to enter it."""

    path: str
    """Unix socket; empty for TCP."""
    host: str
    port: int
    tls: bool
    username: str
    password: str
    database: int
    ca_file: str
    """Certificates to trust; empty: those of the system."""

    def __str__(self) -> str:
        """For logs: never shows the password."""
        place = self.path or (f"[{self.host}]" if ":" in self.host else self.host) + f":{self.port}"
        scheme = "unix" if self.path else "rediss" if self.tls else "redis"
        return f"{scheme}://{place}" + (f" db {self.database}" if self.database else "")


def parse_address(url: str) -> StoreAddress:
    """Reads a store URL. Raises ValueError, in words for the operator (and without the password)."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError as fault:
        raise ValueError(f"not a store address: {fault}; expected {_FORMS}") from fault
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    place = unquote(parts.path)
    if parts.scheme == "unix":
        if not place.startswith("/"):
            raise ValueError("a unix:// store address needs an absolute path: unix:///run/redis.sock")
        path, host, database = place, "", query.pop("db", "0")
    elif parts.scheme in ("redis", "rediss"):
        path, host, database = "", parts.hostname or "localhost", query.pop("db", "") or place.strip("/") or "0"
    else:
        raise ValueError(f"not a store address: expected {_FORMS}")
    ca_file = query.pop("ssl_ca_certs", "")
    if query:
        raise ValueError(f"unknown option in the store address: {', '.join(sorted(query))}; known: db, ssl_ca_certs")
    if not database.isdecimal():
        raise ValueError(f"database {database!r} in the store address: expected a number")
    return StoreAddress(
        path=path,
        host=host,
        port=port,
        tls=parts.scheme == "rediss",
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=int(database),
        ca_file=ca_file,
    )
