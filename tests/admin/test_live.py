"""Running calls, nodes, trunks and records: a real edge on the same store, with calls through it."""

import socket
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "integration"))

from desk import open_desk
from several import Site, site_at, until_found

SCAN = b"OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nUser-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def site(tmp_path: Path):
    async with site_at(tmp_path) as site:
        yield site


@pytest.fixture
async def node(site: Site):
    return await site.start("n1")


@pytest.fixture
async def beside(site: Site, node, tmp_path: Path):
    """An admin API beside this node."""
    async with open_desk(site.store.url, node.state, policy=str(tmp_path / "policy.toml")) as desk:
        yield desk


async def listed(client, count: int, **given: str) -> dict:
    async def look() -> bool:
        return len((await client.get("/v1/calls", params=given)).json()["calls"]) == count

    await until_found(look, f"{count} calls")
    return (await client.get("/v1/calls", params=given)).json()


async def test_a_call_is_found_and_hung_up(site: Site, node, beside):
    """By number, whatever its spelling; both sides hear BYE; the record says who did it and why."""
    operator, viewer = await beside.client("operator"), await beside.client("viewer")
    call = await site.parties.dial("rich", node.address)
    page = await listed(viewer, 1, number="0612345678")
    (row,) = page["calls"]
    assert ("rich", "out", "n1", 1, []) == (
        row["account"],
        row["egress_trunk"],
        row["node"],
        page["held"],
        page["silent"],
    )
    assert 1 == len((await viewer.get("/v1/accounts/rich/calls")).json())
    detail = (await viewer.get(f"/v1/calls/{row['uid']}")).json()
    assert row == detail["row"]
    path = f"/v1/calls/{row['uid']}/hang-up"
    assert 403 == (await viewer.post(path, json={"reason": "x"})).status_code
    assert 422 == (await operator.post(path, json={})).status_code
    done = await operator.post(path, json={"reason": "complaint 4411"})
    assert (200, "rich", "n1") == (done.status_code, done.json()["account"], done.json()["node"])
    await site.record(call)
    record = (await viewer.get(f"/v1/cdrs/{row['uid']}")).json()
    assert ("operator", "complaint 4411") == (record["reason"], record["release_reason"])
    assert 404 == (await viewer.get(f"/v1/calls/{row['uid']}")).status_code
    admin = await beside.client("admin")
    done_entry, asked = (await admin.get("/v1/audit")).json()["items"][:2]
    assert ("complaint 4411", "rich") == (asked["why"], done_entry["change"]["before"]["account"])


async def test_records_are_found_exported_and_explained(site: Site, node, beside):
    """By number, account, Call-ID; as CSV and JSON lines; and why it passed."""
    viewer, operator = await beside.client("viewer"), await beside.client("operator")
    calls = [await site.parties.dial("rich", node.address) for _ in range(3)]
    for call in calls:
        call.caller_leaves(node.address)
        await site.record(call)

    async def search(**given) -> list[str]:
        answer = await viewer.get("/v1/cdrs", params=given)
        assert 200 == answer.status_code, answer.text
        return [record["call_id"] for record in answer.json()["items"]]

    ids = [call.call_id.decode() for call in calls]
    assert ids[::-1] == await search(number="06 12 34 56 78")
    assert [ids[1]] == await search(call_id=ids[1])
    assert ids[::-1] == await search(account="rich", outcome="answered", since="1h")
    assert [] == await search(account="dry")
    assert [] == await search(until="2020-01-01")
    page = (await viewer.get("/v1/cdrs", params={"limit": 2})).json()
    rest = (await viewer.get("/v1/cdrs", params={"limit": 2, "cursor": page["next"]})).json()
    assert ids[::-1] == [record["call_id"] for record in [*page["items"], *rest["items"]]]

    async def is_settled() -> bool:
        return (await operator.get("/v1/cdrs/export?format=csv")).text.count("\n") == 4

    await until_found(is_settled, "the records to be settled: until then they are searched, and not exported")
    assert (await operator.get("/v1/cdrs/export?format=jsonl")).text.count("\n") == 3
    parquet = await operator.get("/v1/cdrs/export?format=parquet")
    assert (b"PAR1", b"PAR1") == (parquet.content[:4], parquet.content[-4:])
    told = (await viewer.get(f"/v1/explain/{page['items'][0]['uid']}")).json()
    assert None is told["refused"]
    assert "admitted by limits" in told["limits_then"]
    replayed = await (await beside.client("engineer")).post("/v1/policy/replay", json={"under": None})
    assert 404 == replayed.status_code  # this edge's policy is a file: the store holds none
    only_dry = await beside.client("operator", accounts=("dry",))
    assert [] == (await only_dry.get("/v1/cdrs")).json()["items"]
    assert 404 == (await only_dry.get(f"/v1/cdrs/{page['items'][0]['uid']}")).status_code
    assert (await only_dry.get("/v1/cdrs/export?format=jsonl")).content == b""


async def test_a_node_is_seen_drained_and_resumed(site: Site, node, beside):
    """What it shows of itself; engineers only."""
    engineer, operator = await beside.client("engineer"), await beside.client("operator")

    async def state() -> str:
        (found,) = (await operator.get("/v1/nodes")).json()
        return found["state"]

    async def is_up() -> bool:
        return await state() == "up"

    await until_found(is_up, "the node to show itself")
    shown = (await operator.get("/v1/nodes/n1")).json()
    assert ("n1", 1) == (shown["snapshot"]["node"], shown["snapshot"]["policy_generation"])
    assert 404 == (await operator.get("/v1/nodes/n9")).status_code
    order = {"reason": "new kernel"}
    assert 403 == (await operator.post("/v1/nodes/n1/drain", json=order)).status_code
    assert {"node": "n1", "calls": 0, "changed": True, "account": ""} == (
        await engineer.post("/v1/nodes/n1/drain", json=order)
    ).json()

    async def is_draining() -> bool:
        return await state() == "draining"

    await until_found(is_draining, "the node to say that it drains")
    assert (await engineer.post("/v1/nodes/n1/resume", json=order)).json()["changed"]
    await until_found(is_up, "the node to take calls again")
    assert 404 == (await engineer.post("/v1/nodes/n9/drain", json=order)).status_code


async def test_a_trunk_is_drained_and_resumed_beside_the_policy(site: Site, node, beside):
    """On the node at once, with who and why; engineers only, and no trunk that nobody knows."""
    engineer, viewer = await beside.client("engineer"), await beside.client("viewer")

    async def is_known() -> bool:
        return [one["trunk"] for one in (await viewer.get("/v1/trunks")).json()] == ["out"] and bool(
            (await viewer.get("/v1/trunks/out")).json()["nodes"]
        )

    await until_found(is_known, "the node to show its trunk")
    wanted = {"ordered": "drain", "reason": "ticket 4711"}
    assert 403 == (await viewer.put("/v1/trunk-orders/out", json=wanted)).status_code
    assert 404 == (await engineer.put("/v1/trunk-orders/nowhere", json=wanted)).status_code
    done = await engineer.put("/v1/trunk-orders/out", json=wanted)
    assert (200, 1) == (done.status_code, done.json()["generation"])
    (found,) = (await viewer.get("/v1/trunk-orders")).json()["orders"]
    assert ("out", "drain", "token:engineer", "ticket 4711") == tuple(
        found[key] for key in ("trunk", "ordered", "by", "reason")
    )

    async def is_drained() -> bool:
        return (await site.parties.dial("rich", node.address)).status == 503

    await until_found(is_drained, "the node to follow")
    assert found == (await viewer.get("/v1/trunks/out")).json()["ordered"]
    back = await engineer.put("/v1/trunk-orders/out", json={"ordered": "none", "reason": "it is well again"})
    assert (200, []) == (back.status_code, back.json()["orders"])
    assert None is (await viewer.get("/v1/trunks/out")).json()["ordered"]

    async def is_taken() -> bool:
        return (await site.parties.dial("rich", node.address)).status == 200

    await until_found(is_taken, "the node to send calls there again")
    assert 422 == (await engineer.put("/v1/trunk-orders/out", json={"ordered": "drain", "reason": ""})).status_code
    admin = await beside.client("admin")
    changes = [one["change"] for one in (await admin.get("/v1/audit")).json()["items"] if one["event"] == "done"]
    order = {"ordered": "drain", "by": "token:engineer", "reason": "ticket 4711"}
    assert {"before": order, "after": {"ordered": "none"}} in changes
    assert {"before": {"ordered": "none"}, "after": order} in changes


async def test_bans_are_listed_and_lifted(node, beside):
    """Whoever may hang up calls may; the audit knows where it was not heard; a word that is no address is refused."""
    operator, viewer = await beside.client("operator"), await beside.client("viewer")
    assert {"bans": [], "silent": []} == (await viewer.get("/v1/bans")).json()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.bind(("127.0.0.66", 0))
        for _ in range(3):
            scanner.sendto(SCAN, node.address)

        async def is_banned() -> bool:
            return bool((await viewer.get("/v1/bans")).json()["bans"])

        await until_found(is_banned, "the node to ban it")
    (ban,) = (await viewer.get("/v1/bans")).json()["bans"]
    assert ("n1", "127.0.0.66", "scanner", 1) == tuple(ban[key] for key in ("node", "source", "why", "times"))
    lift = {"source": "127.0.0.66", "reason": "our own audit"}
    assert 403 == (await viewer.post("/v1/bans/lift", json=lift)).status_code
    done = await operator.post("/v1/bans/lift", json=lift)
    assert (200, {"source": "127.0.0.66", "nodes": ["n1"]}) == (done.status_code, done.json())
    assert [] == (await viewer.get("/v1/bans")).json()["bans"]
    again = await operator.post("/v1/bans/lift", json=lift)
    assert (200, []) == (again.status_code, again.json()["nodes"])
    admin = await beside.client("admin")
    changes = [one["change"] for one in (await admin.get("/v1/audit")).json()["items"] if one["event"] == "done"]
    assert {"before": {"banned_on": ["n1"]}, "after": {"banned_on": []}} == changes[1]
    for source in ("over there", "carrier"):
        wrong = (await operator.post("/v1/bans/lift", json={"source": source, "reason": "x"})).json()
        assert [422, "/source"] == [wrong["status"], wrong["errors"][0]["pointer"]]


async def test_trunks_as_the_nodes_see_them(site: Site, node, beside):
    """State and calls on each node, and the ceiling in the store; alarms of whoever is near a limit."""
    viewer = await beside.client("viewer")
    calls = [await site.parties.dial("rich", node.address) for _ in range(3)]

    async def trunk() -> dict:
        (found,) = (await viewer.get("/v1/trunks")).json()
        return found

    async def has_calls() -> bool:
        nodes = (await trunk())["nodes"]
        return bool(nodes) and nodes[0]["use"]["calls"] == 3

    await until_found(has_calls, "the trunk's calls to be shown")
    found = await trunk()
    assert ("out", 3, 50, "up", False) == (
        found["trunk"],
        found["in_use"],
        found["calls_ceiling"],
        found["nodes"][0]["use"]["health"],
        found["maintenance"],
    )
    assert found == (await viewer.get("/v1/trunks/out")).json() | {"nodes": found["nodes"]}

    async def is_alarmed() -> bool:
        alarms = (await viewer.get("/v1/alarms")).json()
        return ("rich", "calls") in [(one["alarm"]["holder"], one["alarm"]["limit"]) for one in alarms]

    await until_found(is_alarmed, "rich at its ceiling of three calls to be told")
    for call in calls:
        call.caller_leaves(node.address)
        await site.record(call)
