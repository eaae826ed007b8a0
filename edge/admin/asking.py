"""What operations take from a request beside their own words: services, who asks, generations, pages. I/O: none."""

import base64
import binascii
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import Depends, Header, Query, Request

from edge.accounts import values
from edge.accounts.values import Terms
from edge.admin.access import Principal
from edge.admin.problems import Refusal, invalid, naming
from edge.admin.services import Services
from edge.admin.shapes.accounts import AccountPatch
from edge.control.client import NoAnswer, NotDone, UnknownCall, UnknownNode
from limits.account import AccountId, is_holder_id


def _services(request: Request) -> Services:
    found: Services = request.state.services
    return found


def _principal(request: Request) -> Principal:
    found: Principal = request.state.principal
    return found


def _change(request: Request) -> dict[str, object]:
    found: dict[str, object] = request.state.change
    return found


def _generation(if_match: str | None) -> int | None:
    """`"12"`, as an ETag tells it; None: none was sent."""
    if if_match is None:
        return None
    text = if_match.strip()
    if len(text) > 2 and text[0] == text[-1] == '"' and text[1:-1].isascii() and text[1:-1].isdecimal():
        return int(text[1:-1][:15])
    raise invalid('If-Match: expected the ETag of what was read, such as "12"', pointer="If-Match", place="header")


def _if_match(if_match: Annotated[str | None, Header(max_length=64, examples=['"12"'])] = None) -> int | None:
    return _generation(if_match)


def _must_match(if_match: Annotated[str | None, Header(max_length=64, examples=['"12"'])] = None) -> int:
    found = _generation(if_match)
    if found is None:
        raise Refusal("unchecked", "expected If-Match with the ETag of what was read, so that nobody's change is lost")
    return found


@contextmanager
def naming_control() -> Iterator[None]:
    """What nodes and the control channel say is told as a problem. Raises Refusal."""
    try:
        yield
    except (UnknownCall, UnknownNode) as error:
        raise Refusal("not-found", str(error)) from error
    except NoAnswer as error:
        raise Refusal("node-silent", str(error)) from error
    except NotDone as error:
        raise Refusal("conflict", str(error)) from error
    except ValueError as error:
        raise invalid(str(error), place="query") from error


Here = Annotated[Services, Depends(_services)]
Who = Annotated[Principal, Depends(_principal)]
Noted = Annotated[dict[str, object], Depends(_change)]
"""What the audit is to know of the change: `before`, `after`."""
IfMatch = Annotated[int | None, Depends(_if_match)]
MustMatch = Annotated[int, Depends(_must_match)]
DryRun = Annotated[bool, Query(description="Tell what would be done; do nothing.")]
Limit = Annotated[int, Query(ge=1, le=500, description="Things on a page at most.")]
Cursor = Annotated[
    str | None, Query(max_length=400, description="`next` of the page before; left out: from the beginning.")
]
LongCursor = Annotated[
    str | None, Query(max_length=8_000, description="The same where each node has a place of its own.")
]


def etag(generation: int) -> str:
    """As a header has it."""
    return f'"{generation}"'


def cursor_of(place: str) -> str:
    """Opaque to whoever gets it."""
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> str:
    """Where to go on; empty: at the beginning. Raises Refusal."""
    try:
        padded = (cursor or "") + "=" * (-len(cursor or "") % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid("cursor: expected `next` of a page", pointer="cursor", place="query") from None


def number_in(cursor: str | None) -> int | None:
    """The same where a page goes on at a number."""
    place = place_of(cursor)
    if not place:
        return None
    if not place.isascii() or not place.isdecimal():
        raise invalid("cursor: expected `next` of a page", pointer="cursor", place="query")
    return int(place[:15])


def holder_of(text: str) -> AccountId:
    """An account, `group:ID` or `trunk:ID`, as a path names it. Raises Refusal."""
    if not is_holder_id(text):
        raise invalid("account: expected 1 to 128 printable ASCII characters without braces", place="path")
    return AccountId(text)


def terms_of(
    who: Principal, reason: str, *, until: str | None = None, dry_run: bool = False, generation: int | None = None
) -> Terms:
    """What every change has in common. Raises Refusal."""

    with naming(AccountPatch):
        values.line_of("reason", reason, most=500)
        if until:
            values.check_until(until)
        return Terms(values.line_of("name", who.name, most=120), reason, until or "", dry_run, generation)
