"""The log of running edges: killed under load with money at stake; a disk that is full, as configured."""

import asyncio
import json
import random
import resource
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from several import Dialog, Node, Site, until

from edge.cdr.verify import Kind, verify

CYCLES = 4
CALLS = 4
"""At one time: the account's ceiling is 3, so each round has refusals too."""


async def test_an_edge_that_is_killed_again_and_again_loses_no_record_and_no_money(site: Site) -> None:
    """SIGKILL at random instants while calls begin and end. Every final response that a caller saw has its record; no
    uid twice; and the sum of what the records cost is what was debited, to the micro-unit."""
    draw = random.Random()
    finished: list[Dialog] = []
    running: list[Dialog] = []
    for _ in range(CYCLES):
        node = await site.start("n1")
        for dialog in running:
            dialog.caller_leaves(node.address)
        running = []
        alive = [asyncio.create_task(talk(site, node, draw, finished, running)) for _ in range(CALLS)]
        await asyncio.wait(alive, timeout=draw.uniform(0.2, 1.0), return_when=asyncio.ALL_COMPLETED)
        node.signal(signal.SIGKILL)
        for task in alive:
            task.cancel()
        await asyncio.gather(*alive, return_exceptions=True)
        await node.ended()
    last = await site.start("n1")
    for dialog in site.parties.dialogs.values():
        if dialog.answer is not None and not dialog.bye_statuses:
            dialog.caller_leaves(last.address)  # answered as its edge died: somebody still talks
        elif dialog.answer is None and dialog.status < 300 and dialog.at_callee is not None:
            dialog.callee_leaves(last.address)  # its answer died with the edge, so that nobody acknowledged it
    records = {str(record["call_id"]): record for record in last.records()}
    assert finished, "nothing was tried"
    for dialog in finished:
        await until(lambda dialog=dialog: site.records(dialog), f"the record of {dialog.call_id!r}")
        assert site.records(dialog)[0]["status"] in (dialog.status, 0), records
    await site.assert_settled("rich")
    uids = Counter(str(record["uid"]) for record in last.records())
    assert max(uids.values()) == 1
    report = verify([last.state / "cdr"])
    assert [finding for finding in report.findings if finding.kind is not Kind.NOTE] == []
    last.signal(signal.SIGTERM)
    assert await last.ended() == 0


async def talk(site: Site, node: Node, draw: random.Random, finished: list[Dialog], running: list[Dialog]) -> None:
    """Calls one after the other until the end comes."""
    while True:
        dialog = await site.parties.dial("rich", node.address)
        if dialog.status >= 300:
            finished.append(dialog)
            continue
        running.append(dialog)
        silence = asyncio.Event()
        await asyncio.wait({asyncio.create_task(silence.wait())}, timeout=draw.uniform(0, 0.1))
        dialog.caller_leaves(node.address)
        await until(lambda dialog=dialog: dialog.bye_statuses, "the answer to the BYE")
        running.remove(dialog)
        finished.append(dialog)


class SmallDisk:
    """The place of one node's log: a tiny tmpfs where mounting is allowed, else a limit on what the node may write."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        command = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory)]
        self.is_mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self, node: Node) -> None:
        if not self.is_mounted:
            resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        with (self.directory / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 512)
            except OSError:
                pass

    def free(self, node: Node) -> None:
        if self.is_mounted:
            (self.directory / "ballast").unlink()
        else:
            resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    def remove(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], SmallDisk]]:
    disks: list[SmallDisk] = []

    def made(name: str) -> SmallDisk:
        disks.append(SmallDisk(tmp_path / name / "cdr"))
        return disks[-1]

    yield made
    for one in disks:
        one.remove()


@pytest.mark.parametrize(("choice", "statuses"), [("refuse", {503}), ("go-on", {200, 503})])
async def test_a_full_disk_does_what_is_configured_and_ends_by_itself(
    site: Site, disk: Callable[[str], SmallDisk], choice: str, statuses: set[int]
) -> None:
    """Full under load: calls go on until ten records wait; then new ones are refused, or pass. With room again every
    record that was kept is written in order, without a restart; nothing is damaged."""
    small = disk("n1")
    node = await site.start("n1", "--cdr-queue", "10", "--cdr-full", choice, "--cdr-segment-mb", "1")
    before = await call(site, node)
    assert before.status == 200
    await site.record(before)
    small.fill(node)
    waiting = [await call(site, node) for _ in range(16)]
    await node.fact("cdr.failing")
    assert [dialog.status for dialog in waiting[:8]] == [200] * 8, "calls go on while there is a place for the record"
    refused = await after_a_look(site, node, choice)
    assert {dialog.status for dialog in refused} <= statuses
    if choice == "refuse":
        assert [dialog.status for dialog in refused] == [503] * len(refused)

    small.free(node)
    await node.fact("cdr.recovered")
    last = await call(site, node)
    await until(lambda: json.dumps(last.call_id.decode()) in json.dumps(node.records()), "the record of the last call")
    written = {record["call_id"] for record in node.records()}
    kept = [dialog for dialog in (before, *waiting, last) if dialog.status == 200]
    assert [dialog.call_id for dialog in kept if dialog.call_id.decode() not in written] == []
    report = verify([node.state / "cdr"])
    faults = {finding.kind for finding in report.findings} - {Kind.NOTE}
    assert faults <= {Kind.GAP}, report.findings
    lost = node.told("cdr.lost")
    assert (faults == set()) or lost, "a gap is a record that was told as lost"
    assert len(node.told("cdr.recovered")) == 1
    await site.assert_settled("rich")


async def call(site: Site, node: Node) -> Dialog:
    """A short call, over when this returns."""
    dialog = await site.parties.dial("rich", node.address)
    if dialog.status == 200:
        dialog.caller_leaves(node.address)
        await until(lambda: dialog.bye_statuses, "the answer to the BYE")
    return dialog


async def after_a_look(site: Site, node: Node, choice: str) -> list[Dialog]:
    """Some calls more, once the edge has looked at its queue (every half second)."""
    if choice == "refuse":
        async with asyncio.timeout(10):
            while (await call(site, node)).status != 503:
                pass
    return [await call(site, node) for _ in range(5)]
