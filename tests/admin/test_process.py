"""The admin process: started beside an edge, started again, over TLS, and by itself."""

import asyncio
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

POLICY = """
[[accounts]]
id = "acme"

[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"

[[egress]]
id = "out"
uri = "sip:127.0.0.1:9"

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def command(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`edge …` until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "edge", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.communicate()


async def line_with(stream: asyncio.StreamReader | None, word: str) -> str:
    assert stream is not None
    async with asyncio.timeout(90):
        while True:
            line = (await stream.readline()).decode()
            assert line, f"ended without {word!r}"
            if word in line:
                return line


async def test_beside_an_edge_it_is_started_again(tmp_path):
    """The one-time token is said on standard output; a process that is killed comes back, and the token works."""
    (tmp_path / "policy.toml").write_text(POLICY)
    port = free_port()
    options = ("--policy", str(tmp_path / "policy.toml"), "--listen", "udp:127.0.0.1:0", "--drain-s", "0")
    async with command(
        "run", *options, "--state", str(tmp_path / "state"), "--admin", f"127.0.0.1:{port}", "--log", "json"
    ) as edge:
        line = await line_with(edge.stdout, "makes the first")
        once = re.search(r"tg_\S+", line)[0]
        await line_with(edge.stderr, "admin.started")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            made = await client.post(
                "/v1/tokens", json={"name": "me", "role": "admin"}, headers={"Authorization": f"Bearer {once}"}
            )
            client.headers["Authorization"] = f"Bearer {made.json()['token']}"
            assert 1 == (await client.get("/v1/accounts/acme")).json()["generation"]
            (child,) = children_of(edge.pid, "edge.admin.process")
            os.kill(child, signal.SIGKILL)
            assert "signal 9" in await line_with(edge.stderr, "admin.died")
            await line_with(edge.stderr, "admin.started")
            assert 200 == (await client.get("/v1/accounts/acme")).status_code
        (child,) = children_of(edge.pid, "edge.admin.process")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def children_of(pid: int, word: str) -> list[int]:
    """Processes that this one started, by a word of their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdigit() else 0
            if parent == pid and word in (entry / "cmdline").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed one for localhost."""
    path = tmp_path / "admin.pem"
    names = ["-addext", "subjectAltName=DNS:localhost"]
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"), "-subj", "/CN=localhost"]
    subprocess.run(["openssl", *words, *files, *names], check=True, capture_output=True, timeout=30)
    path.write_text((tmp_path / "cert").read_text() + (tmp_path / "key").read_text())
    return path


async def test_by_itself_over_tls(store, store_url, tmp_path, certificate):
    """`edge admin` on all addresses, with a certificate; SIGTERM ends it in order."""
    port = free_port()
    given = ("--redis", store_url, "--state", str(tmp_path / "state"), "--certificate", str(certificate))
    async with command("admin", "--listen", f"0.0.0.0:{port}", *given) as process:
        await line_with(process.stderr, "admin.started")
        context = ssl.create_default_context(cafile=str(tmp_path / "cert"))
        async with httpx.AsyncClient(verify=context, base_url=f"https://localhost:{port}") as client:
            answer = await client.get("/readyz")
            assert (200, True) == (answer.status_code, "strict-transport-security" in answer.headers)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert 0 == await process.wait()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--listen", "0.0.0.0:8443"], "expected admin_certificate beside 0.0.0.0:8443"),
        (["--listen", "127.0.0.1:0", "--certificate", "/nowhere"], "certificate /nowhere"),
        (["--listen", "here"], "HOST:PORT"),
        ([], "--listen: expected HOST:PORT"),
    ],
)
def test_what_cannot_be_served_is_said(store_url, tmp_path, words, said):
    """Plain HTTP for everybody is refused unless it is asked for; so is a certificate that is not there."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", "admin", "--redis", store_url, "--state", str(tmp_path), *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr


def test_tokens_and_audit_at_the_command_line(store, store_url, tmp_path):
    """Made, listed, revoked; the audit has it, is proved and exported; an altered export is found."""

    def edge(*words: str) -> subprocess.CompletedProcess[str]:
        given = [sys.executable, "-m", "edge", *words, "--redis", store_url]
        return subprocess.run(given, capture_output=True, text=True, timeout=60)

    text = edge("token", "create", "noc", "--role", "viewer", "--account", "acm*").stdout.strip()
    assert text.startswith("tg_")
    listed = edge("token", "list").stdout
    assert "viewer" in listed
    assert "only acm*" in listed
    assert 2 == edge("token", "create", "noc", "--role", "root").returncode
    name = text.split("_")[1]
    assert 0 == edge("token", "revoke", name).returncode
    assert 1 == edge("token", "revoke", name).returncode
    assert "whole: 2 entries" in edge("audit", "verify").stdout
    path = tmp_path / "audit.jsonl"
    edge("audit", "export", "--output", str(path))
    assert 0 == subprocess.run([sys.executable, "-m", "edge", "audit", "verify", str(path)], timeout=60).returncode
    path.write_text(path.read_text().replace("token.created", "token.creates"))
    assert 1 == subprocess.run([sys.executable, "-m", "edge", "audit", "verify", str(path)], timeout=60).returncode
    assert text.split("_", 2)[2] not in str(store.xrange("{audit}"))
