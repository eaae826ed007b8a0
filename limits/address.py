"""Where the store is: one URL, in the forms redis-py reads too where it has them. Pure.

redis://[USER:PASSWORD@]HOST[:PORT][/DB]      rediss:// the same over TLS, [?ssl_ca_certs=FILE]
unix://[USER:PASSWORD@]/PATH[?db=DB]
redis+sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]/SERVICE[/DB][?sentinel_password=WORD]
redis+cluster://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…]      rediss+cluster:// the same over TLS
"""

import re
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

FORMS = (
    "redis://HOST:PORT/DB, rediss://HOST:PORT/DB, unix:///PATH, redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB "
    "or redis+cluster://HOST:PORT,HOST:PORT"
)
SENTINEL_PORT = 26_379
REDIS_PORT = 6_379
MAX_HOSTS = 64


class StoreKind(StrEnum):
    """How the store is put up."""

    SINGLE = "single"
    SENTINEL = "sentinel"
    """One master at a time, named by the sentinels."""
    CLUSTER = "cluster"
    """Several masters, each with some of the slots."""


_NETLOC = re.compile(r"[^/?#]*")
_SCHEMES = {
    "redis": (StoreKind.SINGLE, False),
    "rediss": (StoreKind.SINGLE, True),
    "unix": (StoreKind.SINGLE, False),
    "redis+sentinel": (StoreKind.SENTINEL, False),
    "rediss+sentinel": (StoreKind.SENTINEL, True),
    "redis+cluster": (StoreKind.CLUSTER, False),
    "rediss+cluster": (StoreKind.CLUSTER, True),
}


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
    kind: StoreKind = StoreKind.SINGLE
    hosts: tuple[tuple[str, int], ...] = ()
    """The sentinels, or some nodes of the cluster."""
    service: str = ""
    """Name the sentinels know the master by."""
    sentinel_password: str = ""

    def at(self, host: str, port: int) -> "StoreAddress":
        """One server of it."""
        return self._replace(kind=StoreKind.SINGLE, host=host, port=port, hosts=(), service="", sentinel_password="")

    def __str__(self) -> str:
        """For logs: never shows a password."""
        secure = "s" if self.tls else ""
        database = f" db {self.database}" if self.database else ""
        if self.path:
            return f"unix://{self.path}{database}"
        if self.kind is StoreKind.SINGLE:
            return f"redis{secure}://{_place(self.host, self.port)}{database}"
        places = ",".join([_place(host, port) for host, port in self.hosts])
        service = f"/{self.service}" if self.service else ""
        return f"redis{secure}+{self.kind}://{places}{service}{database}"


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(url: str) -> StoreAddress:
    """Reads a store URL. Raises ValueError, in words for the operator (and without a password)."""
    scheme, _, rest = url.partition("://")
    found = _SCHEMES.get(scheme)
    if found is None:
        raise ValueError(f"not a store address: expected {FORMS}")
    kind, tls = found
    # urlsplit reads one host only: the list is taken apart here, the rest of the URL there.
    place = _NETLOC.match(rest)
    head = place[0] if place is not None else ""
    login, _, places = head.rpartition("@")
    try:
        parts = urlsplit(f"x://{login + '@' if login else ''}host{rest[len(head) :]}")
        hosts = [] if scheme == "unix" else _hosts(places, SENTINEL_PORT if kind is StoreKind.SENTINEL else REDIS_PORT)
    except ValueError as fault:
        raise ValueError(f"not a store address: {fault}; expected {FORMS}") from fault
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    path, service = unquote(parts.path), ""
    if scheme == "unix":
        if not path.startswith("/") or places:
            raise ValueError("a unix:// store address needs an absolute path: unix:///run/redis.sock")
        database = query.pop("db", "0")
    else:
        if kind is StoreKind.SENTINEL:
            service, _, path = path.strip("/").partition("/")
            if not service:
                raise ValueError(f"which service of the sentinels? Expected {FORMS}")
        database = query.pop("db", "") or path.strip("/") or "0"
        path = ""
    ca_file = query.pop("ssl_ca_certs", "")
    sentinel_password = query.pop("sentinel_password", "") if kind is StoreKind.SENTINEL else ""
    if query:
        known = "db, ssl_ca_certs, sentinel_password" if kind is StoreKind.SENTINEL else "db, ssl_ca_certs"
        raise ValueError(f"unknown option in the store address: {', '.join(sorted(query))}; known: {known}")
    if not database.isascii() or not database.isdecimal():
        raise ValueError(f"database {database!r} in the store address: expected a number")
    if kind is StoreKind.CLUSTER and database != "0":
        raise ValueError("a cluster has database 0 only")
    if kind is StoreKind.SINGLE and len(hosts) > 1:
        raise ValueError(f"several hosts in the store address: expected {FORMS}")
    host, port = hosts[0] if hosts else ("", REDIS_PORT)
    return StoreAddress(
        path=path,
        host=host,
        port=port,
        tls=tls,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=int(database),
        ca_file=ca_file,
        kind=kind,
        hosts=() if kind is StoreKind.SINGLE else tuple(hosts),
        service=service,
        sentinel_password=sentinel_password,
    )


def _hosts(places: str, default_port: int) -> list[tuple[str, int]]:
    """`HOST[:PORT],…`. Raises ValueError."""
    words = places.split(",")
    if len(words) > MAX_HOSTS:
        raise ValueError(f"{len(words)} hosts, at most {MAX_HOSTS} are read")
    found = []
    for word in words:
        parts = urlsplit(f"x://{word}")
        found.append((parts.hostname or "localhost", parts.port or default_port))
    return found
