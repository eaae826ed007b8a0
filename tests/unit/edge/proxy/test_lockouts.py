"""Lock-outs: the address that guesses, the name that is guessed at, and never its owner."""

from edge.proxy.lockouts import MAX_KEPT, Lockouts

TERMS = {"most": 3, "lockout_s": 60.0}


def test_an_address_that_guesses():
    """The third failure locks it out for a minute, whatever name it tries; then it begins anew."""
    ours = Lockouts()
    assert [ours.failed("h", b"a%d" % n, now=n, **TERMS) for n in range(3)] == [False, False, True]
    assert [ours.is_locked("h", b"other", now) for now in (2, 61.9, 62)] == [True, True, False]
    assert ours.is_locked("g", b"other", 2) is False
    assert [ours.failed("h", b"x", now=70, **TERMS) for _ in range(3)] == [False, False, True]


def test_failures_that_are_far_apart_do_not_add_up():
    """One every two minutes is a person."""
    ours = Lockouts()
    assert [ours.failed("h", b"a", now=120 * n, **TERMS) for n in range(9)] == [False] * 9


def test_a_name_that_many_addresses_guess_at():
    """Locked for addresses that never knew its password; its owner goes on calling from where he has called."""
    ours = Lockouts()
    ours.succeeded("home", b"bob")
    for n in range(3):
        ours.failed(f"h{n}", b"bob", now=n, **TERMS)
    assert [ours.is_locked(host, b"bob", 3) for host in ("h9", "home")] == [True, False]
    ours.succeeded("home", b"bob")
    assert ours.is_locked("h9", b"bob", 3) is False


def test_what_is_kept_is_bounded():
    """Addresses cost the attacker nothing; they cost us a place each, and the oldest goes."""
    ours = Lockouts()
    for n in range(MAX_KEPT + 9):
        ours.failed(f"h{n}", b"n%d" % n, now=n, **TERMS)
        ours.succeeded(f"h{n}", b"good%d" % n)
    assert [len(kept) for kept in (ours._hosts, ours._names, ours._good)] == [MAX_KEPT] * 3
    assert "h8" not in ours._hosts
    assert "h9" in ours._hosts


def test_the_places_where_a_name_was_good_are_bounded():
    """The latest four."""
    ours = Lockouts()
    for n in range(9):
        ours.succeeded(f"h{n}", b"bob")
    assert ours._good[b"bob"] == ("h8", "h7", "h6", "h5")
