"""The same by the command line: what an operator types, what the terminal says, how it ends."""

import asyncio
import json
import os
import sys

from several import Site, until, until_found

from edge.terminal import FAILED


async def edge(site: Site, *words: str, code: int = 0) -> str:
    """`edge …` on this store."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", *words, "--redis", site.store.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == code, said.decode()
    return said.decode()


async def test_a_shift_at_the_terminal(site: Site) -> None:
    """Nodes, calls, one call by the beginning of its uid, its end, a drained node, the journal; then no store."""
    node = await site.start("n1")
    call = await site.parties.dial("rich", node.address)

    async def is_shown() -> bool:
        (found,) = json.loads(await edge(site, "nodes", "--json"))
        return bool(found["state"] == "up" and found["snapshot"]["calls"] == 1)

    await until_found(is_shown, "the node to show its call")
    assert (await edge(site, "nodes")).splitlines()[1].split()[:2] == ["n1", "up"]

    (row,) = json.loads(await edge(site, "calls", "list", "--account", "rich", "--json"))["calls"]
    assert row["call_id"] == call.call_id.decode()
    assert "no such call runs" in await edge(site, "calls", "list", "--account", "dry")
    beginning = row["uid"][:8]
    assert f"call        {row['uid']} on node n1, answered" in await edge(site, "calls", "show", beginning)
    assert json.loads(await edge(site, "calls", "show", beginning, "--json"))["row"] == row

    said = await edge(site, "calls", "hangup", beginning, "--reason", "complaint 4411", "--by", "ops")
    assert said == f"{row['uid']}: hung up, of account rich\n"
    record = await site.record(call)
    assert (record["reason"], record["release_reason"]) == ("operator", "complaint 4411")
    await until(lambda: call.sides_told == ["callee", "caller"], "both BYEs")
    assert "no node has a running call" in await edge(site, "calls", "show", beginning, code=FAILED)

    assert await edge(site, "drain", "n1", "--reason", "kernel") == "n1: takes no new attempts; 0 calls go on\n"
    assert (await site.parties.dial("rich", node.address)).status == 503
    assert json.loads(await edge(site, "undrain", "n1", "--json"))["changed"] is True
    assert "alive: n1" in await edge(site, "drain", "n2", code=FAILED)
    assert await edge(site, "bans", "list") == "every source is heard\n"
    assert "expected an address" in await edge(site, "bans", "lift", "carrier", code=2)
    assert await edge(site, "bans", "lift", "203.0.113.7") == "203.0.113.7: no node had banned it\n"
    verbs = [one["entry"]["verb"] for one in json.loads(await edge(site, "journal", "--json"))]
    assert verbs == ["lift_ban", "undrain", "drain", "hang_up"]
    assert (await edge(site, "journal", "--last", "1")).count("\n") == 1

    await site.store.kill()
    assert "without it nodes can be neither seen nor steered" in await edge(site, "nodes", code=FAILED)


async def test_what_changes_something_speaks_to_machines_too(site: Site) -> None:
    """Books, the ledger, people called: an object each."""
    node = await site.start("n1")
    assert json.loads(await edge(site, "account", "verify", "rich", "--json")) == {"looked_at": 1, "broken": []}
    assert json.loads(await edge(site, "penalties", "verify", "--json")) == []
    at = ("--state", str(node.state))
    refused = json.loads(await edge(site, "contacts", "refusal", "rich", "+33639980001", "--json", *at))
    assert (refused["account"], refused["number"], refused["what"]) == ("rich", "+33639980001", "refusal")
    assert refused["refused_ms"] > 0
    key = json.loads(await edge(site, "contacts", "key", "--json", *at))
    assert (key["agree"], key["key"]) == (True, key["store"])
    people = site.directory / "people.csv"
    people.write_text("number,what\n+33639980002,refusal\n+33639980003,refusal\n")
    told = json.loads(await edge(site, "contacts", "import", "rich", str(people), "--dry-run", "--json", *at))
    assert (told["dry_run"], told["recorded"]) == (True, {"refusal": 2})


async def test_names_of_nodes_and_accounts_are_completed(site: Site) -> None:
    """As the shell asks for them, from the store of the environment; without one there is nothing to offer."""
    await site.start("n1")

    async def offered(words: str, url: str) -> list[str]:
        count = str(len(words.split(" ")) - 1)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from edge.commands import app; app(prog_name='edge')"),
            env={
                **os.environ,
                "_EDGE_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": count,
                "EDGE_REDIS": url,
            },
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await process.communicate()
        return said.decode().split()

    async def is_known() -> bool:
        return await offered("edge drain n", site.store.url) == ["n1"]

    await until_found(is_known, "the node to be offered")
    assert await offered("edge account show r", site.store.url) == ["rich"]
    assert await offered("edge drain n", f"unix://{site.directory}/none.sock") == []
