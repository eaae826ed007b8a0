"""edge.config.boundary: which headers a set of rules takes."""

import pytest

from edge.config.boundary import OUTSIDE, Boundary, HeaderRulesEntry, boundary_of
from edge.config.errors import ConfigError
from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot

RULES = """
[header_rules.out]
strip = ["X-*", "User-Agent", "s", "Diversion"]
keep = ["X-Order", "x-keep-*"]
add = [{ name = "X-Account", value = "{account}" }]

[header_rules.all]
base = "open"
strip = ["*"]
keep = ["Identity"]
"""


@pytest.mark.parametrize(
    ("name", "rules", "goes"),
    [
        (b"x-any", "out", True), (b"x-order", "out", False), (b"x-keep-this", "out", False),
        (b"user-agent", "out", True),
        (b"subject", "out", True), (b"server", "out", False), (b"p-charging-vector", "out", True),
        (b"p-asserted-identity", "out", False), (b"via", "out", False), (b"x", "out", False),
        (b"p-charging-vector", "all", True), (b"p-asserted-identity", "all", True), (b"identity", "all", False),
        (b"user-agent", "all", True), (b"via", "all", False), (b"from", "all", False), (b"to", "all", False),
        (b"call-id", "all", False), (b"cseq", "all", False), (b"contact", "all", False), (b"route", "all", False),
        (b"record-route", "all", False), (b"max-forwards", "all", False), (b"content-length", "all", False),
        (b"content-type", "all", False), (b"require", "all", False), (b"rseq", "all", False), (b"rack", "all", False),
        (b"session-expires", "all", False), (b"reason", "all", False), (b"www-authenticate", "all", False),
        (b"event", "all", False), (b"allow", "all", False),
    ],
)  # fmt: skip
def test_what_goes(name: bytes, rules: str, goes: bool) -> None:
    """Names in any form, beginnings, exceptions; never what calls cannot do without."""
    document = parse_policy(RULES)
    made = boundary_of(Boundary(headers_to=rules), document.header_rules, trusted=False)
    assert made.rules_to.takes(name) is goes


def test_the_usual_rules_go_by_trust() -> None:
    """A trusted trunk's boundary is open; any other one keeps the domain's headers to the domain. A set of the
    operator's own stands on the same base, or on the one it names."""
    entries = {"mine": HeaderRulesEntry(), "open": HeaderRulesEntry(base="open")}
    inside = boundary_of(Boundary(), {}, trusted=True)
    assert boundary_of(Boundary(), {}, trusted=False) == OUTSIDE
    assert not inside.rules_to.is_boundary
    assert not inside.rules_to.takes(b"p-charging-vector")
    assert OUTSIDE.rules_from.takes(b"p-preferred-identity")
    assert boundary_of(Boundary(headers_from="mine"), entries, trusted=False).rules_from.is_boundary
    assert not boundary_of(Boundary(headers_from="mine"), entries, trusted=True).rules_from.is_boundary
    assert not boundary_of(Boundary(headers_from="open"), entries, trusted=False).rules_from.is_boundary
    assert boundary_of(Boundary(headers_from="boundary"), entries, trusted=True).rules_from.is_boundary


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[header_rules.x]\nstrip = ["Via"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nstrip = ["v"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nstrip = ["Call-ID"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nstrip = ["X-*-Y"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nstrip = ["X Y"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nstrip = ["X\\r\\nVia"]', "header_rules.x.strip[0]"),
        ('[header_rules.x]\nadd = [{ name = "Via", value = "v" }]', "header_rules.x.add[0].name"),
        ('[header_rules.x]\nadd = [{ name = "X: 1\\r\\nY", value = "v" }]', "header_rules.x.add[0].name"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "a\\r\\nVia: b" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "a\\u0000b" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "é" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = " a" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "{password}" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "{account.id}" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "{account" }]', "header_rules.x.add[0].value"),
        ('[header_rules.x]\nadd = [{ name = "X-A", value = "v", into = ["all"] }]', "header_rules.x.add[0].into[0]"),
        ("[header_rules.boundary]", "header_rules.boundary"),
        ('[[egress]]\nid = "a"\nuri = "sip:h"\nboundary = { headers_to = "none" }', "egress[0].boundary.headers_to"),
        ('[[egress]]\nid = "a"\nuri = "sip:h"\nboundary = { reason = "all" }', "egress[0].boundary.reason"),
        ('[[egress]]\nid = "a"\nuri = "sip:h"\nboundary = { hide_topology = 1 }', "egress[0].boundary.hide_topology"),
        ('[[egress]]\nid = "a"\nuri = "sip:h"\nlistener = "here"', "egress[0].listener"),
    ],
)
def test_what_an_operator_may_not_write(text: str, place: str) -> None:
    """The protocol's own headers, more than one line, facts nobody knows, rules nobody defines."""
    with pytest.raises(ConfigError) as error:
        PolicySnapshot(parse_policy(text))
    assert place in [problem.path for problem in error.value.problems]
