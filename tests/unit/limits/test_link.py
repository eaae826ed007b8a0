"""One connection to the store, over a transport that only remembers."""

import asyncio

from limits.link import StoreLink


class Remembering(asyncio.Transport):
    """What was written, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def write(self, data: object) -> None:
        assert isinstance(data, bytes)
        self.sent.append(data)

    def abort(self) -> None:
        pass


def test_the_end_of_a_link_is_told_once_and_nothing_is_sent_after_it() -> None:
    """Whatever the reason is called: an error of the system may have no words."""
    told: list[str] = []
    replies: list[object] = []
    link = StoreLink(on_reply=replies.append, on_read=lambda: None, on_lost=told.append)
    wire = Remembering()
    link.connection_made(wire)

    link.write(b"before")
    link.close("")
    link.connection_lost(None)
    link.write(b"after")

    assert told == [""]
    assert wire.sent == [b"before"]
    assert link.lost.is_set()


def test_replies_behind_the_one_that_ended_the_link_are_nobodys() -> None:
    """Their order is not believed any more."""
    replies: list[object] = []

    def hear(reply: object) -> None:
        replies.append(reply)
        link.close("enough", garbled=True)

    link = StoreLink(on_reply=hear, on_read=lambda: replies.append("read"), on_lost=lambda why: None)
    link.connection_made(Remembering())

    link.data_received(b":1\r\n:2\r\n")

    assert replies == [1]
    assert link.garbled
