"""The admin process: the API and the console, away from the process that carries calls (I/O).

`python -m edge.admin.process` is started by `edge run --admin`, which writes one line of JSON (`Orders`) to its
standard input and leaves that open; when it closes the process ends. `edge admin` runs the same in the foreground.
"""

import asyncio
import logging
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
import uvloop

from edge.admin import first
from edge.admin.app import make_app
from edge.admin.arrival import TimedHeads
from edge.admin.gate import Gate
from edge.admin.orders import FINISH_S, Orders
from edge.admin.services import Services, open_services
from edge.admin.tokens import FIRST_LIFE_MS
from edge.children import end_of_input, take_second_place
from edge.config.addresses import parse_host_port
from edge.proxy.facts import Fact
from edge.telemetry.lines import lines_to
from edge.telemetry.logs import FactLog, LibraryHandler

NICENESS = 5
"""Calls come first where there is one processor for both."""
CONNECTIONS = 200
"""Connections at one time; more are answered 503."""
HEADER_BYTES = 32 << 10
BACKLOG = 128
KEEP_ALIVE_S = 30
LOOK_S = 10.0
"""How often the certificate's files are looked at."""


class AdminError(Exception):
    """The admin process cannot start; the message is for the operator."""


def main() -> int:
    """The process under `edge run`. Exit code 1: it cannot serve; the log says why."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTOU):
        signal.signal(name, signal.SIG_IGN)
    take_second_place(NICENESS)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the edge ended before it could say what is to be done
    orders = Orders.model_validate_json(line)
    log = log_of(orders)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_beside_the_edge(orders, log))
    except AdminError as error:
        log.tell(Fact("admin.refused", {"why": str(error)}), time.monotonic())
        return 1
    return 0


def log_of(orders: Orders) -> FactLog:
    """Where this process tells its facts."""
    log = FactLog(lines_to(sys.stderr, orders.log, orders.log_level))
    logging.getLogger().addHandler(LibraryHandler(log))
    for noisy in ("httpx", "httpcore", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return log


async def _beside_the_edge(orders: Orders, log: FactLog) -> None:
    ended = asyncio.ensure_future(end_of_input())
    await serve(orders, log, ended, _say)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def serve(orders: Orders, log: FactLog, ended: "asyncio.Future[None]", say: Callable[[str], None]) -> None:
    """Serve until `ended`. `say` is told the one-time token of a first run. Raises AdminError."""

    def tell(fact: Fact) -> None:
        log.tell(fact, time.monotonic())

    taken = bound(orders)
    try:
        context = certificate_of(orders)
        async with open_services(orders, tell) as services:
            await _announce(services, say)
            server = _Server(_config(orders, make_app(services), context))
            serving = asyncio.ensure_future(server.serve(sockets=[taken]))
            watching = [asyncio.ensure_future(_reload(orders, context, tell))] if context is not None else []
            scheme, port = "https" if orders.is_tls else "http", taken.getsockname()[1]
            host = orders.listen.rpartition(":")[0]
            tell(Fact("admin.started", {"address": f"{scheme}://{host}:{port}", "node": orders.node}))
            await asyncio.wait([serving, ended], return_when=asyncio.FIRST_COMPLETED)
            server.should_exit = True
            await serving
            for task in watching:
                task.cancel()
    except ValueError as error:
        raise AdminError(str(error)) from error
    finally:
        taken.close()
    tell(Fact("admin.stopped", {"node": orders.node}))


async def _announce(services: Services, say: Callable[[str], None]) -> None:
    text = await first.token_of_first_run(services)
    if text:
        minutes = FIRST_LIFE_MS // 60_000
        say(f"admin    no token yet; this one makes the first, once, within {minutes} minutes: {text}")


class _Server(uvicorn.Server):
    """Whoever started the process says when it ends: signals are not for uvicorn."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None."""
        yield


def _config(orders: Orders, app: Gate, context: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=TimedHeads,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(orders.proxies),
        forwarded_allow_ips=list(orders.proxies),
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(FINISH_S),
        h11_max_incomplete_event_size=HEADER_BYTES,
    )
    config.load()
    config.ssl = context
    return config


def bound(orders: Orders) -> socket.socket:
    """The listening socket. Raises AdminError."""
    host, port = parse_host_port(orders.listen)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        taken = socket.socket(found[0], socket.SOCK_STREAM)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(found[4])
        taken.listen(BACKLOG)  # whoever comes before the first turn of the server waits, and is not refused
    except OSError as error:
        raise AdminError(f"cannot listen on {orders.listen}: {error.strerror}") from error
    return taken


# -- certificate ---------------------------------------------------------------------------------------------------


def certificate_of(orders: Orders) -> ssl.SSLContext | None:
    """None: plain HTTP. Raises AdminError."""
    if not orders.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(orders, context)
    return context


def _load(orders: Orders, context: ssl.SSLContext) -> None:
    chain, _, key = orders.certificate.partition(":")
    try:
        context.load_cert_chain(chain, key or None)
    except (OSError, ssl.SSLError) as error:
        raise AdminError(f"certificate {orders.certificate}: {error}") from error


async def _reload(orders: Orders, context: ssl.SSLContext, tell: Callable[[Fact], None]) -> None:
    """Takes files that have changed: in force for the next connection."""
    seen = _stamps(orders)
    while True:
        await asyncio.sleep(LOOK_S)
        found = _stamps(orders)
        if found == seen:
            continue
        seen = found
        try:
            _load(orders, context)
        except AdminError as error:
            tell(Fact("tls.refused", {"why": str(error)}))
        else:
            tell(Fact("tls.loaded", {"certificates": 1}))


def _stamps(orders: Orders) -> tuple[float, ...]:
    try:
        return tuple(Path(name).stat().st_mtime for name in orders.certificate.split(":") if name)
    except OSError:
        return ()


if __name__ == "__main__":
    sys.exit(main())
