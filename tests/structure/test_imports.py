"""Which way the dependencies point: the pure core stays pure, and each outside library has one door."""

import sys

import pytest

IMPURE = {"asyncio", "socket", "ssl", "time", "random", "secrets", "logging", "os", "threading", "subprocess", "select"}
PURE_ROOMS = (
    "edge.sip",
    "edge.proxy",
    "edge.policy",
    "edge.config.schema",
    "edge.config.parsing",
    "edge.config.snapshot",
    "edge.cdr.record",
    "edge.cdr.builder",
    "edge.cdr.instants",
    "edge.cdr.short_road",
    "edge.cdr.marks",
    "edge.cdr.schema",
    "edge.cdr.seal",
    "limits.model",
    "limits.rate",
    "limits.rates",
    "limits.account",
    "limits.frequency",
    "limits.share",
    "limits.counts",
    "limits.books",
    "limits.admission",
    "limits.foresight",
    "limits.memory",
    "limits.local",
    "limits.breaker",
    "limits.near_cache",
    "limits.turns",
    "limits.slots",
    "limits.address",
    "edge.config.deck",
    "edge.config.money",
    "edge.config.holders",
    "edge.config.accounts",
    "edge.config.calendar",
    "edge.config.hours",
    "edge.config.telemarketing",
    "edge.config.destinations",
    "edge.config.conduct",
    "edge.config.basis",
    "edge.config.plan",
    "edge.config.ruleset_schema",
    "edge.config.rulesets",
    "edge.config.rulebook",
    "edge.config.ownership",
    "edge.config.receiving",
    "edge.config.listing",
    "edge.config.faults",
)
QUALITY = (
    "batches",
    "billing",
    "counts",
    "entries",
    "guard",
    "hours",
    "penalties",
    "places",
    "rules",
    "sampling",
    "terms",
    "windows",
)
PURE_ROOMS += ("edge.config.quality", "limits.additions", "limits.chain", *[f"edge.quality.{room}" for room in QUALITY])
"""Counting, judging and billing are arithmetic."""
PURE_ROOMS += (
    "edge.config.alerts",
    *[f"edge.alerts.{room}" for room in ("kinds", "standing", "events", "conditions", "shape")],
    *[f"edge.workers.{room}" for room in ("ownership", "frames", "life")],
    "edge.transport.spreading",
    "edge.running",
)
PURE_ROOMS += ("edge.capacity.measured", "edge.capacity.model")
REDIS_DOORS = {
    "limits.alerts",
    "limits.audit",
    "edge.admin.store",
    "limits.redis_limiter",
    "limits.link",
    "limits.accounts",
    "limits.contacts",
    "limits.documents",
    "limits.nodes",
    "limits.notices",
    "limits.tallies",
    "limits.ledger",
    "limits.mailboxes",
    "limits.stores",
    "limits.cluster_map",
    "limits.embedded",
    "edge.config.source",
    "edge.cdr.delivery.stream",
}
EVENT_LOOP_FREE = ("edge.sip", "edge.proxy", "edge.policy")


def inside(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def top(name: str) -> str:
    return name.split(".")[0]


WORDS_OF_THE_LIMITS = ("limits.model", "limits.frequency", "limits.rates", "limits.local")
"""Verbs and answers; what a call costs; a node's share of a ceiling while the store is away. All pure."""


@pytest.mark.parametrize("room", PURE_ROOMS)
def test_a_pure_room_reaches_no_clock_socket_or_chance(sources, room):
    """Inputs and the time come in, actions go out: nothing else (rules 1 and 2)."""
    broken = {
        source.relative: sorted({top(name) for name in source.imports()} & IMPURE)
        for source in sources
        if inside(source.module, room) and {top(name) for name in source.imports()} & IMPURE
    }
    assert broken == {}


def test_sip_needs_the_standard_library_only(sources):
    """RFC 3261 on paper has no dependency (rule 1)."""
    foreign = {
        (source.relative, name)
        for source in sources
        if inside(source.module, "edge.sip")
        for name in source.imports()
        if top(name) not in sys.stdlib_module_names and not inside(name, "edge.sip", "edge") | (name == "edge")
    }
    assert set() == foreign


def test_sip_knows_no_other_room(sources):
    """The SIP room knows neither proxy nor policy nor limits (rule 1)."""
    known = {
        (source.relative, name)
        for source in sources
        if inside(source.module, "edge.sip")
        for name in source.imports()
        if inside(name, "edge", "limits") and not inside(name, "edge.sip") and name != "edge"
    }
    assert set() == known


def test_limits_never_imports_edge(sources):
    """The limits know accounts, ceilings and leases, and nothing of SIP (rule 3)."""
    broken = [
        source.relative
        for source in sources
        if inside(source.module, "limits") and "edge" in map(top, source.imports())
    ]
    assert broken == []


def test_the_core_knows_only_the_words_of_the_limits(sources):
    """Policy and proxy speak the limiter's words and hold no limiter (rule 3)."""
    broken = {
        (source.relative, name)
        for source in sources
        if inside(source.module, "edge.proxy", "edge.policy")
        for name in source.imports()
        if top(name) == "limits" and name != "limits" and not inside(name, *WORDS_OF_THE_LIMITS)
    }
    assert set() == broken


def test_policy_does_not_know_the_proxy(sources):
    """A decision about an attempt needs no call (rule 3)."""
    broken = [
        s.relative
        for s in sources
        if inside(s.module, "edge.policy") and any(inside(n, "edge.proxy") for n in s.imports())
    ]
    assert broken == []


def test_only_the_commands_start_the_server(sources):
    """The composition root is imported by the command line, also by that of a worker, and nobody else (rule 4)."""
    importers = {source.module for source in sources if any(inside(name, "edge.server") for name in source.imports())}
    assert importers <= {"edge.commands", "edge.workers.process"}


def test_http_has_one_room(sources):
    """The HTTP server and what belongs to it are known in the admin room only, and that room is no part of an edge."""
    importers = {s.module for s in sources if {top(name) for name in s.imports()} & {"fastapi", "starlette", "uvicorn"}}
    assert {module for module in importers if not inside(module, "edge.admin")} == set()
    known = {s.module for s in sources if any(inside(name, "edge.admin") for name in s.imports())}
    assert {module for module in known if not inside(module, "edge.admin")} <= {
        "edge.commands",
        "edge.server",
        "edge.workers.supervisor",
    }
    eager = next(s for s in sources if s.module == "edge.admin.orders")
    assert {top(name) for name in eager.imports()} & {"fastapi", "starlette", "uvicorn", "httpx", "jwt"} == set()


def test_redis_has_few_doors(sources):
    """Each Redis client lives behind a contract (rule 4)."""
    importers = {source.module for source in sources if {top(name) for name in source.imports()} & {"redis", "hiredis"}}
    assert importers <= REDIS_DOORS


def test_quality_is_not_in_the_way_of_a_call(sources):
    """It reads records that were written: nothing that carries calls knows it."""
    rooms = ("edge.sip", "edge.proxy", "edge.policy", "edge.config", "edge.transport", "edge.pump", "limits")
    broken = [
        s.relative for s in sources if inside(s.module, *rooms) and any(inside(n, "edge.quality") for n in s.imports())
    ]
    assert broken == []


def test_alerts_are_not_in_the_way_of_a_call(sources):
    """They look on from the delivery process: nothing that carries calls knows them."""
    rooms = ("edge.sip", "edge.proxy", "edge.policy", "edge.transport", "edge.pump", "edge.control", "limits")
    broken = [
        s.relative for s in sources if inside(s.module, *rooms) and any(inside(n, "edge.alerts") for n in s.imports())
    ]
    assert broken == []


def test_postgresql_has_one_door(sources):
    """The driver is an extra: nothing else may need it, and what needs it is imported only where it is asked for."""
    importers = {source.module for source in sources if "psycopg" in {top(name) for name in source.imports()}}
    assert importers == {"edge.cdr.delivery.postgres"}
    known = {s.module for s in sources if any(inside(n, "edge.cdr.delivery.postgres") for n in s.imports())}
    assert known == {"edge.cdr.delivery.build"}


def test_opentelemetry_has_one_door(sources):
    """An extra too."""
    importers = {source.module for source in sources if "opentelemetry" in {top(name) for name in source.imports()}}
    assert importers == {"edge.cdr.delivery.spans"}
    known = {s.module for s in sources if any(inside(n, "edge.cdr.delivery.otlp") for n in s.imports())}
    assert known == {"edge.cdr.delivery.build"}


def test_facts_are_read_by_the_rim_and_read_nothing_of_it(sources):
    """The core tells facts; telemetry and CDR consume them, never the other way round."""
    broken = {
        (source.relative, name)
        for source in sources
        if inside(source.module, "edge.sip", "edge.proxy", "edge.policy", "edge.config")
        for name in source.imports()
        if inside(name, "edge.telemetry", "edge.cdr", "edge.transport", "edge.server", "edge.commands")
    }
    assert set() == broken


def test_an_init_file_only_names_what_the_room_offers(sources):
    """No logic hides in `__init__.py`: re-exports, a docstring, the version."""
    import ast

    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    broken = [s.relative for s in sources if s.is_package and any(not isinstance(n, allowed) for n in s.tree.body)]
    assert broken == []
