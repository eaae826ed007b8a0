"""A dialog as a proxy in its middle sees it: what it takes to speak to one side in the other's name (RFC 3261 §12).

Standard library only; values and pure functions. The edge keeps no dialog to route by (routes do that); it keeps one
to end a call: a BYE to each side that the side must take for the other's.
"""

from collections.abc import Callable
from typing import NamedTuple

from edge.sip.errors import FieldError
from edge.sip.fields import NameAddr
from edge.sip.message import Message, Request, Response


class DialogId(NamedTuple):
    """§12. The tags are empty bytes where a side gave none (RFC 2543)."""

    call_id: bytes
    ingress_tag: bytes
    egress_tag: bytes


class Side(NamedTuple):
    """One side of the dialog: who it is, where it is reached, how far its CSeq has counted."""

    cseq: int
    """Last CSeq seen in a request of this side; 0 if it sent none."""
    tag: bytes
    uri: bytes
    """Its address in From or To."""
    address: bytes
    """Its whole From or To value, tag and all, as it goes into a request of ours."""
    routes: tuple[bytes, ...]
    """Route values from us to this side, in order; without our own."""
    target: bytes
    """Remote target: the URI of its Contact."""


class Dialog(NamedTuple):
    """Both sides after a 2xx."""

    id: DialogId
    ingress: Side
    egress: Side


def from_answer(invite: Request, response: Response, is_own_route: Callable[[bytes], bool]) -> Dialog:
    """The dialog that this response makes. FieldError if From or To cannot be read.

    `invite` as it came from the ingress side; `response` as it came from the egress side, so that its Record-Route
    lists everyone: first who stands nearest to the egress side, then us, then who stands nearest to the ingress side.
    `is_own_route` tells from a URI which entries are ours; where none is, all are taken to lie before the egress.
    """
    caller = response.from_()
    callee = response.to()
    before_us, after_us = _split_routes(response, is_own_route)
    ingress = Side(
        invite.cseq().number, caller.tag or b"", caller.uri, caller.raw, before_us, _target(invite, caller.uri)
    )
    egress = Side(0, callee.tag or b"", callee.uri, callee.raw, after_us, _target(response, invite.uri))
    return Dialog(DialogId(response.call_id(), ingress.tag, egress.tag), ingress, egress)


def _split_routes(
    response: Response, is_own_route: Callable[[bytes], bool]
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """(toward the ingress side, toward the egress side), each in the order of its Route header."""
    recorded = response.record_routes()
    own = [position for position, route in enumerate(recorded) if is_own_route(route.uri)]
    if not own:
        return (), tuple([route.raw for route in reversed(recorded)])
    toward_egress = tuple([route.raw for route in reversed(recorded[: own[0]])])
    return tuple([route.raw for route in recorded[own[-1] + 1 :]]), toward_egress


def _target(message: Message, otherwise: bytes) -> bytes:
    """URI of the Contact; a missing or broken one is no reason to leave the call standing."""
    try:
        contact: NameAddr | None = message.contact()
    except FieldError:
        return otherwise
    return otherwise if contact is None or contact.uri == b"*" else contact.uri
