"""`edge secret`: what a policy document says of a user name, made from its password, which goes nowhere. Pure."""

from pydantic import ValidationError

from edge.config.credentials import CredentialEntry
from edge.sip.digest import HASHES, secret_of

MAX_PASSWORD = 256
_EXPECTED = {
    "id": "a user name of printable ASCII without blank, quotation mark or backslash",
    "account": "the name of an account",
}


def entry(username: str, account: str, realm: str, password: str) -> str:
    """The `[[credentials]]` section, in TOML. Raises ValueError with a sentence: what was wrong, what was expected."""
    if not password or len(password) > MAX_PASSWORD:
        raise ValueError(f"expected a password of 1 to {MAX_PASSWORD} characters")
    if not password.isprintable() or not password.isascii():
        raise ValueError("expected a password of printable ASCII characters: equipment differs in how it writes others")
    words = (username.encode(), realm.encode(), password.encode())
    hashes = {algorithm.decode().replace("-", ""): secret_of(algorithm, *words) for algorithm in HASHES}
    try:
        made = CredentialEntry(id=username, account=account, **hashes)
    except ValidationError as error:
        fault = error.errors()[0]
        expected = _EXPECTED[str(fault["loc"][0])]
        raise ValueError(f"expected {expected}, got {fault['input']!r}") from None
    return "\n".join(
        [
            "[[credentials]]",
            f'id = "{made.id}"',
            f'account = "{made.account}"',
            f'sha256 = "{made.sha256}"',
            f'md5 = "{made.md5}"',
        ]
    )
