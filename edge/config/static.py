"""`StaticConfig`: the settings of one process, each a TOML key, an environment variable and a command line option.

Pure; imports pydantic and this room. Descriptions are the operator's reference (`docs/parameters.md`).
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints

from edge.config.access import OidcSettings, admin_address
from edge.config.addresses import Listen, parse_host_port, parse_listen, parse_name_server, parse_source
from edge.config.alerts import AlertSettings
from edge.config.fields import NODE_NAME, Section
from edge.config.sinks import CdrSettings
from limits.address import parse_address

LEAST_PROBE_S = 40
MAX_WORKERS = 32


def _metrics(text: str) -> str:
    if text not in ("", "none"):
        parse_host_port(text)
    return "" if text == "none" else text


def _listen(value: object) -> Listen:
    if isinstance(value, str):
        return parse_listen(value)
    if isinstance(value, Listen):
        return value
    raise ValueError("expected a text")


def _probe(seconds: float) -> float:
    """A probe that nobody answers takes Timer F, 32 s, to fail."""
    if 0 < seconds < LEAST_PROBE_S:
        raise ValueError(f"expected 0 or at least {LEAST_PROBE_S}")
    return seconds


def _redis(text: str) -> str:
    if text != "embedded":
        try:
            parse_address(text)
        except ValueError as fault:
            text = str(fault).removeprefix("not a store address: expected ")
            raise ValueError(f"expected `embedded` or a URL: {text}") from fault
    return text


STORE = "store"
"""`policy`: the document in the store."""
FILE_ONLY = frozenset({"alerts", "cdr", "oidc"})
"""Options that are tables: they stand in the TOML file and nowhere else."""


def _proxy(text: str) -> str:
    parse_source(text)
    return text


def _name_server(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("expected a text")
    parse_name_server(value)
    return value


class StaticConfig(Section):
    """Settings of one process, read at its start."""

    policy: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        description="Path of the policy document, or `store`: what was brought into the store by `edge policy import`; "
        "every node takes each new version by itself. (A file of that name is `./store`.)",
        examples=["/etc/trunkgate/policy.toml"],
    )
    listen: tuple[Annotated[Listen, PlainValidator(_listen)], ...] = Field(
        default=(parse_listen("udp:127.0.0.1:5060"),),
        min_length=1,
        max_length=32,
        description="Addresses to listen on: `udp:HOST:PORT`, `tcp:HOST:PORT`, `tls:HOST:PORT`, an IPv6 HOST in "
        "brackets. `/advertise=HOST:PORT` after it is what Via and Record-Route say, for an edge behind address "
        "translation. A trunk is reached only by a transport and address family that is listened on.",
        examples=[["udp:0.0.0.0:5060/advertise=edge.example:5060", "tcp:[::1]:5060", "tls:192.0.2.1:5061"]],
    )
    tls_certificates: tuple[Annotated[str, StringConstraints(min_length=1, max_length=4096)], ...] = Field(
        default=(),
        max_length=32,
        description="PEM files of the certificates that `tls:` listeners show: `CHAIN` with the key in it, or "
        "`CHAIN:KEY`. The first one is shown where the neighbour asks for no name, or for none of theirs; and to those "
        "we connect to. SIGHUP reads them anew.",
        examples=[["/etc/trunkgate/edge.pem:/etc/trunkgate/edge.key"]],
    )
    tls_ca: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="PEM file of the authorities that neighbours' certificates must come from. Empty: those of the "
        "system for the trunks we connect to, and no certificate is asked of those who connect to us.",
        examples=["/etc/trunkgate/neighbours.pem"],
    )
    tls_clients: Literal["required", "optional", "off"] = Field(
        default="optional",
        description="With `tls_ca`: is a certificate asked of those who connect to us? A name that it proves may be an "
        "ingress trunk's `tls_names`.",
        examples=["required"],
    )
    tls_minimum: Literal["1.2", "1.3"] = Field(
        default="1.2", description="Oldest version of TLS that is spoken.", examples=["1.3"]
    )
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10_000,
        description="TCP and TLS connections of this process at most. At the ceiling, one that has never brought a "
        "whole message makes room for a new one.",
        examples=[2_000],
    )
    max_connections_per_peer: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=256, description="TCP and TLS connections from one address at most.", examples=[16]
    )
    connection_idle_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=600.0,
        description="Seconds without a byte after which a connection is closed. A keep-alive (RFC 5626) is a byte.",
        examples=[120],
    )
    connect_timeout_s: Annotated[float, Field(ge=0.1, le=30)] = Field(
        default=3.0,
        description="Seconds that opening a connection to a trunk may take, the TLS handshake included; then its next "
        "address is tried. Less than the trunk's `silence_s`.",
        examples=[2],
    )
    dns: tuple[Annotated[str, PlainValidator(_name_server)], ...] = Field(
        default=(),
        max_length=8,
        description="Name servers, `HOST` or `HOST:PORT`, numeric. Empty: those of the system (/etc/resolv.conf).",
        examples=[["192.0.2.53", "[2001:db8::53]:53"]],
    )
    redis: Annotated[str, StringConstraints(max_length=1024), AfterValidator(_redis)] = Field(
        default="embedded",
        description="Store of accounts and leases: `embedded` (a private server beside this process) or a URL: "
        "`redis://HOST:PORT/DB`, `rediss://…` (TLS), `unix:///PATH`, "
        "`redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB`, `redis+cluster://HOST:PORT,HOST:PORT`.",
        examples=["redis://redis.example:6379/0"],
    )
    state: Annotated[str, StringConstraints(min_length=1, max_length=4096)] = Field(
        default="state",
        description="Directory for the CDR files and the embedded store.",
        examples=["/var/lib/trunkgate"],
    )
    node: Annotated[str, StringConstraints(pattern=NODE_NAME)] = Field(
        default="",
        description="Name of this node in leases and CDRs; no two nodes on one store may share it. "
        "Empty: the host name.",
        examples=["edge1"],
    )
    workers: Annotated[int, Field(ge=1, le=MAX_WORKERS)] = Field(
        default=1,
        description="SIP processes that share these addresses, each for its share of the calls; more than one for each "
        "processor are of no use. Each is a node on the store: those of `edge1` are `edge1.1`, `edge1.2` … with the "
        "state directories `worker-1`, `worker-2` … inside `state`. 1: one process, as ever.",
        examples=[4],
    )
    workers_pin: bool = Field(
        default=False,
        description="Each worker stays on one processor, the first on the first of those this process may use, and so "
        "on. For machines that do nothing else.",
        examples=[True],
    )
    log: Literal["console", "json"] = Field(
        default="console", description="Form of the log lines: for a reader or for a collector.", examples=["json"]
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important level that is written.", examples=["warning"]
    )
    metrics: Annotated[str, StringConstraints(max_length=300), AfterValidator(_metrics)] = Field(
        default="",
        description="`HOST:PORT` of the Prometheus page; `none` or empty: no page.",
        examples=["127.0.0.1:9464"],
    )
    metrics_top: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=20,
        description="So many accounts have series of their own on the Prometheus page (`edge_account_…`): the busiest "
        "of the last five minutes. 0: only those of `metrics_accounts`.",
        examples=[50],
    )
    metrics_accounts: tuple[Annotated[str, StringConstraints(min_length=1, max_length=128)], ...] = Field(
        default=(),
        max_length=1_000,
        description="Accounts that always have series of their own there.",
        examples=[["acme", "callcentre-1"]],
    )
    admin: Annotated[str, StringConstraints(max_length=300), AfterValidator(admin_address)] = Field(
        default="",
        description="`HOST:PORT` of the admin API and console; `none` or empty: none here. It runs as a process of its "
        "own, beside the calls.",
        examples=["127.0.0.1:8443"],
    )
    admin_certificate: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="PEM files of the certificate of the admin address: `CHAIN` with the key in it, or `CHAIN:KEY`. "
        "Files that change are taken within 10 s. Empty: plain HTTP.",
        examples=["/etc/trunkgate/admin.pem:/etc/trunkgate/admin.key"],
    )
    admin_plain: Literal["loopback", "anywhere"] = Field(
        default="loopback",
        description="Where the admin address may speak plain HTTP. `anywhere` is for a proxy in front of it that "
        "speaks TLS, on a network that nobody else hears.",
        examples=["anywhere"],
    )
    admin_proxies: tuple[Annotated[str, AfterValidator(_proxy)], ...] = Field(
        default=(),
        max_length=32,
        description="Addresses and networks of proxies in front of the admin address: their `X-Forwarded-For` and "
        "`X-Forwarded-Proto` are believed.",
        examples=[["192.0.2.80"]],
    )
    lease_s: Annotated[float, Field(ge=3, le=3600)] = Field(
        default=30.0,
        description="Seconds after which the calls of a dead node stop counting.",
        examples=[30],
    )
    renew_s: Annotated[float, Field(ge=1, le=1200)] = Field(
        default=10.0,
        description="Seconds between two renewals of a running call's lease; at most a third of `lease_s`.",
        examples=[10],
    )
    hold_s: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=60,
        description="Seconds of talk that are held on the balance at one time, where it pays them. Shorter: many calls "
        "share the last of it; longer: fewer of them start, and those are safe.",
        examples=[60],
    )
    takeover_s: Annotated[float, Field(ge=3, le=3600)] = Field(
        default=8.0,
        description="A node whose heartbeats are missing for so many seconds is gone: the others take its calls over. "
        "Less than `lease_s`.",
        examples=[8],
    )
    decision_deadline_ms: Annotated[int, Field(ge=1, le=5000)] = Field(
        default=50,
        description="Milliseconds the store has to decide on an attempt; then the account's `store_away` rules.",
        examples=[50],
    )
    max_calls: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=50_000,
        description="Attempts and calls this process holds at most; beyond it 503 `overloaded`.",
        examples=[20_000],
    )
    overload_wait_ms: Annotated[int, Field(ge=0, le=10_000)] = Field(
        default=30,
        description="A datagram of a known neighbour that waits longer for this process to read it, and so "
        "does every other one for 0.1 s, means too much work: new calls are refused (503 `overloaded` with "
        "Retry-After) until what is left can be carried. 0: nothing is refused for that.",
        examples=[50],
    )
    overload_floor: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=50,
        description="So many new calls a second are never refused for overload: under it, it is not the calls that "
        "hold the process up.",
        examples=[200],
    )
    max_duration_s: Annotated[float, Field(ge=1, le=604_800)] = Field(
        default=14_400.0,
        description="Seconds after which the edge ends a call by itself, so that nobody keeps a slot for ever.",
        examples=[7200],
    )
    session_expires_s: Annotated[int, Field(ge=0, le=604_800)] = Field(
        default=1800,
        description="Session timer (RFC 4028): a call nobody refreshes for so many seconds is ended. Asked of every "
        "call that would have a longer one or none; it works where one of the two sides knows session timers. At least "
        "`min_session_s`; 0: only what the two sides agree on counts.",
        examples=[900],
    )
    min_session_s: Annotated[int, Field(ge=90, le=604_800)] = Field(
        default=90,
        description="A caller that asks for a shorter session interval gets 422 with this value in Min-SE.",
        examples=[120],
    )
    probe_s: Annotated[float, Field(ge=0, le=86_400), AfterValidator(_probe)] = Field(
        default=0.0,
        description="Both sides of a running call are asked so often, by OPTIONS inside the dialog, whether they still "
        "know it (looked at every `renew_s`); at least 40. 0: never.",
        examples=[300],
    )
    probe_failures: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="So many probes in a row that one side leaves unanswered end the call; 481 ends it at once.",
        examples=[2],
    )
    contacts_key: Annotated[str, StringConstraints(max_length=4096)] = Field(
        default="",
        description="File with the key that called numbers are digested with before they are counted or recorded, "
        "16 to 64 bytes; every node of one store needs the same. Empty: `contacts.key` in the state directory, made at "
        "the first start.",
        examples=["/etc/trunkgate/contacts.key"],
    )
    drain_s: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=30.0,
        description="Seconds a stop waits for running calls to end before it hangs them up.",
        examples=[600],
    )
    cdr_sync_ms: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=10,
        description="Milliseconds after which written CDRs are forced to the disk together (fsync). 0: each write "
        "waits for the disk, which holds up the calls meanwhile.",
        examples=[10],
    )
    cdr_segment_mb: Annotated[int, Field(ge=1, le=4096)] = Field(
        default=64, description="MiB after which a CDR segment ends and the next begins.", examples=[64]
    )
    cdr_segment_s: Annotated[int, Field(ge=10, le=86_400)] = Field(
        default=3_600,
        description="Seconds after which a CDR segment ends; it also ends with its UTC day.",
        examples=[900],
    )
    cdr_full: Literal["refuse", "go-on"] = Field(
        default="refuse",
        description="While `cdr_queue` CDRs wait for a disk that fails or is full: `refuse` new attempts (503 "
        "`overloaded`), or `go-on`, and lose the records that find no place in the queue. Emergency calls always pass.",
        examples=["go-on"],
    )
    cdr_queue: Annotated[int, Field(ge=10, le=1_000_000)] = Field(
        default=10_000,
        description="CDRs that may wait in memory for a disk that fails or is full; those of answered calls up to four "
        "times as many.",
        examples=[50_000],
    )
    cdr_keep_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=365,
        description="Days after which closed CDR segments are purged; each leaves a tombstone in the chain. 0: never.",
        examples=[365],
    )
    cdr_pseudonymise_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=0,
        description="Days after which the called numbers in closed CDR segments are replaced by keyed pseudonyms. "
        "0: never.",
        examples=[90],
    )
    cdr: CdrSettings = Field(
        default=CdrSettings.unwritten(),
        description="What becomes of CDRs once they are in the log: a table of its own, in the TOML file only.",
    )
    oidc: OidcSettings = Field(
        default=OidcSettings.unwritten(),
        description="An OpenID provider whose users may use the admin API: a table of its own, in the TOML file only.",
    )
    alerts: AlertSettings = Field(
        default=AlertSettings.unwritten(),
        description="What is told of thresholds, and where: a table of its own, in the TOML file only.",
    )
