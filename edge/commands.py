"""The command line: parse arguments, call one function, print.

Exit codes: 0 done, 1 it could not be done (one sentence on stderr says why), 2 the command itself was wrong. What is
heavy is imported by the command that needs it, so that `edge --version` answers at once.
"""

import gc
from typing import TYPE_CHECKING, Annotated

import typer
import typer.main

from edge.accounts import commands as account_commands
from edge.admin import commands as admin_commands
from edge.alerts import commands as alert_commands
from edge.capacity import commands as capacity_commands
from edge.cdr import commands as cdr_commands
from edge.contacts import commands as contact_commands
from edge.control import commands as control_commands
from edge.control import top_commands, trace_commands
from edge.policies import commands as policy_commands
from edge.policies import explain_commands
from edge.quality import commands as quality_commands
from edge.quality import penalty_commands
from edge.terminal import fail, say, usage
from edge.trunks import commands as trunk_commands

if TYPE_CHECKING:
    from edge.config.static import StaticConfig
    from edge.running import Running

_GC_YOUNG = 50_000
"""What a command loads stays until it ends: the collector would look through all of it several times, which took a
fifth of the time to load what carries calls. That sets its own measure once it runs (`server`)."""

app = typer.Typer(
    name="edge",
    help="A SIP edge that decides which call attempts may pass.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

account_commands.app.command()(quality_commands.idle)
app.add_typer(account_commands.app)
app.add_typer(penalty_commands.app)
app.command()(quality_commands.quality)
app.command()(quality_commands.billing)
app.command()(control_commands.nodes)
app.add_typer(control_commands.calls)
app.add_typer(control_commands.bans)
app.command()(control_commands.drain)
app.command()(control_commands.undrain)
app.command()(control_commands.journal)
app.command()(trace_commands.trace)
app.command()(top_commands.top)
app.command()(capacity_commands.capacity)
app.add_typer(alert_commands.app)
app.add_typer(cdr_commands.app)
app.add_typer(contact_commands.app)
app.add_typer(policy_commands.app)
app.add_typer(admin_commands.token_app)
app.add_typer(admin_commands.audit_app)
app.command()(admin_commands.admin)
app.add_typer(trunk_commands.app)


def main() -> None:
    """The `edge` command: what changes something is entered in the audit."""
    gc.set_threshold(_GC_YOUNG, 10, 10)
    from edge.admin.entering import entering

    entering(typer.main.get_command(app))()


def _show_version(asked: bool) -> None:
    if asked:
        from edge.version import version_lines

        say(*version_lines())
        raise typer.Exit


@app.callback()
def edge(
    version: Annotated[
        bool, typer.Option("--version", help="Version, Python, event loop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """A SIP edge that decides which call attempts may pass."""


@app.command()
def run(
    policy: Annotated[str | None, typer.Option(help="The policy document.", metavar="FILE")] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(help="udp|tcp|tls:HOST:PORT[/advertise=HOST:PORT]; may be repeated.", metavar="ADDRESS"),
    ] = None,
    tls_certificates: Annotated[
        list[str] | None, typer.Option(help="PEM file CHAIN or CHAIN:KEY; may be repeated.", metavar="FILES")
    ] = None,
    tls_ca: Annotated[str | None, typer.Option(help="Authorities of neighbours' certificates.", metavar="FILE")] = None,
    tls_clients: Annotated[str | None, typer.Option(help="required, optional or off.", metavar="RULE")] = None,
    tls_minimum: Annotated[str | None, typer.Option(help="Oldest TLS: 1.2 or 1.3.", metavar="VERSION")] = None,
    max_connections: Annotated[str | None, typer.Option(help="TCP and TLS connections.", metavar="N")] = None,
    max_connections_per_peer: Annotated[
        str | None, typer.Option(help="Of these, from one address.", metavar="N")
    ] = None,
    connection_idle_s: Annotated[
        str | None, typer.Option(help="Silence that closes a connection.", metavar="SECONDS")
    ] = None,
    connect_timeout_s: Annotated[str | None, typer.Option(help="Time to open a connection.", metavar="SECONDS")] = None,
    dns: Annotated[
        list[str] | None, typer.Option(help="Name server HOST[:PORT]; may be repeated.", metavar="ADDRESS")
    ] = None,
    redis: Annotated[str | None, typer.Option(help="`embedded`, or the URL of a store.", metavar="URL")] = None,
    state: Annotated[str | None, typer.Option(help="Where CDRs and the embedded store live.", metavar="DIR")] = None,
    node: Annotated[str | None, typer.Option(help="Name of this node.", metavar="NAME")] = None,
    workers: Annotated[str | None, typer.Option(help="SIP processes on these addresses.", metavar="N")] = None,
    workers_pin: Annotated[str | None, typer.Option(help="Each on a processor of its own.", metavar="BOOL")] = None,
    log: Annotated[str | None, typer.Option(help="console or json.", metavar="FORM")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.", metavar="LEVEL")] = None,
    metrics: Annotated[str | None, typer.Option(help="HOST:PORT of the metrics page.", metavar="ADDRESS")] = None,
    metrics_top: Annotated[str | None, typer.Option(help="Busiest accounts on it.", metavar="N")] = None,
    metrics_accounts: Annotated[list[str] | None, typer.Option(help="Always on it.", metavar="ACCOUNT")] = None,
    admin: Annotated[str | None, typer.Option(help="HOST:PORT of the admin API.", metavar="ADDRESS")] = None,
    admin_certificate: Annotated[
        str | None, typer.Option(help="Its PEM file CHAIN or CHAIN:KEY.", metavar="FILES")
    ] = None,
    admin_plain: Annotated[str | None, typer.Option(help="Plain HTTP: loopback or anywhere.", metavar="WHERE")] = None,
    admin_proxies: Annotated[
        list[str] | None, typer.Option(help="Proxy in front of it; may be repeated.", metavar="ADDRESS")
    ] = None,
    lease_s: Annotated[str | None, typer.Option(help="Life of a lease.", metavar="SECONDS")] = None,
    renew_s: Annotated[str | None, typer.Option(help="Time between renewals.", metavar="SECONDS")] = None,
    hold_s: Annotated[str | None, typer.Option(help="Talk held on the balance at one time.", metavar="SECONDS")] = None,
    takeover_s: Annotated[
        str | None, typer.Option(help="Silence after which a node is gone.", metavar="SECONDS")
    ] = None,
    decision_deadline_ms: Annotated[str | None, typer.Option(help="Time the store has.", metavar="MS")] = None,
    max_calls: Annotated[str | None, typer.Option(help="Calls this process holds at most.", metavar="N")] = None,
    overload_wait_ms: Annotated[str | None, typer.Option(help="Wait that means overload.", metavar="MS")] = None,
    overload_floor: Annotated[str | None, typer.Option(help="Calls/s never refused for it.", metavar="N")] = None,
    session_expires_s: Annotated[str | None, typer.Option(help="Session timer; 0: none.", metavar="SECONDS")] = None,
    min_session_s: Annotated[str | None, typer.Option(help="Least session interval.", metavar="SECONDS")] = None,
    probe_s: Annotated[str | None, typer.Option(help="Ask running calls so often; 0: no.", metavar="SECONDS")] = None,
    probe_failures: Annotated[str | None, typer.Option(help="Unanswered in a row that end it.", metavar="N")] = None,
    max_duration_s: Annotated[str | None, typer.Option(help="Longest call.", metavar="SECONDS")] = None,
    drain_s: Annotated[str | None, typer.Option(help="Longest wait for calls at a stop.", metavar="SECONDS")] = None,
    cdr_sync_ms: Annotated[str | None, typer.Option(help="CDRs are forced to disk so often.", metavar="MS")] = None,
    cdr_segment_mb: Annotated[str | None, typer.Option(help="Size of a CDR segment.", metavar="MIB")] = None,
    cdr_segment_s: Annotated[str | None, typer.Option(help="Age of a CDR segment.", metavar="SECONDS")] = None,
    cdr_full: Annotated[str | None, typer.Option(help="refuse or go-on when no CDR fits.", metavar="WHAT")] = None,
    cdr_queue: Annotated[str | None, typer.Option(help="CDRs that may wait for the disk.", metavar="N")] = None,
    cdr_keep_days: Annotated[str | None, typer.Option(help="Days CDRs are kept.", metavar="DAYS")] = None,
    cdr_pseudonymise_days: Annotated[str | None, typer.Option(help="Days they can be read.", metavar="DAYS")] = None,
    contacts_key: Annotated[str | None, typer.Option(help="Key of the numbers called.", metavar="FILE")] = None,
    config: Annotated[
        str | None, typer.Option(help="TOML file with these options.", metavar="FILE", envvar="EDGE_CONFIG")
    ] = None,
) -> None:
    """Run an edge until it is told to stop. Every option is also EDGE_<NAME> and a key of the --config file."""
    given: dict[str, str | list[str] | None] = dict(locals())
    del given["config"]
    raise typer.Exit(_serve(_static(given, config)))


app.command()(policy_commands.check)


app.command()(explain_commands.explain)


@app.command()
def ping(
    target: Annotated[str, typer.Argument(help="udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT", metavar="TARGET")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.", min=0.1, max=60.0)] = 2.0,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    ca: Annotated[str, typer.Option(help="TLS: authorities believed. Default: the system's.", metavar="FILE")] = "",
    certificate: Annotated[str, typer.Option(help="TLS: our own chain and key.", metavar="FILE")] = "",
    name: Annotated[str, typer.Option(help="TLS: the name to be proved. Default: HOST.", metavar="NAME")] = "",
) -> None:
    """Send one OPTIONS and wait for the answer. Exit 0 on 200: a health check."""
    from edge.config.addresses import parse_host_port

    transport, _, address = target.partition(":")
    try:
        host, port = parse_host_port(address)
        if transport not in ("udp", "tcp", "tls") or not port:
            raise ValueError
    except ValueError:
        usage(f"TARGET: expected udp:HOST:PORT, tcp:HOST:PORT or tls:HOST:PORT, got {target!r}")
    if transport != "tls" and (ca or certificate or name):
        usage("--ca, --certificate and --name are for tls: targets")
    from edge import ping as pinging
    from edge.terminal import to_json

    if transport == "udp":
        pong = pinging.ping(host, port, timeout_s=timeout)
    else:
        trust = pinging.Trust(ca, certificate, name) if transport == "tls" else None
        pong = pinging.ping_stream(host, port, timeout_s=timeout, trust=trust)
    if as_json:
        say(to_json({"target": target, "is_up": pong.is_up, "text": pong.text}))
    if not pong.is_up:
        fail(f"{target}: {pong.text}")
    if not as_json:
        say(f"{target}: {pong.text}")


@app.command()
def secret(
    username: Annotated[str, typer.Argument(help="User name of the caller's equipment.", metavar="USERNAME")],
    account: Annotated[str, typer.Option(help="Account of its calls.", metavar="ACCOUNT")],
    realm: Annotated[str, typer.Option(help="The realm of the policy document.", metavar="REALM")] = "trunkgate",
    generate: Annotated[bool, typer.Option("--generate", help="Make a password; it is told once, on stderr.")] = False,
) -> None:
    """Make the `[[credentials]]` of a user name. The password is asked for, or read from standard input."""
    import secrets
    import sys

    from edge.credential import entry

    if generate:
        password = secrets.token_urlsafe(18)
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        made = entry(username, account, realm, password)
    except ValueError as error:
        usage(str(error))
    say(made)
    if generate:
        typer.echo(f"password of {username}: {password}", err=True)


@app.command()
def demo() -> None:
    """A show on loopback: an edge, a trunk and callers; what is admitted, what is refused and why."""
    from edge import demo as show

    raise typer.Exit(show.run())


def _static(given: "dict[str, str | list[str] | None]", config: str | None) -> "StaticConfig":
    from edge.config.errors import StaticConfigError
    from edge.settings import read_settings

    try:
        return read_settings(given, config)
    except StaticConfigError as error:
        usage(*(str(problem) for problem in error.problems))


def _serve(static: "StaticConfig") -> int:
    from edge.running import StartError

    try:
        if static.workers > 1:
            from edge.workers.supervisor import run as serve
        else:
            from edge.server import run as serve
        return serve(static, _announce)
    except StartError as error:
        fail(str(error))


def _announce(running: "Running") -> None:
    from edge.telemetry.banner import banner

    say(
        *banner(
            listening=running.listeners,
            store=running.store,
            policy=running.policy,
            generation=running.generation,
            accounts=running.accounts,
            cdr=running.cdr_directory,
            metrics=running.metrics,
            local_trunk=running.local_trunk,
        )
    )
