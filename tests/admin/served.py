"""The admin API behind a real uvicorn, in a thread of this process."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from desk import provided

from edge.admin.app import make_operations
from edge.admin.gate import Gate
from edge.admin.orders import Orders
from edge.admin.process import _config, _Server
from edge.admin.services import open_services
from edge.admin.throttle import Pace

UNBOUND = Pace(100_000.0, 100_000)


class Served:
    """Where it is, and a token of an admin."""

    url = ""
    token = ""


@contextmanager
def served(store_url: str, state: Path) -> Iterator[Served]:
    """Serve until the end of the block. Nobody is slowed down."""
    found, ready, ended = Served(), threading.Event(), threading.Event()

    async def serve() -> None:
        orders = Orders(listen="127.0.0.1:0", store=store_url, state=str(state), node="n1")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            found.url = f"http://127.0.0.1:{taken.getsockname()[1]}"
            async with open_services(orders, lambda fact: None) as services:
                gate = Gate(make_operations(), services, of_address=UNBOUND, of_principal=UNBOUND)
                found.token = await provided(services, "admin", "admin")
                server = _Server(_config(orders, gate, None))
                serving = asyncio.ensure_future(server.serve(sockets=[taken]))
                ready.set()
                await asyncio.to_thread(ended.wait)
                server.should_exit = True
                await serving

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20), "the admin API did not start"
        yield found
    finally:
        ended.set()
        thread.join(20)
