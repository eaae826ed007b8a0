"""Requests inside a dialog that this node holds, along our Record-Route alone, with nothing in them that must be read
further. Pure.

Nearly every ACK and BYE is such a one. What RFC 3261 §16.3 and §16.4 ask of any request then follows from a few
comparisons; whatever is not exactly so takes the complete road (`validation.check`, `forwarding.is_looped`,
`concealment.unsealed`, `forwarding.preprocess`), which would come to the same. Where nothing is changed between the two
sides of the call either, `edge.proxy.short_road` takes it.
"""

from typing import Final

from edge.proxy.call import Call
from edge.proxy.calls import CallTracker
from edge.proxy.identifiers import SEALED, UID_LENGTH
from edge.proxy.listeners import Listeners
from edge.sip.errors import FieldError
from edge.sip.grammar import COMMA
from edge.sip.message import Request
from edge.sip.uri import SipUri, parse_uri

_ROUTE: Final = b"Route: <sip:"
_TOKEN_AT: Final = len(_ROUTE)
_UID_END: Final = _TOKEN_AT + UID_LENGTH


def call_of(request: Request, calls: CallTracker, listeners: Listeners) -> Call | None:
    """The call of such a request: §16.4 takes its one Route off, whose token is that of the call, and finds nothing
    else to do. None: it is another one."""
    layout = request.layout
    if not layout.is_plain:
        return None
    lines = request.lines
    route = lines[layout.first[b"route"][0]]
    call = calls.get(route[_TOKEN_AT:_UID_END].decode("latin-1"))
    if call is None or request.call_id() != call.call_id:
        return None
    token, token_end = call.token, _TOKEN_AT + len(call.token)
    if not token or not route.startswith(_ROUTE + token) or route[token_end:] not in listeners.record_routes:
        return None
    via = lines[layout.first[b"via"][0]]
    if COMMA in via or listeners.may_be_in(via):
        return None  # it may have been here before
    try:
        to_tag = request.to().tag
        request.from_()
        uri = parse_uri(request.uri)
        is_sound = bool(request.max_forwards()) and request.cseq().method == request.method
    except FieldError:
        return None
    if not is_sound or to_tag is None or to_tag.startswith(SEALED) or call.call_id.startswith(SEALED):
        return None
    if not isinstance(uri, SipUri) or uri.params or uri.headers:
        return None
    return call
