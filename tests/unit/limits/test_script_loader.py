"""limits.script_loader: the scripts as they go to the store."""

import hashlib

import pytest

from limits import script_loader
from limits.script_loader import SCRIPTS, script


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_what_it_takes_and_gives(name):
    """Header with KEYS, ARGV and RETURNS, or it does not load; its name is the digest the store will use."""
    loaded = script(name)

    assert f"-- {name}: " in loaded.text
    assert loaded.sha1 == hashlib.sha1(loaded.text.encode()).hexdigest()


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_formats_a_large_number_or_reads_a_foreign_clock(name):
    """`tostring` and `..` lose digits of an instant; only the store's own clock counts."""
    text = script(name).text

    assert not any(word in text for word in ("tostring", "os.time", "os.clock", "math.random", "redis.pcall"))
    assert "now .." not in text


def test_a_part_stands_in_front_of_the_script_that_uses_it():
    """One copy of the sweep, in every script that sweeps."""
    heads = [line.partition(":") for line in script("admit").text.split("\n")]

    parts = [name for name, colon, _ in heads if colon and name.startswith("-- part_")]
    assert parts == [
        "-- part_record",
        "-- part_price",
        "-- part_money",
        "-- part_holds",
        "-- part_leases",
        "-- part_reverts",
        "-- part_frequency",
    ]
    assert script("epoch").text.startswith("-- epoch:")


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("-- x: y\n-- KEYS: 1\n-- ARGV: 1\nreturn 1", "RETURNS"),
        ("-- other: y\n-- KEYS: 1\n-- ARGV: 1\n-- RETURNS: 1\n", "its name"),
        ("return 1", "KEYS, ARGV, RETURNS"),
    ],
)
def test_a_script_without_its_header_does_not_load(monkeypatch, text, missing):
    """A fault in the package, found at the first start."""
    monkeypatch.setattr(script_loader, "_read", lambda name: text)

    with pytest.raises(ValueError, match=f"x.lua: header incomplete: {missing}"):
        script.__wrapped__("x")
