"""Composition root (I/O): builds every object and joins them; start, reload, drain, stop.

The only room that knows all others. Nothing is decided here.
"""

import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from edge import state
from edge.admin.supervisor import AdminProcess
from edge.bookkeeping import Bookkeeping
from edge.cdr.builder import CdrBuilder
from edge.cdr.delivery.credentials import SinkError
from edge.cdr.delivery.supervisor import DeliveryProcess
from edge.cdr.opening import judge, keep, open_log, what_is_left
from edge.cdr.recent import Recent
from edge.cdr.unleased import Unleased
from edge.cdr.verdicts import Verdicts
from edge.cdr.writer import CdrError, CdrWriter
from edge.children import end_of_input
from edge.clock import SystemClock
from edge.collector import Collector
from edge.config.addresses import parse_host_port
from edge.config.errors import PolicyError
from edge.config.snapshot import PolicySnapshot
from edge.config.static import StaticConfig
from edge.contacts.key import KEY_FILE, read_key
from edge.control.channel import ControlChannel
from edge.control.meter import Meter
from edge.endings import end_all, until_idle
from edge.load_watch import LoadWatch
from edge.neighbours import Neighbours
from edge.policies.keeping import PolicyKeeper
from edge.proxy.core import ProxyCore
from edge.proxy.facts import Fact
from edge.proxy.identifiers import FreshTokens, Identifiers
from edge.proxy.listeners import Listeners
from edge.proxy.node import Settings
from edge.pump import Outlets, Pump
from edge.running import Running, StartError
from edge.settings import notes_of
from edge.store_start import open_policy, open_store, settle_again
from edge.telemetry.account_totals import AccountTotals
from edge.telemetry.lines import lines_to
from edge.telemetry.logs import FactLog, LibraryHandler
from edge.telemetry.sources import Sources
from edge.telemetry.totals import CallTotals
from edge.transport.certificates import Certificates, TlsError
from edge.transport.connections import Connections
from edge.transport.endpoints import BindError, Bound, bind, bounds_of, certificates_of
from edge.transport.resolver import Resolver
from edge.trunks.following import OrderFollower
from edge.trunks.passwords import read_passwords
from edge.workers.handover import Handover
from edge.workers.place import Place
from limits.cluster_limiter import ClusterLimiter
from limits.embedded import EmbeddedStore
from limits.errors import EmbeddedStoreError
from limits.open_limiter import open_limiter
from limits.redis_limiter import RedisLimiter

if TYPE_CHECKING:
    from edge.telemetry.metrics import MetricsPage

LAST_WORDS_S = 3.0
"""After the drain, how long the BYEs of the calls that were left may take to be answered."""
WATCH_S = 0.5
"""How often the state of store and disk is looked at."""


def run(static: StaticConfig, announce: Callable[[Running], None], place: Place | None = None) -> int:
    """Run an edge until it is told to stop; returns the exit code. Raises StartError.

    `announce` is called once, when every listener is bound and the store has answered. `place`: it is one of several
    workers."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_Server(static, announce, place).run())
        except ExceptionGroup as group:
            # The tasks of the server are a group: what ends its start comes wrapped.
            found = group.exceptions[0]
            if isinstance(found, StartError):
                raise found from None
            raise


class _Server:
    def __init__(self, static: StaticConfig, announce: Callable[[Running], None], place: Place | None) -> None:
        self.static = static
        self._place = place
        self._announce = announce
        self._clock = SystemClock()
        self._now = self._clock.now
        self.node = state.node_name(static.node)
        self._admin = AdminProcess(static, node=self.node, tell=self._tell)
        self._log = FactLog(lines_to(sys.stderr, static.log, static.log_level))
        logging.getLogger().addHandler(LibraryHandler(self._log))
        self._totals = CallTotals(AccountTotals(top=static.metrics_top, named=static.metrics_accounts))
        self._meter = Meter(self._now())
        self._was_up = True
        self._stopping = asyncio.Event()
        self._url = ""
        self.metrics = ""
        self._hurry = asyncio.Event()
        self._certificates: Certificates | None = None
        self.policy: PolicyKeeper
        self.listeners: Listeners
        self.writer: CdrWriter
        self._unleased: Unleased
        self._recent: list[Recent]
        self._verdicts: Verdicts
        self._bound: Bound
        self._connections: Connections
        self._core: ProxyCore
        self._neighbours: Neighbours
        self._control: ControlChannel
        self._pump: Pump
        self._outlets: Outlets
        self._limiter: RedisLimiter | ClusterLimiter
        self._load: LoadWatch
        self._delivery: DeliveryProcess
        self._tasks: asyncio.TaskGroup
        self._loop: asyncio.AbstractEventLoop
        self._handover: Handover | None

    async def run(self) -> int:
        """Start, serve, drain, stop."""
        self._loop = asyncio.get_running_loop()
        self._pump = Pump(self._loop, self._now)
        self._handover = None if self._place is None else Handover(self._place.desk, self._pump, self._now)
        directory = Path(self.static.state)
        home = directory if self._place is None else self._place.home
        async with AsyncExitStack() as opened:
            try:
                state.prepare(directory)
                self.policy = PolicyKeeper(self.static.policy, self._tell)
                secret = state.secret(home)
                named = self.static.contacts_key
                self.policy.contacts_key = read_key(Path(named)) if named else state.secret(home, KEY_FILE)
                now = self._now()
                embedded: EmbeddedStore | None = None
                if self.static.redis == "embedded":
                    embedded = await opened.enter_async_context(EmbeddedStore(directory / "store"))
                url = self.static.redis if embedded is None else embedded.url
                # Delivery ends after the last record is written and before the store does: it counts there.
                self._delivery = DeliveryProcess(
                    self.static, node=self.node, last_seq=lambda: self.writer.last_seq, tell=self._tell
                )
                opened.push_async_callback(self._delivery.stop)
                opened.push_async_callback(self._admin.stop)
                self.writer = open_log(self.static, wall0=self._clock.wall(now), mono0=now, tell=self._tell)
                opened.callback(lambda: self.writer.close(self._now()))
                self._unleased, self._recent = what_is_left(self.writer, directory, self._clock.wall(now), self._tell)
                opened.callback(self._unleased.close)
                self._verdicts = judge(self.writer, node=self.node, tell=self._tell)
                self._bind(opened)
                is_embedded = embedded is not None if self._place is None else self._place.is_embedded
                await open_policy(self.policy, url, is_embedded=is_embedded)
                self._limiter = open_limiter(
                    self._pump.deliver,
                    url,
                    deadline_s=self.static.decision_deadline_ms / 1000,
                    journal=directory / "settlements",
                    on_epoch=self._lost_data,
                    on_settled=self._verdicts.final,
                )
                self._verdicts.join(self._limiter)
            except (
                state.StateError, CdrError, SinkError, EmbeddedStoreError, PolicyError, TlsError, BindError, ValueError
            ) as error:  # fmt: skip
                raise StartError(str(error)) from error
            self._build_core(secret)
            self._neighbours = Neighbours(
                url,
                node=self.node,
                core=self._core,
                limiter=self._limiter,
                tell=self._tell,
                turn=self._pump.turn,
                stirred=lambda timeout_s: self._pump.stirred(timeout_s, self._core.has_news),
                closed=self._unleased.over,
                now=self._now,
                takeover_s=self.static.takeover_s,
                lease_ms=round(self.static.lease_s * 1000),
            )
            self._load = LoadWatch(self._core, self._bound, self._now, self._pump.turn, self._pump.stirred, self._tell)
            self._books = Bookkeeping(url, holders=self._core.calls.holders, tell=self._tell)
            sources = self._sources()
            self._control = ControlChannel(
                url, sources, core=self._core, meter=self._meter, clock=self._clock, listeners=self.listeners,
                turn=self._pump.turn, tell=self._tell, is_stopping=self._stopping.is_set,
            )  # fmt: skip
            self._control.tap.switch = self._pump.show_to
            if self.static.metrics:
                page = _metrics_page(self.static.metrics, sources)
                opened.callback(page.close)
                self.metrics = f"{self.static.metrics.rpartition(':')[0]}:{page.port}"
            self._url = url
            await self._serve(url, embedded, is_embedded=is_embedded)
            self._log.tell_suppressed(self._now())
        return 0

    async def _serve(self, url: str, embedded: EmbeddedStore | None, *, is_embedded: bool) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._connections.join(self._loop, tasks)
            self._pump.join(self._core, self._outlets, tasks)
            background = [
                tasks.create_task(self._limiter.run()),
                tasks.create_task(self.writer.run()),
                tasks.create_task(self._unleased.run()),
                tasks.create_task(self._verdicts.run(lambda: self.writer.backlog)),
                tasks.create_task(keep(self.static, self._tell)),
                tasks.create_task(self._watch()),
                tasks.create_task(self._delivery.run(url)),
                tasks.create_task(self._admin.run(url)),
                tasks.create_task(self._connections.run()),
            ]
            if embedded is not None:
                background.append(tasks.create_task(embedded.keep()))
            try:
                await open_store(self._limiter, self.policy, url, self._now)
                await settle_again(self._limiter, self._verdicts, self._clock.wall(self._now()), self._tell)
                self._orders = OrderFollower(url, take=self._pump.trunks_ordered, tell=self._tell)
                await self._orders.begin()
                await self._neighbours.come_home()
                background += [
                    tasks.create_task(self._neighbours.run()),
                    tasks.create_task(self._neighbours.listen()),
                    tasks.create_task(self._books.run()),
                    tasks.create_task(self._orders.run()),
                    tasks.create_task(self._orders.listen()),
                    tasks.create_task(self._control.listen()),
                    tasks.create_task(self._control.show()),
                    tasks.create_task(self._control.hand_on()),
                ]
                background += self.policy.begin(self._policy_changed, tasks)
                self._take_signals()
                self._tell(Fact("edge.started", {"node": self.node, "listeners": len(self.listeners.all)}))
                for note in notes_of(self.static):
                    self._tell(Fact("settings.note", {"why": note}))
                if self._handover is not None:
                    self._handover.join(self._connections, self._loop)
                    await self._handover.introduced()
                    background.append(tasks.create_task(self._until_alone()))
                self._bound.start(self._loop)
                background.append(tasks.create_task(self._load.run()))
                collector = Collector(lambda: self._core.timers, self._now)
                collector.start()
                background.append(tasks.create_task(collector.run()))
                self._announce(self._running("embedded" if is_embedded else url))
                await self._stopping.wait()
                await self._drain()
            finally:
                if self._handover is not None:
                    self._handover.leave(self._loop)
                self._connections.close()
                await end_all(background)
                if self._stopping.is_set():
                    await self._control.leave()

    # -- start -----------------------------------------------------------------------------------------------------

    def _bind(self, opened: AsyncExitStack) -> None:
        """Bind every listener; certificates are read before any port is taken."""
        static = self.static
        self._certificates = certificates_of(static)
        pump, handover, place = self._pump, self._handover, self._place
        if handover is None or place is None:
            self._connections = Connections(pump, bounds_of(static), self._certificates, self._now)
            bound = bind(static.listen, pump.received, pump.turn, self._connections, self._certificates, pump.waited)
        else:
            desk = place.desk
            self._connections = Connections(
                handover, bounds_of(static), self._certificates, self._now, worker=desk.worker, workers=desk.workers
            )
            bound = bind(
                static.listen, handover.received, pump.turn, self._connections, self._certificates, pump.waited,
                place.shares, handover,
            )  # fmt: skip
        opened.callback(bound.close, self._loop)
        self._bound = bound
        self.listeners = bound.listeners

    def _build_core(self, secret: bytes) -> None:
        static = self.static
        settings = Settings(
            node=self.node,
            lease_ms=round(static.lease_s * 1000),
            renew_s=static.renew_s,
            quantum_s=static.hold_s,
            max_duration_s=static.max_duration_s,
            session_expires_s=static.session_expires_s,
            min_session_s=static.min_session_s,
            probe_s=static.probe_s,
            probe_failures=static.probe_failures,
            max_calls=static.max_calls,
            overload_wait_s=static.overload_wait_ms / 1000,
            overload_floor=static.overload_floor,
            worker=0 if self._place is None else self._place.desk.worker,
            workers=1 if self._place is None else self._place.desk.workers,
        )
        now = self._now()
        self._core = ProxyCore(
            settings=settings,
            listeners=self.listeners,
            identifiers=Identifiers(secret=secret, fresh=FreshTokens(os.urandom), contacts=self.policy.contacts_key),
            snapshot=self.policy.snapshot,
            draw=random.random,
            now=now,
            wall_offset=self._clock.wall(now) - now,
            passwords=read_passwords(self.policy.snapshot.document, self._tell),
        )
        offset = self._clock.wall(now) - now
        self._core.remember([(one.uid, one.status, one.at - offset) for one in self._recent], self._unleased.left())
        self._outlets = Outlets(
            self._bound.endpoints,
            self._limiter,
            self.writer,
            CdrBuilder(self.node, wall0=self._clock.wall(now), mono0=now),
            self._unleased,
            self._verdicts,
            self._totals,
            self._meter,
            Resolver(self.listeners.paths, static.dns),
            self._tell,
        )

    def _lost_data(self, epoch: str) -> None:
        """The store has begun another life: everything it must know is brought in again."""
        self._pump.watch.forget()
        self._tasks.create_task(self._neighbours.recount(self.policy.provision))

    def _take_signals(self) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(name, self._stop)
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _sources(self) -> Sources:
        core = self._core
        return Sources(
            node=self.node,
            counters=core.counters,
            totals=self._totals,
            limiter=self._limiter,
            cdr=self.writer,
            verdicts=self._verdicts,
            log=self._log,
            transactions=lambda: core.transactions,
            timers=lambda: core.timers,
            leases=lambda: core.leases,
            trunk_states=lambda: core.trunk_states,
            trunks_registered=lambda: core.registered(self._now()),
            trunk_orders=lambda: dict.fromkeys(core.trunk_orders, 1),
            trunk_asr=lambda: core.trunk_asr(self._now()),
            trunk_limits=lambda: core.trunk_limits,
            policy_generation=lambda: self.policy.snapshot.generation,
            policy_offered=lambda: self.policy.offered,
            policy_is_stale=lambda: self.policy.is_stale,
            is_draining=lambda: core.is_draining,
            books_broken=lambda: self._books.broken,
            answers_broken=lambda: self._pump.watch.broken,
            delivery=self._delivery,
            streams=self._connections.counters,
            names=self._outlets.resolver,
            load=self._load,
            overload=core.overload,
            asked_percent=lambda: core.asked_percent,
            throttled=lambda: core.throttled,
            bans=core.sources.bans,
            account_calls=lambda: _leases_of(core, self._totals.accounts.shown(self._now())),
            account_ceilings=lambda: _ceilings_of(core, self._totals.accounts.shown(self._now())),
            now=self._now,
            handover={}.copy if self._handover is None else self._handover.counts,
            certificate_ends=lambda: {} if self._certificates is None else self._certificates.not_after,
        )

    def _running(self, store: str) -> Running:
        snapshot = self.policy.snapshot
        trunks = snapshot.trunks.values()
        return Running(
            self.node,
            tuple([listener.name for listener in self.listeners.all]),
            self.static.policy,
            snapshot.generation,
            len(snapshot.accounts),
            store,
            str(self.writer.directory),
            self.metrics,
            next(((one.host, one.port or 5060) for one in trunks if one.host.startswith("127.")), None),
        )

    def _tell(self, fact: Fact) -> None:
        now = self._now()
        self._log.tell(fact, now)
        self._meter.heard(fact, now)

    async def _watch(self) -> None:
        """Tell when the store goes and comes, and retry what the disk had refused."""
        while True:
            await asyncio.sleep(WATCH_S)
            now = self._now()
            if self._limiter.is_up != self._was_up:
                self._was_up = self._limiter.is_up
                why = {} if self._was_up else {"why": self._limiter.last_fault}
                self._tell(Fact("store.up" if self._was_up else "store.away", {**why}))
            self._core.refuse_attempts(self.writer.is_full and self.static.cdr_full == "refuse")
            self.writer.flush(now)
            self._log.tell_suppressed(now)
            if self._handover is not None:
                self._handover.look()
            if self._handover is not None and self._place is not None and not self._place.desk.worker:
                registered = self._core.registered(now)
                if registered:
                    self._handover.tell_registered(registered)

    # -- change and stop -------------------------------------------------------------------------------------------

    def _policy_changed(self, snapshot: PolicySnapshot) -> None:
        self._pump.policy_changed(snapshot, read_passwords(snapshot.document, self._tell))

    def _reload(self) -> None:
        """SIGHUP: certificates, passwords and policy are taken anew; what does not build changes nothing."""
        self._reload_certificates()
        self._policy_changed(self.policy.snapshot)
        self.policy.reload_soon()

    def _reload_certificates(self) -> None:
        """In force for the next connection; those that are up go on."""
        if self._certificates is None:
            return
        try:
            self._certificates.reload()
        except TlsError as error:
            self._tell(Fact("tls.refused", {"why": str(error)}))
        else:
            self._tell(Fact("tls.loaded", {"certificates": len(self._certificates.not_after)}))

    async def _until_alone(self) -> None:
        """A worker whose supervisor is gone ends as if it had been killed with it: its calls are for whoever is started
        next, who needs the ports."""
        await end_of_input()
        if not self._stopping.is_set():
            os._exit(1)

    def _stop(self) -> None:
        """First signal: drain. Second: do not wait for the calls."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def _drain(self) -> None:
        """Take no new attempts, wait for the calls, hang up what is left, and let the store know of it all."""
        core = self._core
        core.drain()
        calls = core.counters.calls_live
        self._tell(Fact("edge.draining", {"calls": calls, "drain_s": self.static.drain_s}))
        await until_idle(self._pump, self.static.drain_s, self._hurry)
        left = core.counters.calls_live
        if left:
            core.hang_up_all("edge_stopped", self._now())
            self._pump.turn()
            await until_idle(self._pump, LAST_WORDS_S, None)
        core.last_records()
        core.unregister(self._now())
        self._pump.turn()
        if core.unregistering:
            await until_idle(self._pump, LAST_WORDS_S, None)
        await self._limiter.drained(timeout_s=LAST_WORDS_S)
        if not self.writer.backlog:
            await self._verdicts.save()
        self._tell(Fact("edge.stopped", {"calls_hung_up": left, "cdrs": self.writer.written}))


def _metrics_page(address: str, sources: Sources) -> "MetricsPage":
    from edge.telemetry.metrics import MetricsPage

    try:
        return MetricsPage(*parse_host_port(address), sources)
    except OSError as error:
        raise StartError(f"cannot serve metrics on {address}: {error.strerror}") from error


def _leases_of(core: ProxyCore, accounts: tuple[str, ...]) -> dict[str, int]:
    holding = core.in_use
    return {account: holding.get(account, 0) for account in accounts}


def _ceilings_of(core: ProxyCore, accounts: tuple[str, ...]) -> dict[str, int]:
    found = {account: core.ceilings(account) for account in accounts}
    return {account: 0 if ceilings is None else ceilings.calls for account, ceilings in found.items()}
