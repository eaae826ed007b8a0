"""The state directory (I/O): what a node keeps between two runs beside its CDRs and its embedded store."""

import os
import secrets
import socket
from pathlib import Path

SECRET_BYTES = 32
KEY_FILE = "record-route.secret"


class StateError(Exception):
    """The state directory cannot be used; the message says why and what was expected."""


def prepare(directory: Path) -> None:
    """Make the directory, for us alone. Raises StateError."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"state directory {directory}: {error.strerror}; expected a directory that can be made"
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise StateError(f"state directory {directory}: not writable; expected a directory this user may write to")


def secret(directory: Path, name: str = KEY_FILE) -> bytes:
    """The key of this name, by default the one that signs our Record-Route tokens; made when it is first asked for, the
    same ever after, so that requests inside a dialog still route after a restart. Raises StateError."""
    path = directory / name
    try:
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            key = secrets.token_bytes(SECRET_BYTES)
            with os.fdopen(fd, "wb") as file:
                file.write(key)
                file.flush()
                os.fsync(fd)
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from error
    if len(key) != SECRET_BYTES:
        raise StateError(f"{path}: expected {SECRET_BYTES} bytes, found {len(key)}; remove it to have a new one made")
    return key


def node_name(configured: str) -> str:
    """The configured name, else the host's."""
    return configured or socket.gethostname().split(".")[0][:64] or "edge"
