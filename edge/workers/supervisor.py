"""Several SIP workers on one address, kept running (I/O): what is shared is here, calls are not.

This process binds the ports and holds the sockets, runs the embedded store and the admin process, shows one metrics
page for all, hands signals on, and starts again what dies. It carries no call: only where a worker dies again and
again, or has ended before the others, its messages are read here, for those that are up.
"""

import asyncio
import logging
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import orjson

from edge import state
from edge.admin.supervisor import AdminProcess
from edge.children import exit_word
from edge.config.addresses import parse_host_port
from edge.config.static import StaticConfig
from edge.contacts.key import KEY_FILE
from edge.proxy.facts import Fact
from edge.running import Running, StartError
from edge.telemetry.lines import lines_to
from edge.telemetry.logs import FactLog, LibraryHandler
from edge.transport.endpoints import BindError
from edge.transport.held import Held, hold
from edge.workers.handover import pair
from edge.workers.life import Deed, Event, State, deaths_after, move, pause_s
from edge.workers.pages import JoinedPage
from edge.workers.place import Orders, node_of, settings_of
from edge.workers.understudy import Understudy
from limits.embedded import EmbeddedStore
from limits.errors import EmbeddedStoreError


def run(static: StaticConfig, announce: Callable[[Running], None]) -> int:
    """Run the workers until told to stop; returns the exit code. Raises StartError.

    `announce` is called once, when all of them serve."""
    # Not uvloop's: what it starts with `pass_fds` inherits every other descriptor too, and a worker must not hold the
    # ends by which another one is known to have died.
    with asyncio.Runner() as runner:
        return runner.run(_Supervisor(static, announce).run())


class _Worker:
    """What the supervisor knows of one."""

    def __init__(self, number: int, node: str, outbox: socket.socket, inbox: socket.socket) -> None:
        self.number = number
        self.node = node
        self.outbox = outbox
        self.inbox = inbox
        self.state = State.STARTING
        self.deaths = 0
        self.process: asyncio.subprocess.Process | None = None
        self.running: Running | None = None
        """What it said when it was up last."""
        self.refusal = ""
        """Why it could not start."""
        self.over = asyncio.Event()


class _Supervisor:
    def __init__(self, static: StaticConfig, announce: Callable[[Running], None]) -> None:
        self._static = static
        self._announce = announce
        self._node = state.node_name(static.node)
        self._log = FactLog(lines_to(sys.stderr, static.log, static.log_level))
        logging.getLogger().addHandler(LibraryHandler(self._log))
        self._admin = AdminProcess(static, node=self._node, tell=self._tell)
        self._stopping = asyncio.Event()
        self._all_up = asyncio.Event()
        self._store = ""
        self._is_embedded = static.redis == "embedded"
        self._held: list[Held] = []
        self._workers: list[_Worker] = []
        self._up: mmap.mmap
        self._up_fd = -1
        self._understudy: Understudy

    async def run(self) -> int:
        """Start, serve, stop."""
        static, directory = self._static, Path(self._static.state)
        async with AsyncExitStack() as opened:
            try:
                state.prepare(directory)
                for name in (state.KEY_FILE, KEY_FILE) if not static.contacts_key else (state.KEY_FILE,):
                    state.secret(directory, name)  # made once, before several could
                embedded: EmbeddedStore | None = None
                if self._is_embedded:
                    embedded = await opened.enter_async_context(EmbeddedStore(directory / "store"))
                self._store = static.redis if embedded is None else embedded.url
                self._held = hold(static.listen, static.workers)
                for held in self._held:
                    opened.callback(held.close)
                page = _page(static, opened, self._pages)
            except (state.StateError, EmbeddedStoreError, BindError) as error:
                raise StartError(str(error)) from error
            opened.push_async_callback(self._admin.stop)
            self._make_workers(opened)
            async with asyncio.TaskGroup() as tasks:
                background = [tasks.create_task(embedded.keep())] if embedded is not None else []
                self._take_signals()
                lives = [tasks.create_task(self._live(worker)) for worker in self._workers]
                try:
                    refused = await self._first_start(lives)
                    if not refused and not self._stopping.is_set():
                        background.append(tasks.create_task(self._admin.run(self._store)))
                        self._announce(self._running(page))
                    await asyncio.gather(*[worker.over.wait() for worker in self._workers])
                finally:
                    for task in (*lives, *background):
                        task.cancel()
        if refused:
            raise StartError(refused)
        return 0

    # -- start -----------------------------------------------------------------------------------------------------

    def _make_workers(self, opened: AsyncExitStack) -> None:
        count = self._static.workers
        self._up_fd = os.memfd_create("edge-workers-up")
        opened.callback(os.close, self._up_fd)
        os.ftruncate(self._up_fd, count)
        self._up = mmap.mmap(self._up_fd, count)
        self._up[:] = b"\1" * count
        for number in range(count):
            outbox, inbox = pair()
            opened.callback(outbox.close)
            opened.callback(inbox.close)
            self._workers.append(_Worker(number, node_of(self._node, number), outbox, inbox))
        outboxes = tuple([worker.outbox for worker in self._workers])
        self._understudy = Understudy(self._held, outboxes, self._up, asyncio.get_running_loop())

    async def _first_start(self, lives: "list[asyncio.Task[None]]") -> str:
        """Until all serve, or the edge is told to stop; why one of them cannot serve, empty: none."""
        waits = [asyncio.ensure_future(one) for one in (self._all_up.wait(), self._stopping.wait())]
        await asyncio.wait([*waits, *lives], return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._all_up.is_set():
            return ""
        self._stop()
        return next((worker.refusal for worker in self._workers if worker.refusal), "")

    def _running(self, page: JoinedPage | None) -> Running:
        first = self._workers[0].running
        assert first is not None
        metrics = "" if page is None else f"{self._static.metrics.rpartition(':')[0]}:{page.port}"
        log = f"{Path(self._static.state)}/worker-*/cdr"
        store = "embedded" if self._is_embedded else self._store
        return first._replace(node=self._node, store=store, cdr_directory=log, metrics=metrics)

    # -- a worker's life -------------------------------------------------------------------------------------------

    async def _live(self, worker: _Worker) -> None:
        """Start it, and start it again, until it is over."""
        while worker.state is not State.OVER:
            begun = time.monotonic()
            why = await self._once(worker)
            worker.process = None
            is_first = worker.running is None
            self._happens(worker, Event.DIED)
            if worker.state is not State.RESTING:
                break
            if is_first and worker.refusal:
                worker.state = State.OVER
                break
            worker.deaths = deaths_after(worker.deaths, lived_s=time.monotonic() - begun)
            await self._rest(worker, worker.refusal or why)
        # Others may have calls for a while yet: they refuse what comes to this one.
        self._stand_in(worker)
        worker.over.set()

    def _stand_in(self, worker: _Worker) -> None:
        self._up[worker.number] = 0
        self._understudy.steps_in(worker.number)

    async def _rest(self, worker: _Worker, why: str) -> None:
        pause = pause_s(worker.deaths)
        self._tell(Fact("worker.died", {"node": worker.node, "why": why, "restart_s": pause}))
        if pause:
            self._stand_in(worker)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()
        self._happens(worker, Event.STOP if self._stopping.is_set() else Event.DUE)

    async def _once(self, worker: _Worker) -> str:
        """One process, from its start to its end; how it ended."""
        worker.refusal = ""
        shares = [held.share_of(worker.number, len(self._workers)) for held in self._held]
        inherited = [worker.inbox.fileno(), self._up_fd, *[one.outbox.fileno() for one in self._workers]]
        inherited += [one for share in shares for one in (share.known, share.strangers) if one >= 0]
        orders = Orders(
            static=settings_of(self._static, worker=worker.number, node=self._node, store=self._store),
            home=self._static.state,
            is_embedded=self._is_embedded,
            worker=worker.number,
            workers=len(self._workers),
            shares=tuple([(share.known, share.strangers) for share in shares]),
            inbox=worker.inbox.fileno(),
            outboxes=tuple([one.outbox.fileno() for one in self._workers]),
            up=self._up_fd,
            processor=_processor(worker.number) if self._static.workers_pin else -1,
        )
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "edge.workers.process"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=inherited,
                # Its own group: Ctrl-C in a terminal is for the supervisor, which hands it on once.
                start_new_session=True,
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        worker.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(orders.model_dump_json().encode() + b"\n")
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # died at once: its exit code says so
        async for line in process.stdout:
            self._said(worker, line)
        return exit_word(await process.wait())

    def _said(self, worker: _Worker, line: bytes) -> None:
        """Its one line: that it serves, or why it cannot."""
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            return  # a library's own word on standard output
        if "refused" in said:
            worker.refusal = str(said["refused"])
            return
        worker.running = Running(**said["running"])
        self._up[worker.number] = 1
        self._understudy.steps_back(worker.number)
        self._happens(worker, Event.READY)
        if worker.deaths:
            self._tell(Fact("worker.started", {"node": worker.node}))
        if all(one.running is not None for one in self._workers):
            self._all_up.set()

    def _happens(self, worker: _Worker, event: Event) -> None:
        row = move(worker.state, event)
        worker.state = row.next
        if row.deed is Deed.SIGNAL and worker.process is not None:
            self._signal(worker, signal.SIGTERM)

    # -- change and stop -------------------------------------------------------------------------------------------

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _reload(self) -> None:
        """SIGHUP is for each of them."""
        for worker in self._workers:
            if worker.state is State.UP:
                self._signal(worker, signal.SIGHUP)

    def _stop(self) -> None:
        """First signal: all drain. Second: none waits for its calls."""
        self._stopping.set()
        for worker in self._workers:
            self._happens(worker, Event.STOP)

    def _signal(self, worker: _Worker, number: signal.Signals) -> None:
        assert worker.process is not None
        with suppress(ProcessLookupError):  # it has ended, which is heard soon
            worker.process.send_signal(number)

    def _tell(self, fact: Fact) -> None:
        self._log.tell(fact, time.monotonic())

    def _pages(self) -> dict[str, str]:
        """By worker that is up: where its own page of metrics is."""
        return {
            worker.node: worker.running.metrics
            for worker in self._workers
            if worker.running is not None and worker.state in (State.UP, State.STOPPING)
        }


def _page(static: StaticConfig, opened: AsyncExitStack, pages: "Callable[[], dict[str, str]]") -> JoinedPage | None:
    if not static.metrics:
        return None
    try:
        page = JoinedPage(*parse_host_port(static.metrics), pages)
    except OSError as error:
        raise StartError(f"cannot serve metrics on {static.metrics}: {error.strerror}") from error
    opened.callback(page.close)
    return page


def _processor(worker: int) -> int:
    """Of those this process may use."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[worker % len(allowed)]
