"""Server-sent events, over a real connection."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis
from served import Served, served

from edge.admin.roles import OPERATIONS
from limits.account import Account, AccountId
from limits.accounts import AccountStore


@pytest.fixture
def api(store: "redis.Redis", store_url: str, tmp_path: Path) -> Iterator[Served]:
    with served(store_url, tmp_path) as api:
        yield api


def events(api: Served, path: str, count: int) -> list[tuple[str, dict[str, object]]]:
    """The first so many events of a stream."""
    found: list[tuple[str, dict[str, object]]] = []
    name = ""
    headers = {"Authorization": f"Bearer {api.token}"}
    with httpx.stream("GET", f"{api.url}{path}", headers=headers, timeout=15) as answer:
        assert (200, "text/event-stream; charset=utf-8") == (answer.status_code, answer.headers["Content-Type"])
        for line in answer.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if len(found) == count:
                    return found
    return found


async def provisioned(store_url: str) -> None:
    async with AccountStore(store_url) as accounts:
        await accounts.provision([Account(AccountId("acme"), caps_base=7)])


def test_the_overview_comes_again_and_again(api):
    """The same as it is told when asked once, but for the instant."""
    first, second = events(api, "/v1/events", 2)
    once = httpx.get(f"{api.url}/v1/overview", headers={"Authorization": f"Bearer {api.token}"}).json()
    assert ("overview", "overview") == (first[0], second[0])
    assert {**once, "at_ms": 0} == {**first[1], "at_ms": 0}
    assert second[1]["at_ms"] > first[1]["at_ms"]


def test_an_account_is_told_with_its_ceilings_and_its_end(api, store, store_url):
    """`gone` once it is not in the store any more."""
    asyncio.run(provisioned(store_url))
    ((name, now),) = events(api, "/v1/accounts/acme/events", 1)
    assert ("account", 7, "active") == (name, now["caps"], now["status"])
    answer = httpx.get(f"{api.url}/v1/accounts/nobody/events", headers={"Authorization": f"Bearer {api.token}"})
    assert 404 == answer.status_code


def test_a_stream_asks_who_it_is_for(api):
    """401 before a byte of it."""
    streams = [one.path for one in OPERATIONS if one.path.endswith("/events")]
    assert 2 == len(streams)
    for path in streams:
        assert 401 == httpx.get(api.url + path.replace("{account}", "acme")).status_code
