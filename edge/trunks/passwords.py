"""The passwords with which this node proves who it is at egress trunks: read where the policy says they are (I/O).

They are handed to the core and to nobody else; what cannot be read is told by the name of its place alone.
"""

import os
from collections.abc import Callable
from pathlib import Path

from edge.config.login import LoginEntry
from edge.config.schema import PolicyDocument
from edge.proxy.facts import Fact

MAX_BYTES = 4_096


class NoPassword(Exception):
    """It cannot be read; the text says where it was looked for and what was found there, never what it is."""


def read_passwords(document: PolicyDocument, tell: Callable[[Fact], None]) -> dict[str, bytes]:
    """By egress trunk. A fact `trunk.no_password` for each that cannot be read: its trunk is asked without."""
    found = {}
    for entry in document.egress:
        if entry.login is None:
            continue
        try:
            found[entry.id] = read_password(entry.login)
        except NoPassword as error:
            tell(Fact("trunk.no_password", {"trunk": entry.id, "why": str(error)}))
    return found


def read_password(login: LoginEntry) -> bytes:
    """Raises NoPassword."""
    if login.password_env is not None:
        data = os.environb.get(login.password_env.encode(), b"")
        place = f"environment variable {login.password_env}"
    else:
        place = f"file {login.password_file}"
        try:
            with Path(login.password_file).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise NoPassword(f"{place}: {error.strerror}") from error
    password = data.removesuffix(b"\n").removesuffix(b"\r")
    if not password or len(password) > MAX_BYTES:
        raise NoPassword(f"{place}: expected 1 to {MAX_BYTES} bytes, found {len(password) or 'nothing'}")
    return password
