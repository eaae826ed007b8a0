"""edge/admin/tokens.py: made, kept as a slow hash, verified."""

import pytest

from edge.admin.tokens import DAY_MS, Token, is_right, make, parts_of


def test_a_token_is_what_its_text_proves():
    """Found by its id, proved by its secret, and by no other."""
    token, text = make("noc", "viewer", now_ms=1_000, expires_ms=2_000, by="me", accounts=["a*"])
    name, secret = parts_of(text)
    assert name == token.id
    assert is_right(token, secret)
    assert not is_right(token, secret[:-1] + ("A" if secret[-1] != "A" else "B"))
    assert Token.from_text(token.to_text()) == token
    assert secret not in token.to_text()
    assert (False, True) == (token.is_expired(1_999), token.is_expired(2_000))


def test_two_tokens_share_nothing():
    """Not even the salt."""
    (one, first), (two, second) = [make("a", "viewer", now_ms=0, expires_ms=1, by="me") for _ in "ab"]
    assert 6 == len({one.id, two.id, one.salt, two.salt, first, second})


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a" * 101}, "name"),
        ({"expires_ms": 0}, "expires"),
        ({"expires_ms": 5_000 * DAY_MS}, "expires"),
        ({"accounts": ["a"] * 101}, "accounts"),
        ({"accounts": [""]}, "accounts"),
        ({"role": "root"}, "role"),
    ],
)
def test_what_cannot_be_is_named(words, named):
    """With what was expected."""
    given = {"name": "a", "role": "viewer", "expires_ms": DAY_MS, "accounts": [], **words}
    with pytest.raises(ValueError, match=f"^{named}: .*expected"):
        make(given.pop("name"), given.pop("role"), now_ms=0, by="me", **given)


@pytest.mark.parametrize("text", ["", "tg_", "tg_0123456789ab_short", "tg_0123456789AB_" + "a" * 43, "x" * 10_000])
def test_what_is_no_token_has_no_parts(text):
    """Whatever it is."""
    assert parts_of(text) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"accounts": 3}', "null"])
def test_what_the_store_holds_may_be_spoilt(text):
    """Then it is no token."""
    with pytest.raises(ValueError, match="not a token of ours"):
        Token.from_text(text)
