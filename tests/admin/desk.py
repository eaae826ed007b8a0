"""An admin API in this process, and clients of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from edge.admin import tokens
from edge.admin.app import make_app
from edge.admin.gate import Gate
from edge.admin.orders import Orders
from edge.admin.services import Services, open_services
from edge.config.access import RoleName
from edge.proxy.facts import Fact
from limits.account import Account, AccountId


class AdminDesk:
    """The application with its services, the facts that it told, and clients."""

    def __init__(self, app: Gate, services: Services, facts: list[Fact], opened: AsyncExitStack) -> None:
        self.app = app
        self.services = services
        self.facts = facts
        self._opened = opened

    async def token(self, role: RoleName, *, name: str = "", accounts: tuple[str, ...] = (), life_ms: int = 0) -> str:
        """The text of a new token."""
        return await provided(self.services, role, name or role, accounts=accounts, life_ms=life_ms)

    async def client(self, role: RoleName, *, accounts: tuple[str, ...] = (), name: str = "") -> httpx.AsyncClient:
        """Somebody with this role."""
        token = await self.token(role, accounts=accounts, name=name)
        return await self.stranger({"Authorization": f"Bearer {token}"})

    async def stranger(self, headers: dict[str, str] | None = None, *, address: str = "192.0.2.1") -> httpx.AsyncClient:
        """Somebody at this address."""
        transport = httpx.ASGITransport(self.app, client=(address, 50_000), raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://admin", headers=headers)
        return await self._opened.enter_async_context(client)

    async def account(self, name: str = "acme", **values: object) -> None:
        """An account in the store."""
        await self.services.accounts.provision([Account(AccountId(name), **values)])


async def provided(
    services: Services, role: RoleName, name: str, *, accounts: tuple[str, ...] = (), life_ms: int = 0
) -> str:
    """The text of a new token."""
    now = services.wall_ms()
    ends = now + (life_ms or tokens.DAY_MS)
    made, text = tokens.make(name, role, now_ms=now, expires_ms=ends, by="test", accounts=accounts)
    await services.store.put_token(made.id, made.to_text())
    return text


@asynccontextmanager
async def open_desk(store_url: str, state: Path, **more: object) -> AsyncIterator[AdminDesk]:
    """An admin API over this store."""
    facts: list[Fact] = []
    orders = Orders(listen="127.0.0.1:0", store=store_url, state=str(state), node="n1", **more)
    async with open_services(orders, facts.append) as services, AsyncExitStack() as opened:
        yield AdminDesk(make_app(services), services, facts, opened)
