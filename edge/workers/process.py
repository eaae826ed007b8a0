"""One SIP worker (I/O): `edge run` among others, with what its supervisor gave it.

`python -m edge.workers.process` reads one line of JSON (`Orders`) from standard input, which stays open as long as the
supervisor lives, and says one on standard output: that it serves, or why it cannot.
"""

import os
import sys
from contextlib import suppress

import orjson

from edge import server
from edge.config.static import StaticConfig
from edge.running import Running, StartError
from edge.workers.place import Orders, place_of


def main() -> int:
    """Exit code 1: it could not start."""
    line = sys.stdin.buffer.readline()
    if not line:
        return 0  # the supervisor ended before it could say what is to be done
    orders = Orders.model_validate_json(line)
    if orders.processor >= 0:
        with suppress(OSError):  # a sandbox may forbid it
            os.sched_setaffinity(0, {orders.processor})
    static = StaticConfig.model_validate(orders.static)
    try:
        return server.run(static, _announce, place_of(orders))
    except StartError as error:
        _say({"refused": str(error)})
        return 1


def _announce(running: Running) -> None:
    _say({"running": running._asdict()})


def _say(what: dict[str, object]) -> None:
    sys.stdout.buffer.write(orjson.dumps(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(main())
