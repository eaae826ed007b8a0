"""The short road of a request inside a dialog that this node holds: along our Record-Route alone, with nothing in it
that must be read further. Pure.

Nearly every ACK and BYE is such a one. What RFC 3261 §16.3 and §16.4 ask of any request then follows from a few
comparisons; whatever is not exactly so takes the complete road (`validation.check`, `forwarding.is_looped`,
`concealment.unsealed`, `forwarding.preprocess`), which would come to the same.
"""

from edge.proxy.calls import CallTracker
from edge.proxy.forwarding import Preprocessed
from edge.proxy.identifiers import SEALED, UID_LENGTH
from edge.proxy.listeners import Listeners
from edge.sip.errors import FieldError
from edge.sip.grammar import COMMA
from edge.sip.message import Request
from edge.sip.uri import SipUri, parse_uri

_ROUTE = b"Route: <sip:"


def preprocessed(request: Request, calls: CallTracker, listeners: Listeners) -> Preprocessed | None:
    """§16.4 for such a request, whose Route is off it then; None: it is another one, and has not been touched."""
    layout = request.layout
    if not layout.is_plain:
        return None
    lines = request.lines
    route = lines[layout.first[b"route"][0]]
    via = lines[layout.first[b"via"][0]]
    token = route[len(_ROUTE) : route.find(b"@")]
    call = calls.get(token[:UID_LENGTH].decode("latin-1"))
    if call is None or not call.token or call.token != token or COMMA in via:
        return None
    if not route.startswith(_ROUTE) or route[len(_ROUTE) + len(token) :] not in listeners.record_routes:
        return None
    for sent_by in listeners.sent_bys:
        if sent_by in via:
            return None  # it may have been here before
    call_id = request.call_id()
    try:
        to_tag = request.to().tag
        request.from_()
        uri = parse_uri(request.uri)
        is_sound = bool(request.max_forwards()) and request.cseq().method == request.method
    except FieldError:
        return None
    if not is_sound or to_tag is None or to_tag.startswith(SEALED):
        return None
    if call_id != call.call_id or call_id.startswith(SEALED):
        return None
    if not isinstance(uri, SipUri) or uri.params or uri.headers:
        return None
    request.remove(b"route")
    return Preprocessed(token, None)
