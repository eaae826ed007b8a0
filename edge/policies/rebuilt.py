"""An attempt made again of its record, and what policy said of it then. Pure.

A record is not the message: it holds the two numbers, the address, the listener, the account and the header fields that
policy read (column `headers`), each cut at a bound. What it cannot tell is counted, never guessed: see `lacks`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from edge.config.snapshot import PolicySnapshot
from edge.policy.attempt import CallAttempt
from edge.policy.evidence import MAX_FIELDS, MAX_VALUE
from edge.policy.explain import imagine
from edge.policy.spelling import MAX_TEXT
from edge.policy.verdicts import REASON_OF_GROUP, REASON_OF_LIMIT, Reason
from edge.sip.errors import LocalError, ParseError
from edge.sip.uri import emergency_service

PASSED = "passed"
"""Policy let it go on to the limits, whatever became of it then."""
UNJUDGED = frozenset(
    {
        Reason.BAD_REQUEST,
        Reason.TOO_MANY_HOPS,
        Reason.LOOP,
        Reason.BAD_EXTENSION,
        Reason.UNSUPPORTED_SCHEME,
        Reason.METHOD_NOT_ALLOWED,
        Reason.METHOD_FORBIDDEN,
        Reason.DUPLICATE,
    }
)
"""Refused before policy saw them."""
_AFTER_POLICY = frozenset(
    {
        *REASON_OF_LIMIT.values(),
        *REASON_OF_GROUP.values(),
        Reason.STORE_AWAY,
        Reason.OVERLOADED,
        Reason.DRAINING,
        Reason.TRUNKS_FAILED,
        Reason.TRUNKS_DRAINED,
        Reason.TRUNK_CEILINGS,
    }
) - {Reason.UNKNOWN_ACCOUNT}
_USER = "+*-_.!~'()&=$,;?/%"
_NOBODY = "?"
"""An account named by a header that nobody knew; the record does not tell which."""
_ANONYMOUS = "anonymous.invalid"

Record = Mapping[str, object]


class Then(NamedTuple):
    """What a record says policy decided."""

    verdict: str
    """`passed`, or the token of the refusal."""
    rule: str
    trunk: str
    """The trunk tried first; empty: none was."""
    rewritten: str
    """The number sent on instead of the caller's; empty: it was left alone."""


class Unreadable(Exception):
    """The record cannot be judged again; the text says why, in a few words."""


def then(record: Record) -> Then:
    """What was decided. Raises Unreadable for what policy never saw."""
    reason, outcome = text(record, "reason"), text(record, "outcome")
    if outcome == "refused" and reason in UNJUDGED:
        raise Unreadable(reason)
    if "outcome" not in record or "source" not in record:
        raise Unreadable("no record of an attempt")
    by_policy = outcome == "refused" and reason not in _AFTER_POLICY and not text(record, "decided_by")
    # A route was found, and yet it was refused by that token: a preloaded Route header, which policy does not judge.
    if reason == Reason.ROUTE_NOT_ALLOWED and text(record, "route"):
        by_policy = False
    tried = record.get("candidates")
    pair = tried[0] if isinstance(tried, list) and tried else None
    first = pair[0] if isinstance(pair, list) and pair else ""
    rule = text(record, "rule")
    return Then(reason if by_policy else PASSED, rule, str(first), text(record, "cli_rewritten"))


def attempt_of(record: Record, snapshot: PolicySnapshot) -> CallAttempt:
    """The attempt as far as its record tells it, at its own instant. Raises Unreadable."""
    host, _, port = text(record, "source").rpartition(":")
    listener = text(record, "listener")
    headers = [(name, value) for name, value in _headers(record) if value]
    names, username = _proved(record)
    if not names and not username:
        # A record of an older edge does not tell; but it must have proved what its trunk asks for.
        names, username = snapshot.proof_of(text(record, "ingress_trunk"), text(record, "account"))
    ingress = snapshot.ingress_of(host, listener, names)
    account = text(record, "account")
    is_named = account or text(record, "reason") == Reason.UNKNOWN_ACCOUNT
    if ingress is not None and ingress.account_header is not None and is_named:
        headers.append((ingress.account_header.decode("latin-1"), account or _NOBODY))
    is_hidden = record.get("withheld") is True and not any(name == "privacy" for name, _ in headers)
    try:
        attempt = imagine(
            source=host,
            listener=listener,
            cli=_uri(text(record, "cli_original"), _ANONYMOUS if is_hidden else ""),
            called=_uri(text(record, "called_original")),
            headers=headers,
            tls_names=names,
            username=username,
            wall=instant_of(record),
        )
    except (LocalError, ParseError) as error:
        raise Unreadable("no such message can be made") from error
    attempt.source_port = int(port) if port.isdecimal() else 0
    return attempt


def lacks(record: Record) -> str:
    """What of the attempt its record does not tell; empty: nothing that policy goes by."""
    if "headers" not in record:
        return "written before header fields were recorded"
    headers = _headers(record)
    if len(headers) >= MAX_FIELDS or any(len(value) >= MAX_VALUE for _, value in headers):
        return "header fields cut at the record's bound"
    if max(len(text(record, "cli_original")), len(text(record, "called_original"))) >= MAX_TEXT:
        return "a number cut at the record's bound"
    return ""


def text(record: Record, name: str) -> str:
    """A column of text; empty where it is none."""
    value = record.get(name)
    return value if isinstance(value, str) else ""


def number(record: Record, name: str) -> int:
    """A column with a whole number; 0 where it is none."""
    value = record.get(name)
    return value if isinstance(value, int) else 0


def instant_of(record: Record) -> float:
    """When it arrived, UTC seconds. Raises Unreadable."""
    try:
        return datetime.fromisoformat(text(record, "received_at")).timestamp()
    except ValueError as error:
        raise Unreadable("no instant") from error


def _proved(record: Record) -> tuple[tuple[str, ...], str]:
    """The name of its certificate, and its user name."""
    words = text(record, "identified_by").split(" ")
    names = tuple([word[4:] for word in words if word.startswith("tls:")])
    return names, next((word[7:] for word in words if word.startswith("digest:")), "")


def _headers(record: Record) -> list[tuple[str, str]]:
    found = record.get("headers")
    pairs = found if isinstance(found, list) else []
    return [(str(pair[0]), str(pair[1])) for pair in pairs if isinstance(pair, list) and len(pair) == 2]


def _uri(user: str, host: str = "") -> str:
    """A URI with this user part, which is kept as it came on the wire (escapes included); a service as it is."""
    if emergency_service(user.encode("utf-8", "replace")):
        return user
    host = host or "rebuilt.invalid"
    return f"sip:{quote(user, safe=_USER)}@{host}" if user else f"sip:{host}"
