"""Secrets of what sends, from where they are kept (I/O: reads files and the environment)."""

import os
from pathlib import Path

MAX_CREDENTIAL_BYTES = 8_192


class SinkError(Exception):
    """A sink cannot be set up as it is written. The text names it and says what was expected; no secret is in it."""


def credential(name: str, part: str, file: str | None, env: str | None, *, what: str = "sink") -> str:
    """A secret from where it is kept: a file's first line, or a variable. Raises SinkError."""
    if file is not None:
        try:
            with Path(file).open("rb") as opened:
                text = opened.read(MAX_CREDENTIAL_BYTES).decode()
        except OSError as error:
            raise SinkError(f"{what} {name!r}: {part}_file: cannot read {file}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SinkError(f"{what} {name!r}: {part}_file: {file} is not UTF-8") from error
        text = text.partition("\n")[0].strip()
        if not text:
            raise SinkError(f"{what} {name!r}: {part}_file: expected it in the first line of {file}, which is empty")
        return text
    text = os.environ.get(env or "", "").strip()
    if not text:
        raise SinkError(f"{what} {name!r}: {part}_env: the environment variable {env} is not set")
    return text
