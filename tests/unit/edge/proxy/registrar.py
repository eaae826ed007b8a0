"""A trunk that asks who we are, as plain functions: a registrar with a password, and what it answers."""

from network import TRUNK_A, Wire, policy, reply

from edge.sip.digest import is_right, parse_credentials, secret_of
from edge.sip.message import Request

PASSWORD = b"s3cret"
LOGIN = '{ username = "tg", password_env = "P" }'
REGISTRATION = '{ address = "sip:tg@carrier.example", expires_s = 600 }'
CONTACT = "sip:tg@192.0.2.10:5060"
CHALLENGE = 'Digest realm="carrier", nonce="{nonce}", algorithm=SHA-256, qop="auth"'


def registered_wire(**trunk: str | float) -> Wire:
    """A network whose trunk a wants a registration, and whose password this node knows."""
    return Wire(policy(login=LOGIN, registration=REGISTRATION, **trunk), passwords={"a": PASSWORD})


def challenge(request: Request, nonce: str = "n1", *, status: int = 401, more: str = "") -> bytes:
    """Who are you?"""
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return reply(request, status, extra=f"{name}: {CHALLENGE.format(nonce=nonce)}{more}")


def granted(request: Request, seconds: int | str = 600) -> bytes:
    """The binding is there."""
    return reply(request, 200, extra=f"Contact: <{CONTACT}>;expires={seconds}")


def is_proved(request: Request, nonce: str = "n1", header: bytes = b"authorization") -> bool:
    """Are there credentials in it, and right ones for this nonce?"""
    value = request.value(header)
    if value is None:
        return False
    found = parse_credentials(value)
    assert found is not None
    secret = secret_of(b"sha-256", b"tg", b"carrier", PASSWORD)
    is_meant = (found.nonce, found.uri) == (nonce.encode(), request.uri)
    return is_meant and is_right(found, secret, request.method, request.body)


def the_register(wire: Wire) -> Request:
    """The one REGISTER that has left for trunk a, its repeats apart."""
    (request,) = {request.via().branch: request for request in wire.requests_to(TRUNK_A, b"REGISTER")}.values()
    return request


def bound(wire: Wire, seconds: int | str = 600) -> Request:
    """The registrar challenges the REGISTER that is there, and grants the next; what that said."""
    wire.send(challenge(the_register(wire)), TRUNK_A)
    request = the_register(wire)
    wire.send(granted(request, seconds), TRUNK_A)
    return request
