"""`edge contacts …` against a real store: what is recorded, what is said, what the store never sees."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import redis

from edge.contacts.key import KeyDiffers, agree, fingerprint, read_key
from limits import Account, AccountId
from limits.accounts import AccountStore
from limits.embedded import EmbeddedStore
from limits.keys import CONTACT_KEY

NUMBER = "+33639980001"


class Desk:
    """An operator beside a store."""

    def __init__(self, url: str, state: Path) -> None:
        self.url, self.state = url, state
        self.client = redis.Redis.from_url(url, decode_responses=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edge", "contacts", *words, "--redis", self.url, "--state", str(self.state)]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=dict(os.environ))

    def say(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """A store with one account, and the key of its edges."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "contacts.key").write_bytes(bytes(range(32)))
    async with EmbeddedStore(tmp_path / "store") as store:
        async with AccountStore(store.url) as accounts:
            await accounts.provision([Account(AccountId("seller"))])
        made = Desk(store.url, state)
        yield made
        made.client.close()


async def test_recorded_and_shown(desk: Desk, tmp_path: Path) -> None:
    """One by one and from a file; importing twice changes nothing; nowhere in the store is a number."""
    assert "refused 2026-11-20 12:00:00" in desk.say("refusal", "seller", "06 39 98 00 01", "--at", "2026-11-20")
    desk.say("consent", "seller", NUMBER, "--proof", "form 7", "--at", "2026-11-21", "--any-hour", "--by", "ann")
    desk.say("contract", "seller", NUMBER, "--until", "2099-01-01")
    desk.say("withdraw", "seller", NUMBER, "--at", "2026-11-22")
    file = tmp_path / "people.csv"
    file.write_text("number,what,at,proof\n0639980001,refusal,2026-11-19,\n0639980002,consent,2026-11-01,mail\n")
    assert "would record 1 refusal, 1 consent" in desk.say("import", "seller", str(file), "--dry-run")
    for _ in range(2):
        assert desk.say("import", "seller", str(file)) == "seller: recorded 1 refusal, 1 consent\n"

    shown = desk.say("show", "seller", NUMBER)
    for word in (
        "refused 2026-11-20",
        "consented 2026-11-21",
        "any hour 2026-11-21",
        "took consents back 2026-11-22",
        "contract in progress until 2099-01-01",
        "by ann, proof: form 7",
        "attempts that count: none",
    ):
        assert word in shown
    assert "2026-11-19" not in shown  # an older refusal than the one that is known says nothing new
    everything = "".join(
        f"{key}{desk.client.hgetall(key) if desk.client.type(key) == 'hash' else ''}" for key in desk.client.scan_iter()
    )
    assert "639980" not in everything


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("refusal", "nobody", NUMBER), 1, "no account 'nobody'"),
        (("refusal", "seller", "anonymous"), 2, "number: expected one such as +33199001234"),
        (("consent", "seller", NUMBER, "--proof", ""), 2, "a consent without proof is none"),
        (("refusal", "seller", NUMBER, "--at", "soon"), 2, "at: expected 2026-08-11"),
        (("import", "seller", "/nowhere.csv"), 1, "/nowhere.csv: cannot be read"),
        (("refusal", "seller", NUMBER, "--contacts-key", "/nowhere.key"), 1, "contacts key /nowhere.key: No such file"),
    ],
)
async def test_what_cannot_be_done_is_said(desk: Desk, words: tuple[str, ...], code: int, said: str) -> None:
    """One sentence, and the right exit code."""
    done = desk.run(*words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


async def test_another_key(desk: Desk) -> None:
    """A node with another key counts nothing apart: it is told; a change is made by whoever says so."""
    first, second = bytes(range(32)), bytes(32)
    await agree(desk.url, first)
    with pytest.raises(KeyDiffers, match="expected the same contacts key on every node"):
        await agree(desk.url, second)
    assert f"{fingerprint(first)}: this key and the store agree" in desk.say("key")

    (desk.state / "contacts.key").write_bytes(second)
    assert "expected the same contacts key" in desk.run("refusal", "seller", NUMBER).stderr
    assert desk.run("key").returncode == 1
    desk.say("key", "--accept")
    assert desk.client.get(CONTACT_KEY) == fingerprint(second)
    await agree(desk.url, second)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_a_key_of_a_wrong_size(tmp_path: Path, size: int) -> None:
    """Neither a guess nor a book."""
    path = tmp_path / "k"
    path.write_bytes(b"k" * size)
    with pytest.raises(ValueError, match=f"expected 16 to 64 bytes, found {size}"):
        read_key(path)
