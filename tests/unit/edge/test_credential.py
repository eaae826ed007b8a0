"""What `edge secret` makes is what a document takes, and what proves the password."""

import re
import tomllib

import pytest

from edge.config.credentials import CredentialEntry, secrets_of
from edge.credential import entry
from edge.sip.digest import secret_of


def test_an_entry_is_a_section_of_a_document():
    """Both hashes, of the very password, and the password nowhere."""
    text = entry("acme-pbx", "acme", "sip.example", "correct horse")
    (section,) = tomllib.loads(text)["credentials"]
    known = secrets_of((CredentialEntry(**section),))[b"acme-pbx"]
    assert known.account == "acme"
    for algorithm, found in known.by_algorithm.items():
        assert found == secret_of(algorithm, b"acme-pbx", b"sip.example", b"correct horse")
    assert "horse" not in text


@pytest.mark.parametrize(
    ("username", "account", "password", "message"),
    [
        (
            "a b",
            "acme",
            "x",
            "expected a user name of printable ASCII without blank, quotation mark or backslash, got 'a b'",
        ),
        ("a", "no such", "x", "expected the name of an account, got 'no such'"),
        ("a", "acme", "", "expected a password of 1 to 256 characters"),
        ("a", "acme", "x" * 257, "expected a password of 1 to 256 characters"),
        (
            "a",
            "acme",
            "pass\x00",
            "expected a password of printable ASCII characters: equipment differs in how it writes others",
        ),
        (
            "a",
            "acme",
            "sésame",
            "expected a password of printable ASCII characters: equipment differs in how it writes others",
        ),
    ],
)
def test_mistakes(username, account, password, message):
    """A sentence that says what was expected; the password is not in it."""
    with pytest.raises(ValueError, match="^" + re.escape(message) + "$"):
        entry(username, account, "sip.example", password)
