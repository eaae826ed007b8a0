"""edge/policies/editing.py: one value changed, everything else as it was written."""

import pytest

from edge.config.bundle import Bundle, build
from edge.config.errors import PolicyError
from edge.policies.editing import (
    listed_in_file,
    with_cli_numbers,
    with_do_not_originate,
    with_file,
    with_maintenance,
)

TEXT = """# at the top
[[accounts]]
id = "acme" # a customer

[[ingress]]
id = "in"
sources = ["192.0.2.0/24"]
account = "acme"

[[egress]]
id = "out"
uri = "sip:198.51.100.1:5060"   # odd   spacing

[[routes]]
id = "all"
prefixes = [""]
trunks = ["out"]
"""
BUNDLE = Bundle("policy.toml", TEXT.encode(), {})


def lines(bundle: Bundle) -> set[str]:
    return set(bundle.document.decode().splitlines())


def test_a_trunk_is_taken_out_and_brought_back():
    """One line more, and then the very same document."""
    out = with_maintenance(BUNDLE, "out", is_on=True)
    assert {"maintenance = true"} == lines(out) - lines(BUNDLE)
    assert set() == lines(BUNDLE) - lines(out)
    assert build(out, generation=1).trunks["out"].maintenance
    assert BUNDLE == with_maintenance(out, "out", is_on=False) == with_maintenance(BUNDLE, "out", is_on=False)


def test_numbers_of_an_account():
    """Where it had none before, and where it had."""
    one = with_cli_numbers(BUNDLE, "acme", ["+33199001200"])
    two = with_cli_numbers(one, "acme", [f"+3319900120{digit}" for digit in range(6)])
    for bundle, last, owns in ((one, "5", False), (two, "5", True)):
        ownership = build(bundle, generation=1).ownership
        assert owns is ownership.owns("acme", f"3319900120{last}")
        assert ownership.owns("acme", "33199001200")
        assert 'id = "acme" # a customer' in lines(bundle)


def test_numbers_that_never_call():
    """In a section that is made where there was none."""
    bundle = with_do_not_originate(BUNDLE, ["+33800000000"])
    assert build(bundle, generation=1).do_not_originate.owns("", "33800000000")
    assert lines(BUNDLE) <= lines(bundle)


@pytest.mark.parametrize(
    "edit",
    [
        lambda bundle: with_maintenance(bundle, "nowhere", is_on=True),
        lambda bundle: with_cli_numbers(bundle, "nobody", []),
        lambda bundle: with_file(bundle, "rates.csv", b""),
    ],
)
def test_what_is_not_there_is_said(edit):
    """With its name."""
    with pytest.raises(ValueError, match=r"nowhere|nobody|rates\.csv"):
        edit(BUNDLE)


def test_what_cannot_be_read_is_no_document():
    """Spoilt in the store."""
    with pytest.raises(PolicyError):
        with_maintenance(Bundle("policy.toml", b"\xff= =", {}), "out", is_on=True)


def test_ranges_of_a_file():
    """Those of one account, however it is written, so many at most."""
    data = b"account,first,last\r\nacme,+331,+332\r\nacme2,+335\nnot acme,+339\n acme , +336\nacme,+337"
    assert ["+331..+332", "+336", "+337"] == listed_in_file(data, "acme", most=10)
    assert ["+331..+332"] == listed_in_file(data, "acme", most=1)
    assert [] == listed_in_file(b"", "acme", most=10)
