"""What the operations of the admin API work with: the store's rooms and what this process was told. I/O."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.admin.access import Access
from edge.admin.audit import Audit
from edge.admin.metrics import Metrics
from edge.admin.oidc import OidcProvider
from edge.admin.orders import Orders
from edge.admin.policies import Policies
from edge.admin.store import AdminStore
from edge.admin.stream import Live
from edge.config.trunk_orders import DOCUMENT as TRUNK_ORDERS
from edge.control.client import Control
from edge.proxy.facts import Fact
from edge.quality.desk import Desk
from edge.quality.terms import DOCUMENT, read_terms
from limits.accounts import AccountStore
from limits.alerts import AlertStore
from limits.audit import AuditLog
from limits.documents import DocumentStore
from limits.ledger import Ledger
from limits.tallies import TallyStore

READERS = 2
"""Searches, exports and replays that run at one time: each has a thread."""


@dataclass(frozen=True)
class Services:
    """Open as long as the process runs."""

    orders: Orders
    store: AdminStore
    accounts: AccountStore
    documents: DocumentStore
    trunk_orders: DocumentStore
    tallies: TallyStore
    ledger: Ledger
    audit_log: AuditLog
    audit: Audit
    access: Access
    provider: OidcProvider | None
    control: Control
    policies: Policies
    live: Live
    alerts: AlertStore
    tell: Callable[[Fact], None]
    metrics: Metrics = field(default_factory=Metrics)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS))

    @property
    def state(self) -> Path:
        """The state directory of the edge beside us."""
        return Path(self.orders.state)

    async def desk(self) -> Desk:
        """What quality and penalties work with, and what is in force of them now. Raises StoreUnavailable."""
        return Desk(self.tallies, self.ledger, self.accounts, read_terms(await self.tallies.document(DOCUMENT)))

    def wall_ms(self) -> int:
        """UTC milliseconds of this machine."""
        return wall_ms()


def wall_ms() -> int:
    """UTC milliseconds of this machine."""
    return int(time.time() * 1_000)


@asynccontextmanager
async def open_services(orders: Orders, tell: Callable[[Fact], None]) -> AsyncIterator[Services]:
    """Everything opened; nothing is asked of the store yet. Raises ValueError where its URL is none, or a file of the
    OpenID provider cannot be read."""
    async with AsyncExitStack() as opened:
        provider = await opened.enter_async_context(OidcProvider(orders.oidc)) if orders.oidc.issuer else None
        store = await opened.enter_async_context(AdminStore(orders.store))
        documents = await opened.enter_async_context(DocumentStore(orders.store))
        audit_log = await opened.enter_async_context(AuditLog(orders.store))
        accounts = await opened.enter_async_context(AccountStore(orders.store))
        alerts = await opened.enter_async_context(AlertStore(orders.store))
        control = await opened.enter_async_context(Control(orders.store))
        yield Services(
            orders=orders,
            store=store,
            accounts=accounts,
            documents=documents,
            trunk_orders=await opened.enter_async_context(DocumentStore(orders.store, TRUNK_ORDERS)),
            policies=Policies(documents, orders.policy),
            tallies=await opened.enter_async_context(TallyStore(orders.store)),
            ledger=await opened.enter_async_context(Ledger(orders.store)),
            audit_log=audit_log,
            audit=Audit(audit_log, node=orders.node),
            access=Access(store, provider, wall_ms),
            provider=provider,
            control=control,
            live=Live(control, accounts, alerts, wall_ms),
            alerts=alerts,
            tell=tell,
        )
