"""The policy in the store, as operators and edges have it: imports obeyed by the next INVITE, rollback, damage."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from edges import CALLED, CLI, calling, policy, running

from edge.agents import Trunk
from edge.config.snapshot import PolicySnapshot
from edge.contacts.key import KeyDiffers, agree
from edge.policies.following import Follower
from edge.proxy.facts import Fact
from limits.documents import DocumentStore
from limits.embedded import EmbeddedStore

RATES = "prefix,zone,connect,rate,first,next,minimum\n49,Germany,0,0.01,1,1,0\n33,France,0,0.02,1,1,0\n"


@pytest.fixture
async def trunk() -> AsyncIterator[Trunk]:
    """Answers at once."""
    trunk = await Trunk.at("127.0.0.1", ring_s=0.0)
    yield trunk
    trunk.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a store of our own."""
    async with EmbeddedStore(tmp_path / "store") as opened:
        yield opened.url


class Operator:
    """Types commands of `edge policy` at a terminal."""

    def __init__(self, url: str, directory: Path) -> None:
        self._environment = {**os.environ, "EDGE_REDIS": url}
        self.directory = directory

    async def types(self, *words: str) -> tuple[int, str, str]:
        """`edge policy …`: exit code, stdout, stderr."""
        return await self.runs("policy", *words)

    async def runs(self, *words: str) -> tuple[int, str, str]:
        """Any command of `edge`."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge", *words),
            cwd=self.directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def brings(self, text: str, *words: str) -> str:
        """Imports this document; what the command says."""
        (self.directory / "policy.toml").write_text(text)
        code, out, err = await self.types("import", "policy.toml", "--by", "ann", *words)
        assert (code, err) == (0, "")
        return out


@pytest.fixture
def operator(store: str, tmp_path: Path) -> Operator:
    desk = tmp_path / "desk"
    desk.mkdir()
    return Operator(store, desk)


async def test_an_import_is_obeyed_by_the_next_invite_and_a_rollback_too(
    tmp_path: Path, store: str, operator: Operator, trunk: Trunk
) -> None:
    """On every node, without a reload; each record says which generation judged."""
    await operator.brings(policy(trunk, sources="127.0.0.9/32"))
    options = ("--redis", store, "--metrics", "none")
    async with (
        running(tmp_path / "a", *options, policy="store", node="n1") as one,
        running(tmp_path / "b", *options, policy="store", node="n2") as two,
        calling(one) as at_one,
        calling(two) as at_two,
    ):
        assert "policy      store (generation 1, 1 accounts)" in one.lines
        before = await at_one.call(CLI, CALLED)
        said = await operator.brings(policy(trunk), "--reason", "the right address")
        await asyncio.gather(one.fact("policy.loaded"), two.fact("policy.loaded"))
        after = [await at_one.call(CLI, CALLED), await at_two.call(CLI, CALLED)]
        code, out, _ = await operator.types("rollback", "1", "--reason", "not yet")
        await asyncio.gather(one.fact("policy.loaded"), two.fact("policy.loaded"))
        back = [await at_one.call(CLI, CALLED), await at_two.call(CLI, CALLED)]

    assert '~ ingress.in.sources: "127.0.0.9/32"' in said or '- ingress.in.sources: "127.0.0.9/32"' in said
    assert "generation 2 is in force" in said
    assert (code, "generation 3 is in force" in out) == (0, True)
    assert (before.token, [call.status for call in after]) == ("unknown_source", [200, 200])
    assert [call.token for call in back] == ["unknown_source", "unknown_source"]
    assert [record["policy_generation"] for record in one.records()] == [1, 2, 3]
    _, history, _ = await operator.types("history", "--json")
    told = [(entry["generation"], entry["by"], entry["why"], entry["rolled_back_to"]) for entry in json.loads(history)]
    assert told[1:] == [(2, "ann", "the right address", 0), (1, "ann", "", 0)]
    assert (told[0][0], told[0][2:]) == (3, ("not yet", 1))


async def test_new_accounts_and_their_values_come_with_the_document(
    tmp_path: Path, store: str, operator: Operator, trunk: Trunk
) -> None:
    """An account whose ceiling the new document raises may call at once; its deck comes along."""
    await operator.brings(policy(trunk, calls=0))
    (operator.directory / "rates.csv").write_text(RATES)
    async with running(tmp_path, "--redis", store, policy="store") as edge, calling(edge) as caller:
        before = await caller.call(CLI, CALLED)
        priced = 'rate_deck = "rates.csv"\n' + policy(trunk, calls=3).replace(
            'id = "acme"', 'id = "acme"\ncredit = "none"'
        )
        await operator.brings(priced)
        await edge.fact("policy.loaded")
        after = await caller.call(CLI, CALLED)
    assert (before.token, after.status) == ("calls", 200)
    assert [record["zone"] for record in edge.records()] == ["", "France"]


async def test_a_node_that_cannot_build_keeps_what_it_has_and_says_so(
    tmp_path: Path, store: str, operator: Operator, trunk: Trunk
) -> None:
    """Somebody else brought in what this version cannot read: calls go on by the one before; gauge and log say it; the
    next sound version is taken."""
    await operator.brings(policy(trunk))
    options = ("--redis", store, "--metrics", "127.0.0.1:0")
    async with running(tmp_path, *options, policy="store") as edge, calling(edge) as caller:
        async with DocumentStore(store) as documents:
            await documents.commit({"policy.toml": b'from_tomorrow = "yes"'}, by="tomorrow", why="")
        refused = await edge.fact("policy.refused")
        still = await caller.call(CLI, CALLED)
        stale = await edge.metrics("edge_policy_")
        await operator.brings(policy(trunk) + "\n# sound\n")
        loaded = await edge.fact("policy.loaded")
        sound = await edge.metrics("edge_policy_")
        again = await caller.call(CLI, CALLED)

    assert (refused["generation"], "from_tomorrow: unknown key" in str(refused["why"])) == (2, True)
    assert stale == {"edge_policy_generation": 1, "edge_policy_offered": 2, "edge_policy_stale": 1}
    assert loaded["generation"] == 3
    assert sound == {"edge_policy_generation": 3, "edge_policy_offered": 3, "edge_policy_stale": 0}
    assert (still.status, again.status) == (200, 200)


async def test_an_edge_without_a_policy(tmp_path: Path, store: str, operator: Operator, trunk: Trunk) -> None:
    """On a store that is not its own it does not start, and says what to do; on its embedded one it starts, lets nobody
    in, and takes the first import."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edge", "run", "--policy", "store", "--redis", store, "--state", str(tmp_path / "x")),
        *("--listen", "udp:127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        _, err = await process.communicate()
    assert (
        process.returncode,
        "holds no policy; expected one brought in first: edge policy import FILE" in err.decode(),
    ) == (
        1,
        True,
    )
    async with running(tmp_path, policy="store") as edge, calling(edge) as caller:
        assert "policy      store (generation 0, 0 accounts)" in edge.lines
        before = await caller.call(CLI, CALLED)
        (operator.directory / "policy.toml").write_text(policy(trunk))
        words = (
            "import",
            str(operator.directory / "policy.toml"),
            "--state",
            str(tmp_path / "state"),
            "--redis",
            "embedded",
        )
        code, _, err_text = await operator.types(*words)
        assert (code, err_text) == (0, "")
        await edge.fact("policy.loaded")
        after = await caller.call(CLI, CALLED)
    assert (before.token, after.status) == ("unknown_source", 200)


async def test_sighup_looks_at_once(tmp_path: Path, store: str, operator: Operator, trunk: Trunk) -> None:
    """An operator need not wait for a notice; nothing new is no event."""
    await operator.brings(policy(trunk))
    async with running(tmp_path, "--redis", store, policy="store") as edge, calling(edge) as caller:
        edge.signal(signal.SIGHUP)
        assert (await caller.call(CLI, CALLED)).status == 200
        await operator.brings(policy(trunk, sources="127.0.0.9/32"))
        edge.signal(signal.SIGHUP)
        assert (await edge.fact("policy.loaded"))["generation"] == 2


async def test_two_editors(operator: Operator, trunk: Trunk) -> None:
    """Both looked at generation 1: the slower is refused and told what is in force now, and nothing of his is."""
    await operator.brings(policy(trunk))
    desk = operator.directory
    for name, calls in (("a", 1), ("b", 2)):
        (desk / name).mkdir()
        (desk / name / "policy.toml").write_text(policy(trunk, calls=calls))
    done = await asyncio.gather(
        *[operator.types("import", name, "--generation", "1", "--reason", name) for name in ("a", "b")]
    )
    codes = sorted(code for code, _, _ in done)
    assert codes == [0, 1]
    (refused,) = [err for code, _, err in done if code]
    assert refused.startswith("edge: generation 2 is in force, not 1: somebody was faster;")
    (winner,) = [name for name, (code, _, _) in zip("ab", done, strict=True) if not code]
    _, out, _ = await operator.types("export")
    assert out == (desk / winner / "policy.toml").read_text()


async def test_export_and_import_are_each_others_inverse(operator: Operator, trunk: Trunk) -> None:
    """Byte for byte: comments, odd line ends, files in folders; a file with something else in it is kept."""
    desk = operator.directory
    (desk / "decks").mkdir()
    (desk / "decks" / "rates.csv").write_text(RATES)
    text = f'# ours, "quoted"\r\nrate_deck = "decks/rates.csv"\n{policy(trunk)}\n\n# the end'
    await operator.brings(text)
    code, out, _ = await operator.types("export", "--to", "out")
    assert (code, (desk / "out" / "policy.toml").read_bytes()) == (0, (desk / "policy.toml").read_bytes())
    assert (desk / "out" / "decks" / "rates.csv").read_text() == RATES
    assert "edge policy import out --generation 1" in out
    _, again, _ = await operator.types("import", "out")
    assert again == "the same as generation 1, which is in force: nothing changed\n"
    (desk / "out" / "policy.toml").write_text(text + " # mine")
    code, _, err = await operator.types("export", "--to", "out")
    assert (code, "out/policy.toml: there is something else in it already; expected --force" in err) == (1, True)
    assert (desk / "out" / "policy.toml").read_text().endswith("# mine")
    code, _, _ = await operator.types("export", "--to", "out", "--force")
    assert (code, (desk / "out" / "policy.toml").read_bytes()) == (0, (desk / "policy.toml").read_bytes())


async def test_what_is_not_sound_never_gets_in(operator: Operator, trunk: Trunk) -> None:
    """Each fault with its place; a dry run changes nothing."""
    desk = operator.directory
    (desk / "bad.toml").write_text(policy(trunk).replace('"out"]', '"nowhere"]'))
    code, _, err = await operator.types("import", "bad.toml")
    assert (code, err) == (1, "edge: bad.toml: routes[0].trunks[0]: no egress trunk named 'nowhere'; known: out\n")
    (desk / "far.toml").write_text(f'rate_deck = "{desk}/rates.csv"\n{policy(trunk)}')
    (desk / "rates.csv").write_text(RATES)
    code, _, err = await operator.types("import", "far.toml")
    assert (code, "far.toml: rate_deck: expected a file beside the document or below it" in err) == (1, True)
    said = await operator.brings(policy(trunk), "--dry-run")
    assert said.endswith("dry run: sound; it would be in force as the first one; nothing was changed\n")
    code, out, _ = await operator.types("history")
    assert (code, out) == (0, "the store holds no policy\n")


async def explained(operator: Operator, *words: str) -> list[str]:
    code, out, err = await operator.runs("explain", *words)
    assert (code, err) == (0, "")
    return out.splitlines()


async def test_any_refusal_is_explained_in_one_command(
    tmp_path: Path, store: str, operator: Operator, trunk: Trunk
) -> None:
    """By the generation that judged it, with what the limits said then and what they say now."""
    await operator.brings(policy(trunk, sources="127.0.0.9/32"))
    async with running(tmp_path, "--redis", store, policy="store") as edge, calling(edge) as caller:
        await caller.call(CLI, CALLED)
        await operator.brings(policy(trunk, calls=0))
        await edge.fact("policy.loaded")
        await caller.call(CLI, CALLED)
        await operator.brings(policy(trunk))
        await edge.fact("policy.loaded")
        await caller.call(CLI, CALLED)
        where = ("--state", str(tmp_path / "state"), "--policy", "store")
        stranger, full, passed = [
            await explained(operator, "--call", str(record["uid"]), *where) for record in edge.records()
        ]

    assert "judged again  under generation 1 of the store" in stranger
    assert "identify      127.0.0.1 belongs to no ingress trunk: refused, unknown_source  [house]" in stranger
    assert stranger[-1] == (
        "in words      The address 127.0.0.1 is not known to us: calls must come from the one agreed on."
    )
    assert "judged again  under generation 2 of the store" in full
    (then,) = [line for line in full if line.startswith("limits then")]
    assert then == "limits then   refused by calls of acme: 0 against 0; in force: CAPS 50, calls 0 (generation 2)"
    assert any(line.startswith("limits now    acme: active") for line in full)
    assert full[-2:] == [
        "rests on      contract: article 25 and the options of article 28",
        "in words      The account acme may hold 0 calls at once, and all were in use; order more, or call later.",
    ]
    (then,) = [line for line in passed if line.startswith("limits then")]
    assert then.startswith("limits then   admitted by limits: ")
    assert passed[-1] == "would be admitted"
    code, _, err = await operator.runs("explain", "--call", "nobody", "--cdrs", str(tmp_path / "state"), *where)
    assert (code, err.startswith("edge: no record of call 'nobody' in ")) == (1, True)


async def test_another_contacts_key_is_told_once_for_each_version(store: str, operator: Operator, trunk: Trunk) -> None:
    """A node whose key is another than the store's keeps what it has, says why, and takes over once they agree."""
    await operator.brings(policy(trunk, sources="127.0.0.9/32"))
    facts: list[Fact] = []
    taken: list[int] = []
    follower = Follower(store, facts.append)
    await follower.begin(may_be_empty=False)
    await agree(store, b"the key of the others")
    keys = [b"a key of our own!"]

    async def take(snapshot: PolicySnapshot) -> None:
        await agree(store, keys[-1])
        taken.append(snapshot.generation)

    async with DocumentStore(store) as documents:
        for number in (2, 3):
            await operator.brings(policy(trunk, sources=f"127.0.0.{number}/32"))
            for _ in range(3):
                with pytest.raises(KeyDiffers):
                    await follower.look(documents, take)
        told = [(fact.name, fact.fields["generation"], "contacts key" in str(fact.fields["why"])) for fact in facts]
        assert told == [("policy.refused", 2, True), ("policy.refused", 3, True)]
        assert (follower.is_stale, follower.snapshot.generation, taken) == (True, 1, [])
        keys.append(b"the key of the others")
        await follower.look(documents, take)
    assert (facts[-1].name, follower.is_stale, taken) == ("policy.loaded", False, [3])
