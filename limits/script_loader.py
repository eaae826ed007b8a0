"""Finds the Lua scripts inside the package, puts their parts in front, and checks that their headers say what they do.

I/O: reads package data through importlib.resources (works from a zip as well); knows nothing of the store.
"""

import functools
import hashlib
import re
from importlib import resources
from typing import NamedTuple

SCRIPTS = (
    "admit",
    "answer",
    "renew",
    "settle",
    "peek",
    "provision",
    "change",
    "top_up",
    "adopt",
    "beat",
    "post",
    "epoch",
    "contact",
    "commit",
    "tally_add",
    "guard_move",
    "ledger_append",
    "audit_append",
    "alert_move",
    "alert_claim",
)
"""One script a verb."""

_HEADER = ("KEYS", "ARGV", "RETURNS")
_USES = re.compile(r"^-- USES: ([a-z_ ]+)$", re.MULTILINE)


class Script(NamedTuple):
    """A script as the store is to run it."""

    name: str
    text: str
    sha1: str
    """The name the store knows it by (EVALSHA)."""


@functools.cache
def script(name: str) -> Script:
    """The script of one verb. Raises ValueError where its header is incomplete (a fault in the package)."""
    text = _read(name)
    missing = [word for word in _HEADER if f"\n-- {word}: " not in text]
    if missing or not text.startswith(f"-- {name}: "):
        raise ValueError(f"{name}.lua: header incomplete: {', '.join(missing) or 'its name'}")
    uses = _USES.search(text)
    parts = uses.group(1).split() if uses else []
    whole = "\n".join([*(_read(part) for part in parts), text])
    return Script(name, whole, hashlib.sha1(whole.encode(), usedforsecurity=False).hexdigest())


def _read(name: str) -> str:
    return (resources.files("limits.scripts") / f"{name}.lua").read_text(encoding="utf-8")
