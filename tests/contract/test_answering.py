"""Whoever is told an answer may know that no other is under way (`Limiter.is_answering_last`)."""

import asyncio

import pytest

from limits import Admit, Outcome, Unavailable
from limits.model import Verb
from limits.open_limiter import open_limiter

VERBS = [Admit("nobody", uid, "n") for uid in ("first", "second", "third")]
"""Of one account, so that a cluster answers them by one connection."""


class Told:
    """Which answer was told as the last one under way."""

    def __init__(self, url: str) -> None:
        self.limiter = open_limiter(self._deliver, url, deadline_s=5)
        self.heard: list[tuple[str, bool]] = []
        self.outcomes: list[Outcome] = []
        self.are_there = asyncio.Event()

    def _deliver(self, verb: Verb, outcome: Outcome) -> None:
        assert isinstance(verb, Admit)
        self.heard.append((verb.uid, self.limiter.is_answering_last))
        self.outcomes.append(outcome)
        if len(self.heard) == len(VERBS):
            self.are_there.set()

    def ask(self) -> None:
        for verb in VERBS:
            self.limiter.submit(verb)
        self.limiter.flush()


@pytest.mark.parametrize("server", ["redis", "cluster"])
async def test_the_last_reply_under_way_is_known_and_no_other(server, server_urls, running):
    told = Told(server_urls[server])
    async with running(told.limiter), asyncio.timeout(5):
        told.ask()
        await told.are_there.wait()

        assert told.heard == [("first", False), ("second", False), ("third", True)]
        assert not told.limiter.is_answering_last


async def test_what_is_refused_at_once_is_no_reply():
    """Nobody runs this limiter: it answers inside `flush`, and whoever asks has not finished."""
    told = Told("redis://127.0.0.1:1")
    told.ask()

    assert [is_last for _, is_last in told.heard] == [False] * 3
    assert {type(outcome) for outcome in told.outcomes} == {Unavailable}
