"""Where a caller really is: the address its INVITE came from, against the one it names itself. Pure.

A caller behind address translation names an address that leads nowhere; one behind a connection may not accept any
other. Requests inside its dialogs then go back by the flow of its INVITE (RFC 5626 §5.3 keeps it in a signed token, and
so do we: it survives a restart and is known to every node).
"""

from binascii import unhexlify
from ipaddress import ip_address

from edge.proxy.listeners import DEFAULT_PORT
from edge.sip.errors import FieldError
from edge.sip.flow import Flow
from edge.sip.message import Request
from edge.sip.uri import SipUri, parse_uri


def is_elsewhere(request: Request, flow: Flow, nat: str, *, is_reliable: bool) -> bool:
    """Do requests to this caller go by the flow of its INVITE, and not to its Contact? `request`: with its top Via
    stamped (§18.2.1). Never where another proxy stands between: its route set says more than an address."""
    via = request.via()
    is_where_it_says = (via.received is None or via.received == via.host) and (
        not via.rport or via.rport == (via.port or DEFAULT_PORT)
    )
    if nat == "off" or (is_where_it_says and nat != "always" and not is_reliable):
        return False
    if request.has_more_vias() or request.has(b"record-route"):
        return False
    if nat == "always" or is_reliable:
        return True
    try:
        contact = request.contact()
        uri = None if contact is None else parse_uri(contact.uri)
    except FieldError:
        return False
    return isinstance(uri, SipUri) and uri.host.lower() == via.host.lower()


def flow_text(flow: Flow) -> bytes:
    """A flow as a token carries it: family, address, port, and the connection where it is bound to one."""
    host, port = flow.address
    if "%" in host:
        return b""  # the zone means nothing elsewhere, and without it the address does not
    address = ip_address(host)
    kind = b"4" if address.version == 4 else b"6"
    bound = b"c%x" % flow.connection if flow.connection else b""
    return kind + address.packed.hex().encode() + b"%04x" % port + bound


def mark_in(text: bytes) -> bytes:
    """The trunks' mark in what a token carries (`hygiene.Crossing.mark`); empty: none."""
    return text.partition(b"t")[2]


def flow_from(text: bytes, listener: int) -> Flow | None:
    """The flow in a token that has proved to be ours; None where it carries none."""
    text = text.partition(b"t")[0]
    size = {b"4": 8, b"6": 32}.get(text[:1], 0)
    if not size:
        return None
    end = 1 + size + 4
    try:
        host = ip_address(unhexlify(text[1 : 1 + size]))
        port = int(text[1 + size : end], 16)
        return Flow(listener, (str(host), port), int(text[end + 1 :], 16) if len(text) > end else 0)
    except ValueError:
        return None
