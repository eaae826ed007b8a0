"""edge.policy.routing"""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.snapshot import PolicySnapshot
from edge.config.trunks import EgressTrunk
from edge.policy.attempt import CallAttempt
from edge.policy.pipeline import judge
from edge.policy.routing import draw_order
from edge.policy.verdicts import Reason, Refuse

ROUTES = """
[[routes]]
id = "france"
prefixes = ["+33"]
trunks = ["b", "a"]

[[routes]]
id = "robots-nantes"
prefixes = ["+33261"]
accounts = ["robot"]
trunks = ["a"]

[[routes]]
id = "abroad-nantes"
prefixes = ["+33261"]
classes = ["international"]
trunks = ["b"]

[[routes]]
id = "premium"
prefixes = ["+3389", "3"]
mode = "barred"

[[routes]]
id = "shared"
prefixes = ["+44"]
mode = "weighted"
trunks = ["a", "b"]

[[routes]]
id = "emergency"
prefixes = ["11"]
trunks = ["b"]
accounts = ["robot"]

[[routes]]
id = "no-15"
prefixes = ["15"]
mode = "barred"
"""


@pytest.mark.parametrize(
    ("source", "called", "draw", "route", "candidates"),
    [
        ("192.0.2.1", "+4930123456", 0.0, "any", ["a", "b"]),
        ("192.0.2.1", "+33199001234", 0.0, "france", ["b", "a"]),
        ("192.0.2.1", "+33261910000", 0.0, "france", ["b", "a"]),
        ("192.0.2.200", "+33261910000", 0.0, "robots-nantes", ["a"]),
        ("203.0.113.1", "0261910000", 0.0, "abroad-nantes", ["b"]),
        ("192.0.2.1", "+442079460000", 0.0, "shared", ["a", "b"]),
        ("192.0.2.1", "+442079460000", 0.74, "shared", ["a", "b"]),
        ("192.0.2.1", "+442079460000", 0.76, "shared", ["b", "a"]),
        ("192.0.2.1", "112", 0.0, "emergency", ["b"]),
        ("192.0.2.1", "15", 0.0, "any", ["a", "b"]),
    ],
)
def test_route(
    snapshot_with: Callable[..., PolicySnapshot],
    attempt_of: Callable[..., CallAttempt],
    source: str,
    called: str,
    draw: float,
    route: str,
    candidates: list[str],
) -> None:
    """The longest prefix with a route for this caller; to emergency calls no route is closed."""
    attempt = attempt_of(source=source, called=f"sip:{called}@h", draw=draw, cli="sip:+442079460000@h")
    assert judge(attempt, snapshot_with(ROUTES)) is None
    assert (route, candidates) == (attempt.route, [trunk.id for trunk in attempt.candidates])


@pytest.mark.parametrize("called", ["+33891234567", "3000", "0891234567"])
def test_barred(
    snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt], called: str
) -> None:
    """A barred prefix is refused even where a shorter one has trunks."""
    assert Refuse(Reason.DESTINATION_BARRED) == judge(attempt_of(called=f"sip:{called}@h"), snapshot_with(ROUTES))


def test_no_route_and_not_allowed(
    snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]
) -> None:
    """Nobody's route and somebody else's route are different refusals."""
    snapshot = snapshot_with('accounts = ["robot"]\n[[routes]]\nid = "x"\nprefixes = ["+1"]\ntrunks = ["a"]')
    assert Refuse(Reason.ROUTE_NOT_ALLOWED) == judge(attempt_of(), snapshot)
    snapshot = _germany_only(snapshot_with)
    assert Refuse(Reason.NO_ROUTE) == judge(attempt_of(), snapshot)


def _germany_only(snapshot_with: Callable[..., PolicySnapshot]) -> PolicySnapshot:
    """The tests' network with no route but one to Germany."""
    snapshot = snapshot_with()
    snapshot.routes = {"+49": snapshot.routes[""]}
    snapshot.route_lengths = (3,)
    return snapshot


def _trunk(name: str, weight: int, priority: int = 0) -> EgressTrunk:
    return EgressTrunk(name, "192.0.2.9", 5060, b"", b"", True, 4.0, 180.0, frozenset(), weight, priority)


@given(weights=st.lists(st.integers(1, 100), min_size=1, max_size=6), draw=st.floats(0, 1, exclude_max=True))
def test_draw_keeps_every_trunk(weights: list[int], draw: float) -> None:
    """Whatever is drawn, every trunk is tried once."""
    trunks = tuple(_trunk(str(index), weight) for index, weight in enumerate(weights))
    assert sorted(trunks, key=lambda trunk: trunk.id) == sorted(draw_order(trunks, draw), key=lambda trunk: trunk.id)


def test_draw_follows_the_weights() -> None:
    """Over all draws the first place falls to each trunk by its weight, the second by what is left."""
    trunks = (_trunk("a", 5), _trunk("b", 3), _trunk("c", 2))
    orders = Counter(tuple(trunk.id for trunk in draw_order(trunks, step / 10_000 + 0.00005)) for step in range(10_000))
    firsts: Counter[str] = Counter()
    for order, count in orders.items():
        firsts[order[0]] += count
    assert dict(firsts) == {"a": 5000, "b": 3000, "c": 2000}
    assert orders["a", "b", "c"] == pytest.approx(3000, abs=2)
    assert orders["b", "a", "c"] == pytest.approx(3000 * 5 / 7, abs=2)


def test_priorities_come_before_weights() -> None:
    """RFC 2782: the lowest number first, whatever the weights; those of one number share by theirs, and the second
    number's too."""
    trunks = (_trunk("d", 1, 17), _trunk("c", 3, 17), _trunk("a", 1, 3), _trunk("b", 4, 3), _trunk("e", 9_999, 100))
    orders = Counter(
        "".join(trunk.id for trunk in draw_order(trunks, step / 10_000 + 0.00005)) for step in range(10_000)
    )
    assert {order[:2] for order in orders} == {"ab", "ba"}
    assert {order[2:] for order in orders} == {"cde", "dce"}
    assert sum(count for order, count in orders.items() if order[0] == "b") == 8_000
    assert sum(count for order, count in orders.items() if order[2] == "c") == pytest.approx(7_500, abs=3)


def test_shadow_barred(snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]) -> None:
    """A route that only would bar is noted; the next shorter prefix takes the call."""
    more = '[[routes]]\nid = "premium"\nprefixes = ["+3389"]\nmode = "shadow-barred"\n'
    attempt = attempt_of(called="sip:0891234567@h")
    assert judge(attempt, snapshot_with(more)) is None
    assert (attempt.route, attempt.shadowed) == ("any", ["premium"])


EMERGENCY = """
[[routes]]
id = "rescue"
prefixes = ["1"]
emergency = true
trunks = ["b"]

[[routes]]
id = "rescue-112"
prefixes = ["112"]
emergency = true
mode = "weighted"
trunks = ["a"]
"""


@pytest.mark.parametrize(
    ("called", "more", "route", "candidates"),
    [
        ("15", EMERGENCY, "rescue", ["b", "a"]),
        ("112", EMERGENCY, "rescue-112", ["a", "b"]),
        ("15", EMERGENCY + '[[routes]]\nid = "no-15"\nprefixes = ["15"]\nmode = "barred"\n', "rescue", ["b", "a"]),
        ("15", EMERGENCY.replace('["1"]', '["17"]'), "any", ["a", "b"]),
        ("1013", EMERGENCY, "any", ["a", "b"]),
    ],
)
def test_emergency_route(
    snapshot_with: Callable[..., PolicySnapshot],
    attempt_of: Callable[..., CallAttempt],
    called: str,
    more: str,
    route: str,
    candidates: list[str],
) -> None:
    """The longest emergency route first, then the ordinary one's trunks; nobody else may use it."""
    attempt = attempt_of(called=f"sip:{called}@h", cli="sip:+442079460000@h")
    assert judge(attempt, snapshot_with(more)) is None
    assert (route, candidates) == (attempt.route, [trunk.id for trunk in attempt.candidates])


def test_emergency_call_without_any_route(
    snapshot_with: Callable[..., PolicySnapshot], attempt_of: Callable[..., CallAttempt]
) -> None:
    """Where nothing leads anywhere, even an emergency call is told so."""
    snapshot = snapshot_with(EMERGENCY.replace('["1"]', '["17"]').replace('["112"]', '["18"]'))
    snapshot.routes = {}
    snapshot.route_lengths = ()
    assert Refuse(Reason.NO_ROUTE) == judge(attempt_of(called="sip:15@h"), snapshot)
