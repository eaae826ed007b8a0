"""Flows of datagrams: made once, and never those of another listener."""

from edge.sip.flow import KEPT, Flow, Flows


def test_a_source_keeps_its_flow() -> None:
    """What is equal to the flow made anew is the same object as before."""
    flows = Flows()

    first = flows.of(1, ("192.0.2.1", 5060))

    assert first == Flow(1, ("192.0.2.1", 5060))
    assert flows.of(1, ("192.0.2.1", 5060)) is first
    assert flows.of(1, ("192.0.2.1", 5061)) == Flow(1, ("192.0.2.1", 5061))


def test_one_source_at_two_listeners() -> None:
    """An answer leaves where its request came in, whoever was heard last."""
    flows = Flows()

    assert [flows.of(at, ("192.0.2.1", 5060)).listener for at in (0, 1, 1, 0)] == [0, 1, 1, 0]


def test_sources_are_bounded() -> None:
    """Any number of them may come; they are not kept for ever."""
    flows = Flows()
    first = flows.of(0, ("192.0.2.1", 0))

    for port in range(1, KEPT + 1):
        flows.of(0, ("192.0.2.1", port))

    again = flows.of(0, ("192.0.2.1", 0))
    assert again == first
    assert again is not first
