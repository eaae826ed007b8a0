"""One value of a policy document changed in its text, everything else left as it was written, comments too. Pure.

Raises ValueError where the document has no such thing; whether the new document builds is judged by whoever brings it
into the store (`versions.bring`).
"""

from collections.abc import Iterator, Sequence

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Table

from edge.config.bundle import Bundle
from edge.config.errors import PolicyError, Problem


def with_maintenance(bundle: Bundle, trunk: str, *, is_on: bool) -> Bundle:
    """An egress trunk taken out (no new call is sent to it), or brought back."""
    text = _read(bundle)
    entry = _entry(text, "egress", trunk)
    if is_on:
        entry["maintenance"] = True
    elif "maintenance" in entry:
        del entry["maintenance"]
    return _written(bundle, text)


def with_cli_numbers(bundle: Bundle, account: str, numbers: Sequence[str]) -> Bundle:
    """The numbers an account may present, those in the document's own entry of it."""
    text = _read(bundle)
    entry = _entry(text, "accounts", account)
    cli = entry.get("cli")
    if cli is None:
        cli = entry["cli"] = tomlkit.inline_table()
    cli["numbers"] = _array(numbers)
    return _written(bundle, text)


def with_do_not_originate(bundle: Bundle, numbers: Sequence[str]) -> Bundle:
    """The numbers from which no call ever begins."""
    text = _read(bundle)
    section = text.get("numbers")
    if section is None:
        section = text["numbers"] = tomlkit.table()
    section["do_not_originate"] = _array(numbers)
    return _written(bundle, text)


def with_file(bundle: Bundle, name: str, data: bytes) -> Bundle:
    """Another content for a file that the document names."""
    if name not in bundle.files:
        known = ", ".join(bundle.files) or "none"
        raise ValueError(f"file: the document in force names no file {name!r}; those it names: {known}")
    return bundle._replace(files={**bundle.files, name: data})


def listed_in_file(data: bytes, account: str, *, most: int) -> list[str]:
    """The ranges of an account in a file of numbers, as they are written there, so many at most."""
    return [line for _, line in zip(range(most), _lines_of(data, account), strict=False)]


def _lines_of(data: bytes, account: str) -> Iterator[str]:
    name = account.encode()
    start = 0
    while True:
        start = data.find(name, start)
        if start < 0:
            return
        begin, end = data.rfind(b"\n", 0, start) + 1, data.find(b"\n", start)
        line = data[begin : end if end >= 0 else len(data)].decode("utf-8", "replace").strip()
        owner, comma, rest = line.partition(",")
        if comma and owner.strip() == account:
            first, _, last = rest.partition(",")
            yield f"{first.strip()}..{last.strip()}" if last.strip() else first.strip()
        start = end if end >= 0 else len(data)


def _read(bundle: Bundle) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(bundle.document.decode("utf-8-sig"))
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise PolicyError([Problem(bundle.name, str(error))]) from error


def _entry(text: tomlkit.TOMLDocument, section: str, name: str) -> Table:
    entries = text.get(section)
    for entry in entries if isinstance(entries, AoT) else ():
        if isinstance(entry, Table) and entry.get("id") == name:
            return entry
    raise ValueError(f"{section}: the document in force has no entry of its own for {name!r}")


def _array(values: Sequence[str]) -> tomlkit.items.Array:
    array = tomlkit.array()
    array.extend(values)
    return array.multiline(len(values) > 4)


def _written(bundle: Bundle, text: tomlkit.TOMLDocument) -> Bundle:
    return bundle._replace(document=tomlkit.dumps(text).encode())
