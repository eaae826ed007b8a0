"""`edge trace`: the messages of one account on two nodes, in the terminal and in a file that an analyser reads."""

import asyncio
import json
import shutil
import signal
import sys
from pathlib import Path

from several import BOUND_S, Site, until

from edge.control.client import Control
from edge.control.questions import TraceWanted
from edge.terminal import FAILED, USAGE

START_S = 4 * BOUND_S
"""An interpreter starts, reads the product in, and speaks with the nodes: on a busy machine that takes its time."""
SHOWN = ["INVITE", "100", "INVITE", "200", "200", "ACK", "ACK", "BYE", "BYE", "200", "200"]
"""A call through one node, in the order in which its messages pass."""


class Trace:
    """One `edge trace` that runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said: list[str] = []
        self.notes: list[str] = []
        self._reading = [
            asyncio.create_task(self._read(process.stdout, self.said)),
            asyncio.create_task(self._read(process.stderr, self.notes)),
        ]

    @staticmethod
    async def _read(stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        while line := await stream.readline():
            lines.append(line.decode())

    async def ended(self) -> int:
        async with asyncio.timeout(START_S):
            code = await self.process.wait()
            await asyncio.gather(*self._reading)
        return code


async def tracing(site: Site, *words: str) -> Trace:
    """A trace that every node has taken."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "trace", *words, "--redis", site.store.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    trace = Trace(process)
    await until(lambda: any("tracing on" in note for note in trace.notes), "the trace to begin", START_S)
    return trace


async def in_tshark(file: Path) -> list[str]:
    """Method or status of each message, as the analyser reads the file: nothing is told it of ports."""
    tshark = shutil.which("tshark")
    assert tshark is not None, "this test needs tshark on PATH"
    process = await asyncio.create_subprocess_exec(
        *(tshark, "-r", str(file), "-Y", "sip && udp.checksum.status != 0", "-o", "udp.check_checksum:TRUE"),
        *("-T", "fields", "-e", "sip.Method", "-e", "sip.Status-Code"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return [line.strip() for line in out.decode().splitlines()]


async def test_one_account_is_seen_on_every_node(site: Site) -> None:
    """Its calls wherever they pass, and nobody else's; Ctrl-C ends it; tshark reads the file as SIP."""
    one, two = [await site.start(name) for name in ("n1", "n2")]
    await site.see_each_other(one, two)
    file = site.directory / "rich.pcap"
    trace = await tracing(
        site, "--account", "rich", "--json", "--pcap", str(file), "--reason", "no audio", "--by", "ops"
    )
    for node, stranger in ((one, "dry"), (two, "saved")):
        other = await site.parties.dial(stranger, node.address)
        call = await site.parties.dial("rich", node.address)
        call.caller_leaves(node.address)
        await site.record(call)
        assert other.status == 200
    await until(lambda: len(trace.said) == 2 * len(SHOWN), "all messages", START_S)
    trace.process.send_signal(signal.SIGINT)
    assert await trace.ended() == 0

    said = [json.loads(line) for line in trace.said]
    copies = [one for one in said if one["kind"] == "message"]
    for node in ("n1", "n2"):
        words = [copy["text"].split(" ") for copy in copies if copy["node"] == node]
        assert sorted(SHOWN) == sorted([word[1] if word[0] == "SIP/2.0" else word[0] for word in words])
    assert {way for copy in copies for way in copy["way"]} == {"<", ">"}
    assert sorted(await in_tshark(file)) == sorted(2 * SHOWN)
    assert file.stat().st_mode & 0o077 == 0

    fact = await one.fact("operator.trace_started")
    assert (fact["wanted"], fact["by"], fact["why"]) == ("account=rich", "ops", "no audio")
    await two.fact("operator.trace_stopped")
    async with Control(site.store.url) as control:
        entries = [found.entry for found in await control.journal()]
    assert [(one.verb, one.wanted) for one in entries if one.verb == "trace_start"] == [
        ("trace_start", TraceWanted(account="rich"))
    ] * 2


async def test_a_ladder_ends_by_itself(site: Site) -> None:
    """When it has as many messages as were asked for: by a number in another spelling, as a person reads it."""
    node = await site.start("n1")
    trace = await tracing(site, "--number", "06 12 34 56 78", "--messages", "4")
    await site.parties.dial("rich", node.address)
    assert await trace.ended() == 0
    rungs = [line for line in trace.said if " < " in line or " > " in line]
    assert ["INVITE" in rungs[0], "100 " in rungs[1], "INVITE" in rungs[2], len(rungs)] == [True, True, True, 4]
    assert any("n1: 4 messages, it has as many messages as were asked for" in note for note in trace.notes)
    assert all(len(line.rstrip("\n")) <= 80 for line in trace.said)


async def test_what_cannot_be_traced_is_said(site: Site) -> None:
    """Nothing wanted, no network, a file that cannot be written, no node; and a node that dies says no last word."""

    async def edge(*words: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", "trace", *words, "--redis", site.store.url),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        return process.returncode, said.decode()

    for words, code, expected in [
        ((), USAGE, "expected one of --account"),
        (("--source", "nowhere"), USAGE, "nowhere"),
        (("--account", "rich", "--pcap", "/nowhere/x.pcap"), FAILED, "cannot write /nowhere/x.pcap"),
        (("--account", "rich"), FAILED, "no answer from any node"),
    ]:
        found, said = await edge(*words)
        assert (found, expected in said) == (code, True), said
