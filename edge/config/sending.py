"""What the settings of everything that sends have in common: files, variables, where to send, one place for a secret.

Pure; imports pydantic and this room.
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import StringConstraints

from edge.config.faults import told
from edge.config.fields import VARIABLE

LOOPBACK = ("127.0.0.1", "::1", "localhost")

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Variable = Annotated[str, StringConstraints(pattern=VARIABLE)]


def webhook_url(text: str) -> str:
    """Where signed requests may be sent. Raises ValueError."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    is_encrypted = parts.scheme == "https"
    is_here = parts.scheme == "http" and host in LOOPBACK
    plain = text.isascii() and text.isprintable() and " " not in text
    if not host or not (is_encrypted or is_here) or port == 0 or parts.username or parts.fragment or not plain:
        raise told("expected https://HOST[:PORT]/PATH without a login; http:// only to 127.0.0.1, [::1] or localhost")
    return text


def exactly_one(*values: str | None, names: str) -> None:
    """Of several ways to say the same. Raises ValueError."""
    if sum(value is not None for value in values) != 1:
        raise told(f"expected exactly one of {names}")
