"""`edge run --workers 2`: calls whose messages land at the wrong worker, workers that die, what all of them share."""

import asyncio
import os
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from authority import Authority
from edges import address_in
from several import BOUND_S, POLICY, Address, Dialog, Node, Site, free_port, site_at, until

from edge.agents import Endpoint
from edge.control.client import Control
from edge.sip import compose
from edge.sip.message import Request, Response, parse
from edge.workers.ownership import slot_of

WORKERS = 2


class Compact(Endpoint):
    """Writes Call-ID in its compact form: the kernel finds no owner, and goes by the sender's port."""

    def send(self, data: bytes, to: Address) -> None:
        super().send(data.replace(b"\r\nCall-ID: ", b"\r\ni: "), to)


@pytest.fixture
async def misled(tmp_path: Path) -> AsyncIterator[Site]:
    """A site where every message of one party comes to one worker, whosever it is."""
    async with site_at(tmp_path, Compact) as site:
        yield site


async def start(site: Site, *options: str, calls: int = 3) -> Node:
    """Two workers that know of each other; `rich` may have so many calls."""
    site.write_policy(POLICY.replace("calls_base = 3", f"calls_base = {calls}"))
    node = await site.start("n", "--workers", str(WORKERS), *options)
    await until(lambda: {fact["live"] for fact in node.told("nodes.changed")} >= {"n.1 n.2"}, "the workers to meet")
    return node


def owner(dialog: Dialog) -> str:
    return f"n.{slot_of(dialog.call_id, WORKERS) + 1}"


def workers_of(node: Node) -> list[int]:
    """Process ids."""
    children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split()
    return [int(child) for child in children if b"edge.workers.process" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def page(node_says: str) -> str:
    """The metrics page."""
    host, port = address_in(node_says, "http://")
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = (await reader.read()).decode()
    writer.close()
    return text


async def test_a_call_whose_messages_come_to_the_wrong_worker_is_one_call(misled: Site) -> None:
    """Set-up, ACK and BYE of either side: all reach the owner, who writes the one record."""
    node = await start(misled, "--metrics", "127.0.0.1:0")
    for place in range(12):
        dialog = await misled.parties.dial("rich", node.address)
        assert dialog.status == 200
        (dialog.callee_leaves if place % 2 else dialog.caller_leaves)(node.address)
        record = await misled.record(dialog)
        assert (record["node"], record["release_side"]) == (owner(dialog), "egress" if place % 2 else "ingress")
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
        assert dialog.sides_told == ["caller" if place % 2 else "callee"]
    assert {record["node"] for record in node.records()} == {"n.1", "n.2"}
    text = await page(node.said[0])
    handed = {
        (name, way): float(text.partition(f'edge_handed_over_total{{node="{name}",way="{way}"}} ')[2].split()[0])
        for name in ("n.1", "n.2")
        for way in ("sent", "received", "lost")
    }
    assert handed["n.2", "received"] == handed["n.1", "sent"], handed
    assert handed["n.1", "received"] == handed["n.2", "sent"], handed
    assert handed["n.1", "sent"] + handed["n.2", "sent"] > 0, "some came to the wrong one"
    assert handed["n.1", "lost"] == handed["n.2", "lost"] == 0
    await misled.assert_settled("rich")


async def test_cancel_and_copies_from_another_port_meet_their_invite(misled: Site) -> None:
    """RFC 3261 §9.2, §17.2.3: by the branch, whatever the port; another worker's port too."""
    node = await start(misled)
    strange: list[Request | Response] = []
    ports = [await Compact.bound("127.0.0.1", lambda message, _: strange.append(message)) for _ in range(2)]
    while ports[0].port % WORKERS == ports[1].port % WORKERS:
        ports[1] = await Compact.bound("127.0.0.1", lambda message, _: strange.append(message))
    for count, port in enumerate(ports * 2, 1):
        dialog = await misled.parties.dial("rich", node.address, rings=True)
        for one in ports:
            one.send(dialog.invite.data, node.address)
        port.send(compose.cancel(dialog.invite), node.address)
        await until(lambda dialog=dialog: dialog.status == 487, "the end of the INVITE")
        record = await misled.record(dialog)
        assert (record["node"], record["outcome"]) == (owner(dialog), "cancelled")
        cancels = [one for one in strange if isinstance(one, Response) and one.cseq().method == b"CANCEL"]
        await until(
            lambda count=count: len([one for one in strange if one.cseq().method == b"CANCEL"]) == count,
            "the answer to the CANCEL",
        )
        assert {one.status for one in cancels} <= {200}
    for one in ports:
        one.close()
    assert len(node.records()) == 4
    await misled.assert_settled("rich")


async def test_the_ceiling_is_one_for_all_workers(site: Site) -> None:
    """`rich` may have three calls: of twelve at one moment three pass, whoever is asked."""
    node = await start(site)
    dialled = await asyncio.gather(*[site.parties.dial("rich", node.address) for _ in range(12)])
    assert sorted(dialog.status for dialog in dialled) == [200] * 3 + [503] * 9
    assert {owner(dialog) for dialog in dialled} == {"n.1", "n.2"}
    for dialog in dialled:
        if dialog.status == 200:
            dialog.caller_leaves(node.address)
        assert (await site.record(dialog))["node"] == owner(dialog)
    await site.assert_settled("rich")


async def test_the_calls_of_a_worker_that_is_killed_go_on(misled: Site) -> None:
    """It is back before anybody takes its calls; BYEs of either side, which waited, end them. One record for each."""
    node = await start(misled, "--takeover-s", "30", "--lease-s", "60", calls=30)
    dialogs: list[Dialog] = []
    while sorted(map(owner, dialogs)) != ["n.1", "n.1", "n.2", "n.2"]:
        dialog = await misled.parties.dial("rich", node.address)
        if sum(owner(one) == owner(dialog) for one in dialogs) < 2:
            dialogs.append(dialog)
        else:
            dialog.caller_leaves(node.address)
            await misled.record(dialog)
    for name in ("n.1", "n.2"):
        await misled.store.noted(name, "rich", "trunk:out")
    os.kill(workers_of(node)[0], signal.SIGKILL)
    died = await node.fact("worker.died")
    name = died["node"]
    assert (died["why"], died["restart_s"]) == ("signal 9", 0.0)
    held, others = [one for one in dialogs if owner(one) == name], [one for one in dialogs if owner(one) != name]
    others[0].caller_leaves(node.address)
    await misled.record(others[0])
    assert (await node.fact("worker.started"))["node"] == name
    held[0].caller_leaves(node.address)
    held[1].callee_leaves(node.address)
    others[1].callee_leaves(node.address)
    for dialog in held:
        record = await misled.record(dialog)
        assert (record["node"], record["adopted_from"], record["lost"]) == (name, name, False)
    for dialog in dialogs:
        assert (await misled.record(dialog))["outcome"] == "answered"
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
    await misled.assert_settled("rich")


async def rest(node: Node) -> tuple[str, str]:
    """Kill one worker twice in a row, so that it pauses; its name, and the other's."""
    os.kill(workers_of(node)[0], signal.SIGKILL)
    name = str((await node.fact("worker.started"))["node"])
    os.kill(workers_of(node)[-1], signal.SIGKILL)
    await until(lambda: [fact["restart_s"] for fact in node.told("worker.died")] == [0.0, 1.0], "the pause")
    return name, {"n.1": "n.2", "n.2": "n.1"}[name]


async def until_back(node: Node) -> None:
    """The worker that rests."""
    await until(lambda: len(node.told("worker.started")) == 2, "its return")


async def test_while_a_worker_rests_others_do_its_work(site: Site) -> None:
    """No call waits for it, and none is lost in the moment in which it comes back."""
    node = await start(site)
    name, other = await rest(node)
    nodes = set()
    while len(node.told("worker.started")) < 2 or (name, name) not in nodes:
        dialog = await site.parties.dial("rich", node.address)
        assert dialog.status == 200, [(one["node"], one["reason"]) for one in node.records(dialog)]
        dialog.caller_leaves(node.address)
        record = await site.record(dialog)
        nodes.add((owner(dialog), record["node"]))
        assert record["node"] in (owner(dialog), other)
    assert (name, other) in nodes
    await site.assert_settled("rich")


async def test_calls_begun_while_their_worker_rests_end_where_they_began(site: Site) -> None:
    """Whatever comes of them when it is back: a 200, a CANCEL, a copy of the INVITE, a BYE of either side."""
    node = await start(site, calls=30)
    name, other = await rest(node)

    async def dial(*, rings: bool) -> Dialog:
        """Of the worker that rests."""
        while True:
            dialog = await site.parties.dial("rich", node.address, rings=rings)
            if owner(dialog) == name:
                return dialog
            others.append(dialog)

    others: list[Dialog] = []
    picked_up, given_up, cancelled = [await dial(rings=True) for _ in range(3)]
    up = [await dial(rings=False) for _ in range(2)]
    assert len(node.told("worker.started")) == 1, "it rests still"
    await until_back(node)
    for dialog in (picked_up, given_up, *up):
        site.parties.again(dialog, node.address)
    for dialog in (picked_up, given_up):
        site.parties.pick_up(dialog, node.address)
        await until(lambda dialog=dialog: dialog.status == 200, "the answer")
    site.parties.give_up(cancelled, node.address)
    await until(lambda: cancelled.status == 487, "the end of the INVITE")
    for dialog in (picked_up, up[0]):
        dialog.caller_leaves(node.address)
    for dialog in (given_up, up[1]):
        dialog.callee_leaves(node.address)
    for dialog in (picked_up, given_up, *up):
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
    records = [await site.record(dialog) for dialog in (picked_up, given_up, *up, cancelled)]
    assert [record["outcome"] for record in records] == ["answered"] * 4 + ["cancelled"]
    assert [record["release_side"] for record in records[:4]] == ["ingress", "egress"] * 2
    assert {record["node"] for record in records} == {other}
    fresh = await dial(rings=False)
    for dialog in (fresh, *others):
        if dialog.status == 200:
            dialog.caller_leaves(node.address)
        else:
            site.parties.give_up(dialog, node.address)
    assert (await site.record(fresh))["node"] == name, "what is new is its own again"
    for dialog in others:
        await site.record(dialog)
    await site.assert_settled("rich")


async def test_a_stop_drains_all_workers_and_a_reload_reaches_all(site: Site) -> None:
    """SIGHUP: the policy is taken anew by each. SIGTERM: no new attempts anywhere, running calls end, exit code 0. A
    worker that has none ends at once; what comes to it then is refused by the one that has."""
    node = await start(site, "--drain-s", "30")
    site.write_policy(POLICY.replace("calls_base = 3", "calls_base = 4"))
    node.signal(signal.SIGHUP)
    await until(lambda: len([one for one in node.told("policy.loaded") if one["generation"] == 2]) == WORKERS, "both")
    dialogs: list[Dialog] = []
    while len(dialogs) < 4:
        dialog = await site.parties.dial("rich", node.address)
        assert dialog.status == 200
        if owner(dialog) == "n.1":
            dialogs.append(dialog)
        else:
            dialog.caller_leaves(node.address)
            await site.record(dialog)
    node.signal(signal.SIGTERM)
    await until(lambda: len(node.told("edge.draining")) == WORKERS, "both to drain")
    await until(lambda: len(workers_of(node)) == 1, "the end of the one that has no call")
    refused: list[Dialog] = []
    while {owner(dialog) for dialog in refused} != {"n.1", "n.2"} or len(refused) < 4:
        refused.append(await site.parties.dial("saved", node.address))
    assert {dialog.status for dialog in refused} == {503}
    for dialog in dialogs:
        dialog.caller_leaves(node.address)
    assert await node.ended() == 0
    assert [fact["calls_hung_up"] for fact in node.told("edge.stopped")] == [0] * WORKERS
    assert all(len(site.records(dialog)) == 1 for dialog in dialogs)


async def test_workers_end_with_the_process_that_keeps_them(site: Site) -> None:
    """Killed, it leaves nobody on the ports; started again under its name it has the calls that were up."""
    node = await start(site, "--takeover-s", "30", "--lease-s", "60")
    dialogs: list[Dialog] = []
    while {owner(dialog) for dialog in dialogs} != {"n.1", "n.2"}:
        dialogs.append(await site.parties.dial("rich", node.address))
        if len(dialogs) == 3:
            dialogs[1].caller_leaves(node.address)
            await site.record(dialogs.pop(1))
    for name in ("n.1", "n.2"):
        await site.store.noted(name, "rich", "trunk:out")
    workers = workers_of(node)
    assert len(workers) == WORKERS
    node.signal(signal.SIGKILL)
    await node.ended()
    await until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), "the workers to end")
    again = await start(site, "--takeover-s", "30", "--lease-s", "60")
    for dialog in dialogs:
        dialog.caller_leaves(again.address)
        record = await site.record(dialog)
        assert (record["node"], record["outcome"], record["lost"]) == (owner(dialog), "answered", False)
    await site.assert_settled("rich")


async def test_pinned_workers_stay_on_a_processor_each(site: Site) -> None:
    """As many processors as there are; one worker more than those shares the first."""
    node = await start(site, "--workers-pin", "true")
    allowed = sorted(os.sched_getaffinity(0))
    expected = sorted([allowed[worker % len(allowed)] for worker in range(WORKERS)])
    assert sorted([min(os.sched_getaffinity(pid)) for pid in workers_of(node)]) == expected
    assert {len(os.sched_getaffinity(pid)) for pid in workers_of(node)} == {1}


async def test_operators_see_all_workers_as_one_edge(site: Site) -> None:
    """Calls of all are listed; `drain` of the edge's name is for each of its workers."""
    node = await start(site, calls=30)
    dialogs: list[Dialog] = []
    while {owner(dialog) for dialog in dialogs} != {"n.1", "n.2"}:
        dialogs.append(await site.parties.dial("rich", node.address))
    async with Control(site.store.url) as control:
        calls = await control.list_calls()
        assert {row.uid for row in calls.calls} >= {str(one["uid"]) for one in node.records()}
        assert len(calls.calls) == len(dialogs)
        assert {row.node for row in calls.calls} == {"n.1", "n.2"}
        done = await control.drain("n", by="test")
        assert (done.calls, done.changed) == (len(dialogs), True)
        assert (await site.parties.dial("rich", node.address)).status == 503
        await control.undrain("n", by="test")
        assert (await site.parties.dial("rich", node.address)).status == 200
    for dialog in dialogs:
        dialog.caller_leaves(node.address)
        await site.record(dialog)


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_a_connection_carries_calls_of_every_worker(site: Site, tmp_path: Path, transport: str) -> None:
    """One worker has the connection; calls of the other are answered by it too, and its dialogs followed (RFC 5626)."""
    port = free_port()
    options, context = ["--listen", f"{transport}:127.0.0.1:{port}"], None
    if transport == "tls":
        authority = Authority(tmp_path)
        options += ["--tls-certificates", str(authority.issue("edge.pem", "127.0.0.1"))]
        context = ssl.create_default_context(cafile=str(authority.ca))
    node = await start(site, *options, calls=30)
    async with asyncio.timeout(BOUND_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    owners = set()
    for number in range(8):
        call_id = b"over-tcp-%d@caller.example" % number
        over = transport.encode()
        here = b"SIP/2.0/%b 192.0.2.9:5060;branch=z9hG4bK" % over.upper()
        target = b"sip:+3314500%04d1@127.0.0.1:%d;transport=%b" % (number, port, over)
        from_, contact = b"<sip:+33612345678@192.0.2.9>;tag=c%d" % number, b"<sip:caller@192.0.2.9;transport=%b>" % over
        invite = compose.request(
            b"INVITE", target, via=here + b"tcp%d" % number, from_=from_,
            to=b"<%b>" % target, call_id=call_id, cseq=1,
            headers=((b"Contact", contact), (b"X-Account", b"rich")),
        )  # fmt: skip
        parsed = parse(invite)
        assert isinstance(parsed, Request)
        dialog = site.parties.dialogs[call_id] = Dialog(site.parties, parsed)
        writer.write(invite)
        answer = await message(reader)
        while isinstance(answer, Response) and answer.status < 200:
            answer = await message(reader)
        assert isinstance(answer, Response)
        assert answer.status == 200
        dialog.answer = answer
        callee = answer.contact()
        assert callee is not None
        routes = tuple(reversed(answer.list_values(b"record-route")))
        via = here + b"ack%d" % number
        to = answer.to().raw
        writer.write(
            compose.request(b"ACK", callee.uri, via=via, from_=from_, to=to, call_id=call_id, cseq=1, routes=routes)
        )
        dialog.callee_leaves(node.address)
        bye = await message(reader)
        assert isinstance(bye, Request)
        assert bye.method == b"BYE"
        writer.write(compose.response(bye, 200, b"OK"))
        await until(lambda dialog=dialog: dialog.bye_statuses == [200], "the answer to the BYE")
        record = await site.record(dialog)
        assert (record["node"], record["release_side"]) == (owner(dialog), "egress")
        owners.add(owner(dialog))
    assert owners == {"n.1", "n.2"}
    writer.close()
    await site.assert_settled("rich")


async def message(reader: asyncio.StreamReader) -> Request | Response:
    """The next one of this connection."""
    async with asyncio.timeout(BOUND_S):
        found = parse(await reader.readuntil(b"\r\n\r\n"))
    assert found.value(b"content-length") in (b"0", None), "these have no body"
    return found
