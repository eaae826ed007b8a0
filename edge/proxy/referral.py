"""Other dialogs and other places that a message speaks of, toward a side that is shown nothing of the other. Pure.

RFC 3515 §2.1 (Refer-To), RFC 3891 and RFC 3911 (Replaces and Join, as headers and inside the URI of Refer-To), RFC 4538
(Target-Dialog).

A place behind the edge becomes ours, its user part kept: whoever follows it calls the edge, where that call is judged
like any other. It is not sealed as a Contact is, since what is sealed leads into one dialog, past policy. A dialog is
named as whoever is told of it knows it: with the Call-ID that `topology` sealed. Both are opened again where that side
says them, so that a transfer which it asks for reaches whom it names.
"""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from edge.proxy.identifiers import SEALED, Identifiers
from edge.sip.errors import FieldError
from edge.sip.fields import parse_name_addr
from edge.sip.message import Message, Request
from edge.sip.uri import SipUri, parse_uri

_DIALOGS: Final = (b"replaces", b"join", b"target-dialog")
_KEPT: Final = re.compile(rb";(?:user|method)=[^;]*", re.IGNORECASE)
"""Parameters of a URI that say nothing of a place."""
_HEADER: Final = re.compile(rb"([^&=]+)=([^&]*)")

Says = Callable[[bytes], bool]
"""Does this text name a host that is to be hidden?"""


def hide_dialogs(message: Message, identifiers: Identifiers, names_host: Says) -> None:
    """Replaces, Join and Target-Dialog."""
    for name in _DIALOGS:
        value = message.value(name)
        if value is not None:
            message.replace(name, _sealed(value, identifiers, names_host))


def reveal_dialogs(request: Request, identifiers: Identifiers) -> None:
    """The same on their way back; what is none of ours stays."""
    for name in _DIALOGS:
        value = request.value(name)
        if value is not None and value.startswith(SEALED):
            request.replace(name, _opened(value, identifiers))


def hide_place(
    message: Message, identifiers: Identifiers, names_host: Says, is_hidden: Says, swept: Callable[[bytes], bytes],
    ours: bytes,
) -> None:  # fmt: skip
    """Refer-To. `is_hidden`: is this host one of the side that is not shown? `swept`: text without its addresses.
    `ours`: host and port of our listener, with what else a URI of ours says."""
    value = message.value(b"refer-to")
    if value is None:
        return
    try:
        raw = parse_name_addr(value, "Refer-To").uri
        uri = parse_uri(raw)
    except FieldError:
        message.replace(b"refer-to", swept(value))
        return
    if not isinstance(uri, SipUri):
        message.replace(b"refer-to", swept(value))
        return
    before, _, after = value.partition(raw)
    place, question, _ = raw.partition(b"?")
    if is_hidden(uri.host):
        user = b"" if uri.user is None else uri.user + b"@"
        place = b"sip:" + user + ours + b"".join(_KEPT.findall(uri.params))

    def header(found: re.Match[bytes]) -> bytes:
        name, text = found.groups()
        if name.lower() not in _DIALOGS:
            return swept(found.group())
        return name + b"=" + _escaped(_sealed(unquote_to_bytes(text), identifiers, names_host))

    shown = place + question + _HEADER.sub(header, uri.headers)
    if not before.rstrip().endswith(b"<") and (b";" in place or question):
        shown = b"<" + shown + b">"  # §20.10: what follows would be the header's
    message.replace(b"refer-to", swept(before) + shown + swept(after))


def reveal_place(request: Request, identifiers: Identifiers) -> None:
    """A Refer-To of the side that is shown nothing: a Contact that was sealed for the dialog it names, and that dialog
    itself. What does not open stays: it leads to us."""
    value = request.value(b"refer-to")
    if value is None or SEALED not in value:
        return
    try:
        raw = parse_name_addr(value, "Refer-To").uri
        uri = parse_uri(raw)
    except FieldError:
        return
    if not isinstance(uri, SipUri):
        return
    place, question, _ = raw.partition(b"?")
    call_id = request.call_id()

    def header(found: re.Match[bytes]) -> bytes:
        nonlocal call_id
        name, text = found.groups()
        if name.lower() not in _DIALOGS:
            return found.group()
        opened = _opened(unquote_to_bytes(text), identifiers)
        call_id = opened.partition(b";")[0]
        return name + b"=" + _escaped(opened)

    headers = _HEADER.sub(header, uri.headers)
    if uri.user is not None and uri.user.startswith(SEALED):
        place = identifiers.unseal(uri.user[len(SEALED) :], call_id) or place
    request.replace(b"refer-to", value.replace(raw, place + question + headers, 1))


def _sealed(dialog: bytes, identifiers: Identifiers, names_host: Says) -> bytes:
    word, semicolon, rest = dialog.partition(b";")
    if word.startswith(SEALED) or not names_host(word):
        return dialog
    return SEALED + identifiers.seal(word) + semicolon + rest


def _opened(dialog: bytes, identifiers: Identifiers) -> bytes:
    word, semicolon, rest = dialog.partition(b";")
    opened = identifiers.unseal(word[len(SEALED) :]) if word.startswith(SEALED) else None
    return dialog if opened is None else opened + semicolon + rest


def _escaped(text: bytes) -> bytes:
    return quote_from_bytes(text, safe="").encode()
