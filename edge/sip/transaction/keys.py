"""How a message finds its transaction: RFC 3261 §17.1.3 (responses), §17.2.3 (requests), §9.2 (CANCEL). Pure.

Messages come from `parse`, which lets none pass whose top Via or CSeq cannot be read.
"""

from typing import Final

from edge.sip.errors import FieldError
from edge.sip.fields import Via
from edge.sip.message import Request, Response

MAGIC_COOKIE: Final = b"z9hG4bK"

Key = tuple[object, ...]
"""Comparable and hashable; what stands in it is nobody else's business."""


def is_compliant(branch: bytes | None) -> bool:
    """Was this branch made by an RFC 3261 client? The cookie with nothing behind it identifies nothing and falls back
    on the older rules (RFC 4475 §3.2.1 leaves the choice)."""
    if branch is None or len(branch) <= 7:
        return False
    return branch.startswith(MAGIC_COOKIE) or branch[:7].lower() == b"z9hg4bk"


def server_key(request: Request, method: bytes) -> Key:
    """Of the server transaction that a request with this method makes or repeats.

    `method` is the request's own; INVITE for its ACK to a failure and, to find what it cancels, for its CANCEL.
    """
    via = request.via()
    branch = via.branch
    if branch is not None and ((branch.startswith(MAGIC_COOKIE) and len(branch) > 7) or is_compliant(branch)):
        # sent-by: names compare without case (§19.1.4); a port that is spelt out and one that is not differ, as their
        # meanings do under RFC 3263. Branches compare byte for byte: clients repeat theirs, and may use either case.
        return method, branch, via.host.lower(), via.port
    return legacy_key(request, via, method), tag(request, b"to")


def legacy_key(request: Request, via: Via, method: bytes) -> Key:
    """RFC 2543: Request-URI, From tag, Call-ID, CSeq and top Via. The To tag stands apart: an ACK carries the one of
    the response. Of the top Via `received` and `rport` do not count, which the server's own hand may have added."""
    return (
        method,
        request.uri,
        tag(request, b"from"),
        request.call_id(),
        request.cseq().number,
        via.transport,
        via.host.lower(),
        via.port,
        via.branch,
    )


def client_key(response: Response) -> Key:
    """Of the client transaction that this response answers: the branch of its top Via, the method of its CSeq."""
    return response.via().branch, response.cseq().method


def tag(message: Request | Response, name: bytes) -> bytes | None:
    """Tag of From or To; all of a value that cannot be read, which then matches its own repeats at least."""
    try:
        return message.from_().tag if name == b"from" else message.to().tag
    except FieldError:
        return message.value(name)
