"""The resolver: names to addresses, failures to nothing, both remembered for a while."""

from edge.transport.resolver import Resolver


async def test_localhost_is_a_loopback_address() -> None:
    """By the system's own resolver."""
    addresses = await Resolver().addresses("localhost")

    assert set(addresses) <= {"127.0.0.1", "::1"}
    assert addresses != ()


async def test_a_name_that_does_not_exist_has_no_address() -> None:
    """RFC 6761 keeps .invalid free."""
    resolver = Resolver()

    assert await resolver.addresses("no-such-host.invalid") == ()
    assert await resolver.addresses("no-such-host.invalid") == ()


async def test_a_name_nobody_could_have_is_no_exception() -> None:
    """Labels over 63 bytes cannot be encoded; they come from the wire."""
    assert await Resolver().addresses("x" * 300 + ".example") == ()
