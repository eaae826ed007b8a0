"""edge.transport.stream_bounds"""

from edge.transport.stream_bounds import count


def test_reasons_are_told_apart_up_to_a_bound():
    """Some are words of the system: beyond so many they are one."""
    counter: dict[str, int] = {}
    for index in range(40):
        count(counter, f"reason {index}")
    count(counter, "reason 3")
    assert (len(counter), counter["reason 3"], counter["other"]) == (33, 2, 8)
