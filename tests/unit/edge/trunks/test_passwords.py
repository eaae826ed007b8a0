"""Where the passwords of egress trunks are read from, and what is told where they cannot be."""

import pytest

from edge.config.login import LoginEntry
from edge.config.parsing import parse_policy
from edge.trunks.passwords import MAX_BYTES, NoPassword, read_password, read_passwords

DOCUMENT = """
[[egress]]
id = "a"
uri = "sip:198.51.100.1"
login = {{ username = "tg", password_file = "{file}" }}

[[egress]]
id = "b"
uri = "sip:198.51.100.2"
login = {{ username = "tg", password_env = "TRUNK_B" }}

[[egress]]
id = "c"
uri = "sip:198.51.100.3"
"""


@pytest.mark.parametrize(
    ("data", "password"), [(b"s3cret", b"s3cret"), (b"s3 cret\r\n", b"s3 cret"), (b"\xc3\xa9\n\n", b"\xc3\xa9\n")]
)
def test_the_last_line_break_does_not_count(tmp_path, data, password):
    file = tmp_path / "p"
    file.write_bytes(data)
    assert read_password(LoginEntry(username="u", password_file=str(file))) == password


@pytest.mark.parametrize("data", [b"", b"\n", b"x" * (MAX_BYTES + 1), None])
def test_what_cannot_be_a_password_is_told_by_its_place(tmp_path, data):
    """Never by what it holds."""
    file = tmp_path / "p"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(NoPassword) as caught:
        read_password(LoginEntry(username="u", password_file=str(file)))
    assert str(caught.value).startswith(f"file {file}: ")
    assert "xxx" not in str(caught.value)


def test_each_trunk_that_has_a_login(tmp_path, monkeypatch):
    """The others go on without those that cannot be read."""
    told = []
    document = parse_policy(DOCUMENT.format(file=tmp_path / "nothing"))
    monkeypatch.setenv("TRUNK_B", "s3cret")
    assert read_passwords(document, told.append) == {"b": b"s3cret"}
    assert [(fact.name, fact.fields["trunk"]) for fact in told] == [("trunk.no_password", "a")]
    monkeypatch.delenv("TRUNK_B")
    assert read_passwords(document, told.append) == {}
    assert "environment variable TRUNK_B" in told[-1].fields["why"]
