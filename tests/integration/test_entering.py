"""Changes at a terminal are in the audit of the API: who, what, before, after, why; and the chain is whole."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from several import Site


def edge(site: Site, *words: str, code: int = 0, **more: str) -> str:
    """`edge …` on this store."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words, "--redis", site.store.url],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **more},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


async def test_a_change_at_the_terminal_is_entered_before_and_after(site: Site) -> None:
    """Values before and after, the reason, where from; looking and dry runs are not entered; a failure says so."""
    edge(site, "account", "create", "acme", "caps_base=5")
    edge(
        site, "account", "caps-lots", "acme", "+1", "--reason", "trade fair", SSH_CONNECTION="192.0.2.9 1 192.0.2.1 22"
    )
    edge(site, "account", "caps-lots", "acme", "+1", "--dry-run")
    edge(site, "account", "show", "acme")
    edge(site, "account", "suspend", "nobody", "--reason", "x", code=1)
    found = list(reversed(json.loads(edge(site, "audit", "list", "--json"))))
    told = [(one["event"], one["operation"], one["path"], one.get("status")) for one in found]
    assert told == [
        ("asked", "edge account create", "acme", None), ("done", "edge account create", "acme", 0),
        ("asked", "edge account caps-lots", "acme", None), ("done", "edge account caps-lots", "acme", 0),
        ("asked", "edge account suspend", "nobody", None), ("done", "edge account suspend", "nobody", 1),
    ]  # fmt: skip
    asked, done = found[2:4]
    assert (asked["why"], asked["address"], asked["body"]) == (
        "trade fair", "192.0.2.9", {"account": "acme", "lots": "+1"},
    )  # fmt: skip
    assert "@" in asked["who"]
    assert done["asked"] == asked["seq"]
    assert (done["change"]["before"]["caps_lots"], done["change"]["after"]["caps_lots"]) == ("0", "1")
    assert found[1]["change"]["after"]["caps_base"] == "5"
    assert "whole: 6 entries, 1 to 6" in edge(site, "audit", "verify")
    assert "trade fair" in edge(site, "audit", "list", "--who", asked["who"])


async def test_what_stood_before_a_policy_and_an_order_is_entered(site: Site) -> None:
    """The generation and which part of the document is another one; what was ordered of a trunk, by whom."""
    document = site.directory / "policy.toml"
    for _ in range(2):
        edge(site, "policy", "import", str(document), "--reason", "autumn")
        site.write_policy(document.read_text().replace("calls_base = 3", "calls_base = 4"))
    edge(site, "policy", "rollback", "1", "--reason", "too many")
    edge(site, "trunk", "drain", "out", "--unknown", "--by", "ana", "--reason", "fibre")
    edge(site, "trunk", "resume", "out", "--by", "ana")
    found = [one for one in reversed(json.loads(edge(site, "audit", "list", "--json"))) if one["event"] == "done"]
    first, second, back, drained, resumed = [one["change"] for one in found]
    generations = [(one["before"]["generation"], one["after"]["generation"]) for one in (first, second, back)]
    assert [("0", "1"), ("1", "2"), ("2", "3")] == generations
    assert {"policy.toml", "rates.csv", "generation"} == set(first["after"])
    assert {"policy.toml", "generation"} == set(second["before"])
    assert first["after"]["policy.toml"] == back["after"]["policy.toml"] != second["after"]["policy.toml"]
    assert ({"ordered": ""}, {"ordered": "drain", "by": "ana", "why": "fibre"}) == (drained["before"], drained["after"])
    assert (drained["after"], drained["before"]) == (resumed["before"], resumed["after"])


async def test_a_threshold_of_credit_is_entered_with_what_it_was(site: Site) -> None:
    """As the API does it."""
    for below in ("5", "none"):
        edge(site, "alerts", "credit", "acme", below)
    found = [one["change"] for one in json.loads(edge(site, "audit", "list", "--json")) if one["event"] == "done"]
    assert [{"below_micros": "5000000"}, {"below_micros": ""}] == [one["before"] for one in found]


async def test_a_store_that_hangs_is_waited_for_once(site: Site) -> None:
    """What cannot be entered is not done: one sentence, of the entry and not of the change."""
    edge(site, "account", "create", "acme", "caps_base=5")
    site.store.signal(signal.SIGSTOP)
    try:
        told = edge(site, "account", "caps-lots", "acme", "+1", code=1)
    finally:
        site.store.signal(signal.SIGCONT)
    assert told.startswith(f"edge: the store {site.store.url}: ")
    assert told.endswith(": nothing was changed\n")
    assert told.count("\n") == 1
    assert json.loads(edge(site, "account", "show", "acme", "--json"))["values"]["caps_lots"] == 0


async def test_numbers_of_people_are_not_kept(site: Site, tmp_path: Path) -> None:
    """That something was recorded is known; whose number is not."""
    key = tmp_path / "contacts.key"
    key.write_bytes(b"0" * 32)
    edge(site, "account", "create", "rich")
    edge(site, "contacts", "refusal", "rich", "+33639980001", "--contacts-key", str(key))
    text = edge(site, "audit", "list", "--json")
    assert [one["operation"] for one in json.loads(text)] == [
        *["edge contacts refusal"] * 2, *["edge account create"] * 2,
    ]  # fmt: skip
    assert "639980001" not in text
