"""A running edge whose account comes near its ceiling: the webhook gets it signed; the commands tell the same."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis
from edges import CALLED, CLI, calling, policy, running
from several import until

from edge.agents import Trunk
from edge.cdr.delivery.signature import signature
from edge.quality.places import places_bucket
from limits.embedded import EmbeddedStore

SECRET = "0123456789abcdef"


class Receiver:
    """Takes every request."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                self.asked.append((headers, await reader.readexactly(int(headers["Content-Length"]))))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def events(self) -> list[dict[str, object]]:
        return [json.loads(body) for _, body in self.asked]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    trunk = await Trunk.at("127.0.0.1", ring_s=0.01)
    yield trunk
    trunk.close()


async def edge(*words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "edge", *words]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_an_account_near_its_ceiling_is_told_to_the_webhook_and_the_terminal(
    tmp_path: Path, trunk: Trunk, receiver: Receiver
) -> None:
    """Signed, from a running edge; `alerts list`, `history`, `test`, `credit`."""
    (tmp_path / "policy.toml").write_text(policy(trunk, calls=2))
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "edge.toml").write_text(
        f'[alerts]\ncredit_low = "1"\n[[alerts.webhooks]]\nname = "noc"\nurl = "http://127.0.0.1:{receiver.port}/"\n'
        f'secret_file = "{tmp_path}/secret"\nkinds = ["calls"]\n'
    )
    config, state = ("--config", str(tmp_path / "edge.toml")), ("--state", str(tmp_path / "state"))
    assert await edge("alerts", "test", *config) == "noc: taken\n"
    async with running(tmp_path, *config, "--metrics", "127.0.0.1:0") as node, calling(node) as caller:
        assert await edge("alerts", "history", *state) == "nothing was told yet\n"

        async def keep_near() -> None:
            while True:
                await asyncio.gather(*(caller.call(CLI, CALLED, talk_s=0.5) for _ in range(2)))

        busy = asyncio.ensure_future(keep_near())
        try:
            await until(lambda: len(receiver.asked) > 1, "the webhook to be told", 30)
        finally:
            busy.cancel()
            await asyncio.gather(busy, return_exceptions=True)
        (_, event), (headers, body) = receiver.events(), receiver.asked[1]
        assert (event["event"], event["alert"], event["level"]) == ("raised", "calls:acme", "critical")
        assert event["text"] == "account acme holds 2 of its 2 calls"
        at = int(headers["Trunkgate-Timestamp"])
        assert headers["Trunkgate-Signature"] == signature(SECRET.encode(), at, body)

        (row,) = [one for one in json.loads(await edge("alerts", "list", "--json", *state)) if one["kind"] == "calls"]
        assert (row["alert"], row["state"], row["subject"]) == ("calls:acme", "raised", "acme")
        assert "account acme holds 2 of its 2 calls" in await edge("alerts", "list", *state)
        told = json.loads(await edge("alerts", "history", "--json", *state))
        assert event in told
        assert "calls:acme" in await edge("alerts", "history", *state)

        assert await edge("alerts", "credit", *state) == "no account has a threshold of its own\n"
        assert "acme: told below" in await edge("alerts", "credit", "acme", "12.5", *state)
        assert json.loads(await edge("alerts", "credit", "--json", *state)) == [
            {"account": "acme", "below_micros": 12_500_000}
        ]
        assert "AMOUNT: expected an amount" in await edge("alerts", "credit", "acme", "much", *state, code=2)
        assert "ACCOUNT: expected the id" in await edge("alerts", "credit", "{}", "1", *state, code=2)
        assert await edge("alerts", "credit", "acme", "none", *state) == "acme: as for all\n"


async def test_traffic_that_is_not_what_it_was_is_told(tmp_path: Path, trunk: Trunk, receiver: Receiver) -> None:
    """Contract 24.2.2, 9.1.7: more than twice yesterday's attempts, and a country not called before; each once, by the
    records of a running edge; refused attempts count, nothing is refused for it."""
    (tmp_path / "policy.toml").write_text(policy(trunk))
    (tmp_path / "secret").write_text(SECRET)
    (tmp_path / "edge.toml").write_text(
        f"[alerts]\nrise_factor = 2\nrise_least = 6\nnew_place_least = 2\n"
        f'[[alerts.webhooks]]\nname = "noc"\nurl = "http://127.0.0.1:{receiver.port}/"\n'
        f'secret_file = "{tmp_path}/secret"\nkinds = ["rise", "place"]\n'
    )
    config = ("--config", str(tmp_path / "edge.toml"))
    async with EmbeddedStore(tmp_path / "store") as store:
        with redis.Redis.from_url(store.url) as client:
            yesterday = int(client.time()[0]) // 86_400 - 1
            client.hset(f"{{acct:acme}}:tally:{places_bucket(yesterday)}", mapping={"+33": "3", "+49": "1"})
        async with running(tmp_path, *config, "--redis", store.url) as node, calling(node) as caller:
            for called in [CALLED] * 5 + ["+442079460000"] * 2:
                assert (await caller.call(CLI, called, talk_s=0.0)).status == 200

            async def keep_busy() -> None:
                while True:
                    await caller.call(CLI, CALLED, talk_s=0.2)

            busy = asyncio.ensure_future(keep_busy())
            try:
                await until(lambda: len(receiver.asked) > 1, "both to be told", 60)
            finally:
                busy.cancel()
                await asyncio.gather(busy, return_exceptions=True)
            stand = json.loads(await edge("alerts", "list", "--json", "--redis", store.url))
    told = {str(event["alert"]): event for event in receiver.events()}
    assert set(told) == {"rise:acme", "place:acme"}
    assert "where it did not in 30 days: +44" in str(told["place:acme"]["text"])
    assert told["place:acme"]["fields"] == {"destinations": 1, "attempts": 2}
    fields = told["rise:acme"]["fields"]
    assert isinstance(fields, dict)
    assert (fields["attempts"] >= 8, fields["usual"]) == (True, 4)
    assert {one["alert"] for one in stand} >= {"rise:acme", "place:acme"}


async def test_a_webhook_that_does_not_take_a_test_is_told(tmp_path: Path) -> None:
    """Exit code 1 and why; a name that is none has the others named."""
    (tmp_path / "secret").write_text(SECRET)
    file = tmp_path / "edge.toml"
    file.write_text(
        f'[[alerts.webhooks]]\nname = "noc"\nurl = "http://127.0.0.1:1/"\nsecret_file = "{tmp_path}/secret"\n'
    )
    assert "noc: ConnectionRefusedError" in await edge("alerts", "test", "--config", str(file), code=1)
    assert "no alert webhook 'nock'" in await edge("alerts", "test", "nock", "--config", str(file), code=1)
    file.write_text("[alerts]\nwebhook = 5\n")
    assert "alerts.webhook (" in await edge("alerts", "test", "--config", str(file), code=2)
