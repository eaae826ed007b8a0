"""The edge's side of its admin process: started where an address is given, started again when it dies (I/O).

Nothing of the HTTP server is imported here: what it does must not cost the calls a microsecond of the interpreter.
"""

from collections.abc import Callable

from edge.admin.orders import FINISH_S, orders_of
from edge.children import Child
from edge.config.static import StaticConfig
from edge.proxy.facts import Fact


class AdminProcess:
    """One for each edge; none where no address is given."""

    def __init__(self, static: StaticConfig, *, node: str, tell: Callable[[Fact], None]) -> None:
        self._static = static
        self._node = node
        self._child = Child("edge.admin.process", died="admin.died", finish_s=FINISH_S, tell=tell, speaks=True)

    async def run(self, store: str) -> None:
        """Until cancelled: keep one running. `store`: URL of the store."""
        if self._static.admin:
            orders = orders_of(self._static, node=self._node, store=store)
            await self._child.run(lambda _: orders.model_dump_json())

    async def stop(self) -> None:
        """Let the requests under way end."""
        await self._child.stop()
