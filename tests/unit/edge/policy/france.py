"""One network for the tests of French law: customers, a dialler, a neighbour abroad and one at home."""

from datetime import UTC, datetime
from functools import cache

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot

ACCOUNTS = """
[[accounts]]
id = "person"
cli = {{ numbers = [{listed}] }}
tags = [{tags}]

[[accounts]]
id = "robot"
kind = "automated"
cli = {{ numbers = [{listed}] }}
tags = [{tags}]
"""
TRUNKS = """
[[ingress]]
id = "pbx"
sources = ["192.0.2.1"]
account = "person"

[[ingress]]
id = "dialler"
sources = ["192.0.2.2"]
account = "robot"

[[ingress]]
id = "abroad"
sources = ["192.0.2.3"]
account = "person"
class = "international"

[[ingress]]
id = "national"
sources = ["192.0.2.4"]
account = "person"
class = "interconnect"

[[egress]]
id = "a"
uri = "sip:127.0.0.1:5070"

[[routes]]
id = "any"
prefixes = [""]
trunks = ["a"]
"""
CONTEXTS = {"manual": "192.0.2.1", "automated": "192.0.2.2", "intl_unauth": "192.0.2.3", "natl_unsigned": "192.0.2.4"}
NOW = "2026-11-25T12:00:00+01:00"


@cache
def policy(listed: str = "", tags: str = "", more: str = "") -> PolicySnapshot:
    """The network of these tests; `listed`: the one number its accounts may present."""
    numbers = f'"{listed}"' if listed else ""
    words = f'"{tags}"' if tags else ""
    return PolicySnapshot(parse_policy(more + ACCOUNTS.format(listed=numbers, tags=words) + TRUNKS))


def wall(instant: str) -> float:
    return datetime.fromisoformat(instant).astimezone(UTC).timestamp()
