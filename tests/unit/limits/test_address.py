"""limits.address: the URL of a store."""

import pytest

from limits.address import StoreAddress, StoreKind, parse_address


@pytest.mark.parametrize(
    ("url", "expected", "shown"),
    [
        ("redis://store", StoreAddress("", "store", 6379, False, "", "", 0, ""), "redis://store:6379"),
        ("redis://[::1]:7000/3", StoreAddress("", "::1", 7000, False, "", "", 3, ""), "redis://[::1]:7000 db 3"),
        (
            "rediss://edge:p%40ss@store:6380/?ssl_ca_certs=/etc/ca.pem",
            StoreAddress("", "store", 6380, True, "edge", "p@ss", 0, "/etc/ca.pem"),
            "rediss://store:6380",
        ),
        (
            "redis://:secret@store/1?db=2",
            StoreAddress("", "store", 6379, False, "", "secret", 2, ""),
            "redis://store:6379 db 2",
        ),
        (
            "unix:///run/store%20a.sock?db=4",
            StoreAddress("/run/store a.sock", "", 6379, False, "", "", 4, ""),
            "unix:///run/store a.sock db 4",
        ),
        ("unix://:pw@/s", StoreAddress("/s", "", 6379, False, "", "pw", 0, ""), "unix:///s"),
        (
            "redis+sentinel://edge:p%40ss@s1,[::1]:7000/main/2?sentinel_password=sp",
            StoreAddress(
                "",
                "s1",
                26379,
                False,
                "edge",
                "p@ss",
                2,
                "",
                StoreKind.SENTINEL,
                (("s1", 26379), ("::1", 7000)),
                "main",
                "sp",
            ),
            "redis+sentinel://s1:26379,[::1]:7000/main db 2",
        ),
        (
            "rediss+cluster://:pw@c1,c2:7001?ssl_ca_certs=/ca",
            StoreAddress("", "c1", 6379, True, "", "pw", 0, "/ca", StoreKind.CLUSTER, (("c1", 6379), ("c2", 7001))),
            "rediss+cluster://c1:6379,c2:7001",
        ),
    ],
)
def test_a_store_address_is_read_and_shown_without_its_password(url, expected, shown):
    """The forms redis-py reads."""
    assert expected == parse_address(url)
    assert shown == str(parse_address(url))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "not a store address: expected redis://"),
        ("http://:secret@store", "not a store address: expected redis://"),
        ("localhost:6379", "not a store address"),
        ("redis://store:port", "not a store address: Port could not be cast"),
        ("redis://store:99999", "not a store address: Port out of range"),
        ("redis://:secret@store/x", "database 'x' in the store address: expected a number"),
        ("redis://:secret@store?timeout=5", "unknown option in the store address: timeout; known: db, ssl_ca_certs"),
        ("unix://relative", "a unix:// store address needs an absolute path"),
        ("redis+sentinel://:secret@a,b", "which service of the sentinels"),
        ("redis+cluster://:secret@a,b/1", "a cluster has database 0 only"),
        ("redis://:secret@a,b/1", "several hosts in the store address"),
        ("redis+cluster://a?sentinel_password=secret", "unknown option in the store address: sentinel_password; known"),
        ("redis+cluster://" + "a," * 64 + "b", "not a store address: 65 hosts, at most 64 are read"),
    ],
)
def test_what_is_no_address_says_what_was_expected(url, message):
    """And never tells the password."""
    with pytest.raises(ValueError, match="^" + message) as fault:
        parse_address(url)

    assert "secret" not in str(fault.value)
