"""What lies between two workers while one of them does not read."""

from contextlib import suppress

import pytest

from edge.workers.handover import MAX_FRAME, pair


@pytest.mark.parametrize(("size", "count"), [(200, 64), (1_400, 64), (MAX_FRAME, 2)])
def test_a_burst_waits_whole_and_in_its_order(size: int, count: int) -> None:
    """However many frames come before the other one reads (the kernel holds ten datagrams only)."""
    outbox, inbox = pair()
    frames = [number.to_bytes(2, "big").ljust(size, b"x") for number in range(count)]
    with outbox, inbox:
        for frame in frames:
            assert outbox.send(frame) == size
        assert [inbox.recv(MAX_FRAME) for _ in frames] == frames
        with pytest.raises(BlockingIOError):
            inbox.recv(MAX_FRAME)


def test_what_finds_no_room_is_refused_and_the_rest_stays() -> None:
    """Nobody waits for room; no frame is torn."""
    outbox, inbox = pair()
    with outbox, inbox:
        sent = 0
        with suppress(BlockingIOError):
            while sent < 1_000_000:
                outbox.send(b"x" * 4_000)
                sent += 1
        assert 0 < sent < 1_000_000
        assert [len(inbox.recv(MAX_FRAME)) for _ in range(sent)] == [4_000] * sent
        assert outbox.send(b"more") == 4
