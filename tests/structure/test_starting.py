"""What a process loads when it starts: what it needs, and not what another process of the edge needs."""

import subprocess
import sys

import pytest

FOREIGN = {"fastapi", "httpx", "jwt", "psycopg", "rich", "starlette", "tomlkit", "uvicorn"}
"""Of the admin API, the command line, and sinks: never beside calls, nor beside what delivers records."""
CALLS = "edge.server"
DELIVERY = "edge.cdr.delivery.process"


def loaded_by(module: str) -> frozenset[str]:
    """Names of the modules that there are once this one is imported, in a process of its own."""
    code = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return frozenset(run.stdout.split())


def of(rooms: set[str], loaded: frozenset[str]) -> list[str]:
    """What is loaded of these rooms."""
    return sorted(name for name in loaded if any(name == room or name.startswith(room + ".") for room in rooms))


def test_the_process_that_carries_calls_loads_no_other_one():
    """Delivery, alerts and the counting of quality are another process; names, certificates and the metrics page are
    loaded by an edge that has them."""
    others = {
        DELIVERY,
        "edge.cdr.delivery.build",
        "edge.cdr.delivery.runner",
        "edge.alerts.service",
        "edge.alerts.watch",
    }
    others |= {"edge.quality.service", "edge.quality.tally", "edge.admin.process", "edge.admin.app", "edge.demo"}
    lazy = {"dns", "cryptography.x509", "prometheus_client"}

    assert of(FOREIGN | others | lazy, loaded_by(CALLS)) == []


def test_the_delivery_process_loads_no_core_and_no_policy():
    """It reads records: the core is not there to read them, nor are sinks where none is written."""
    calls = {
        "edge.sip",
        "edge.policy",
        "edge.transport",
        "edge.server",
        "edge.pump",
        "edge.proxy.core",
        "edge.proxy.call",
    }
    policy = {"edge.config.schema", "edge.config.snapshot", "edge.config.static", "edge.config.sinks"}

    assert of(FOREIGN | calls | policy | {"uvloop", "dns", "prometheus_client"}, loaded_by(DELIVERY)) == []


@pytest.mark.parametrize("module", [CALLS, DELIVERY])
def test_the_test_would_see_it(module):
    """The names are names of modules that there are."""
    loaded = loaded_by(module)

    assert {module, "edge.proxy.facts", "pydantic", "redis"} <= loaded


def test_a_command_loads_without_looking_through_what_it_has_loaded():
    """No full collection on the way to a running edge: there is nothing to be found yet."""
    code = (
        "import gc, sys\n"
        "from edge import commands\n"
        "before = gc.get_stats()[2]['collections']\n"
        "sys.argv = ['edge', '--version']\n"
        "try:\n    commands.main()\n"
        "except SystemExit:\n    pass\n"
        "import edge.server\n"
        "print(gc.get_stats()[2]['collections'] - before)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.splitlines()[-1] == "0"
