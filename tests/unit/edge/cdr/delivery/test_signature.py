"""edge.cdr.delivery.signature"""

from edge.cdr.delivery.signature import idempotency_key, signature


def test_the_signature_is_hmac_sha256_over_time_and_body():
    """As `printf '1764000000.{}\\n' | openssl dgst -sha256 -hmac 0123456789abcdef` gives it."""
    expected = "v1=73a102acf545fe30cc128ad40957e787aac53bfaaed4a0320a36ef3e909cb39d"
    assert expected == signature(b"0123456789abcdef", 1764000000, b"{}\n")


def test_every_part_counts():
    """Another secret, another time, another body: another signature."""
    told = {
        signature(b"0123456789abcdef", 1764000000, b"{}\n"),
        signature(b"0123456789abcdeg", 1764000000, b"{}\n"),
        signature(b"0123456789abcdef", 1764000001, b"{}\n"),
        signature(b"0123456789abcdef", 1764000000, b"{} \n"),
    }
    assert len(told) == 4


def test_the_same_records_have_the_same_key():
    """On every try; other bytes under the same numbers have another one."""
    assert idempotency_key("n", 1, 9, b"x") == idempotency_key("n", 1, 9, b"x")
    assert idempotency_key("n", 1, 9, b"x").startswith("n-1-9-")
    assert idempotency_key("n", 1, 9, b"x") != idempotency_key("n", 1, 9, b"y")
