"""Records of all nodes: two real edges on one store; `edge cdr find` and `edge explain --call` wherever they stand."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from several import Node, Site, until, until_found

from edge.cdr import everywhere
from edge.cdr.picking import Picked
from edge.cdr.search import Wanted
from edge.control.client import Control
from edge.control.records import FindRecords
from limits.keys import records_box_key
from limits.mailboxes import Mailboxes


def edge(*words: str, cwd: Path) -> tuple[int, str, str]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("EDGE_")}
    done = subprocess.run(
        [sys.executable, "-m", "edge", *words], capture_output=True, text=True, timeout=60, check=False, cwd=cwd,
        env=environment,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


async def two_with_records(site: Site) -> tuple[Node, Node, list[str]]:
    """Two nodes, a call over in each; their uids, the newest first."""
    one, two = [await site.start(name) for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    uids = []
    for node in (one, two):
        dialog = await site.parties.dial("rich", node.address)
        dialog.caller_leaves(node.address)
        uids.insert(0, str((await site.record(dialog))["uid"]))
    return one, two, uids


async def heard(control: Control, *names: str) -> None:
    """Until the delivery processes of these nodes answer: they come last where there is one processor for all."""
    for name in names:
        ask = FindRecords(name.encode().hex(), 1)
        await until_found(lambda ask=ask, name=name: control.find_records(name, ask), f"an answer of {name}", 90.0)


async def test_records_of_all_nodes_are_found_wherever_one_asks(site: Site, tmp_path: Path) -> None:
    """By a command beside one node, by one that is beside none, page by page; the explanation of a call too."""
    _, _, (second, first) = await two_with_records(site)
    async with Control(site.store.url) as control:
        await heard(control, "n1", "n2")
        everything = await everywhere.find(control, Wanted(Picked()), limit=10, beside=None)
        assert [second, first] == [entry.uid for entry in everything.entries]
        assert (("n1", "n2"), (), None) == everything[1:]
        page = await everywhere.find(control, Wanted(Picked()), limit=1, beside=None)
        assert page.rest is not None
        rest = everywhere.Rest.of_text(page.rest.to_text())
        page = await everywhere.find(control, Wanted(Picked()), limit=1, beside=None, rest=rest)
        assert [first] == [entry.uid for entry in page.entries]
        nobody = await everywhere.find(control, Wanted(Picked(), scope=("dry",)), limit=9, beside=None)
        assert ((), ("n1", "n2"), None) == (nobody.entries, nobody.nodes, nobody.rest)

    where = ("--redis", site.store.url, "--state", str(tmp_path / "nowhere"))
    missing = (1, "edge: no such record in the log of n1, n2\n", [])
    for number, expected in (("06 12 34 56 78", (0, "", [second, first])), ("+49 30 1", missing)):
        code, out, err = edge("cdr", "find", "--number", number, "--json", *where, cwd=tmp_path)
        assert expected == (code, err, [one["uid"] for one in json.loads(out)])
    code, out, err = edge("cdr", "find", "--json", *where, cwd=tmp_path)
    assert (0, "", [second, first]) == (code, err, [one["uid"] for one in json.loads(out)])
    for uid in (first, second):
        code, out, err = edge(
            "explain", "--call", uid, "--policy", str(site.directory / "policy.toml"), *where, cwd=tmp_path
        )
        assert (0, "") == (code, err), out
    code, _, err = edge(
        "explain", "--call", "00", "--policy", str(site.directory / "policy.toml"), *where, cwd=tmp_path
    )
    assert (1, "edge: no record of call '00' in the log of n1, n2: one is written when the call ends\n") == (code, err)


async def test_whose_records_are_missing_is_told(site: Site, tmp_path: Path) -> None:
    """A node that hangs, with its delivery; without the store, the log beside is what there is."""
    one, two, (_, first) = await two_with_records(site)
    async with Control(site.store.url) as control:
        await heard(control, "n1", "n2")
        two.signal(signal.SIGSTOP)
        for pid in children_of(two):
            os.kill(pid, signal.SIGSTOP)
        try:
            page = await everywhere.find(control, Wanted(Picked()), limit=10, beside=None)
        finally:
            for pid in children_of(two):
                os.kill(pid, signal.SIGCONT)
            two.signal(signal.SIGCONT)
        assert (([first]), ("n1",), ("n2",), None) == ([entry.uid for entry in page.entries], *page[1:])
    state = ("--state", str(one.state))
    await site.store.kill()
    code, out, err = edge("cdr", "find", "--json", "--redis", site.store.url, *state, cwd=tmp_path)
    assert (1, [first]) == (code, [record["uid"] for record in json.loads(out)])
    assert "other nodes were not asked" in err
    code, out, err = edge("cdr", "find", "--here", "--json", *state, cwd=tmp_path)
    assert (0, "", [first]) == (code, err, [record["uid"] for record in json.loads(out)])
    await site.store.start()


async def test_what_nobody_understands_does_the_desk_no_harm(site: Site) -> None:
    """It is told, and the next question is answered; one that comes too late is not."""
    node = await site.start("n1")
    async with Control(site.store.url) as control, Mailboxes(site.store.url) as boxes:
        await heard(control, "n1")
        for data in (b"\xff", b'{"id":"0a"}', b'{"id":"0a","limit":1,"since":"yesterday"}'):
            await boxes.post(records_box_key("n1"), [data], most=10, life_ms=5_000)
        await until(lambda: len(node.told("control.unreadable")) == 3, "the complaints")
        await heard(control, "n1")


def children_of(node: Node) -> list[int]:
    """Of `edge run`."""
    found = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text()
    return [int(pid) for pid in found.split()]
