"""The short road of an INVITE that opens a call as nearly everyone sends it: one Via, one Contact, no routes, and
nothing in it that must be read further. Pure.

What RFC 3261 §16.3 and §16.4 ask of any request then follows from a few comparisons; whatever is not exactly so takes
the complete road (`validation.check`, `session_timers.fault`, `forwarding.is_looped`,
`forwarding.preprocess`), which would come to the same.
"""

from edge.proxy.listeners import Listeners
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.grammar import COMMA, CR, LWS
from edge.sip.message import Request
from edge.sip.uri import SipUri, parse_uri


def is_usual(request: Request, listeners: Listeners) -> bool:
    """Is this INVITE such a one, and sound? It is for policy to judge then, as it stands."""
    layout = request.layout
    if not layout.is_opening:
        return False
    lines = request.lines
    via = lines[layout.first[b"via"][0]]
    if COMMA in via or listeners.may_be_in(via):
        return False  # it may have been here before
    at, start = layout.first[b"contact"]
    contact = lines[at]
    if CR in contact:
        return False
    try:
        if request.to().tag is not None or not request.max_forwards() or request.cseq().method != request.method:
            return False
        request.from_()
        parse_name_addr(contact[start:].strip(LWS), "Contact")
        uri = parse_uri(request.uri)
    except FieldError:
        return False
    return isinstance(uri, SipUri) and not uri.params and not uri.headers
