"""The document of orders: what is written is read again, what is not ours is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config.trunk_orders import MAX_BYTES, MAX_TEXT, Ordered, TrunkOrder, orders_data, read_orders

TEXTS = st.text(max_size=MAX_TEXT).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
ORDERS = st.dictionaries(
    TEXTS, st.builds(TrunkOrder, st.sampled_from(Ordered), TEXTS, TEXTS, st.integers(0, 2**53)), max_size=5
)


@given(ORDERS)
def test_what_is_written_is_read_again(orders):
    assert read_orders(orders_data(orders)) == orders


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v":2,"trunks":{}}',
        b'{"v":1,"trunks":[]}',
        b'{"v":1,"trunks":{"a":1}}',
        b'{"v":1,"trunks":{"a":{"ordered":"stop","by":"","why":"","at_ms":1}}}',
        b'{"v":1,"trunks":{"a":{"ordered":"drain","by":1,"why":"","at_ms":1}}}',
        b'{"v":1,"trunks":{"a":{"ordered":"drain","by":"","why":"","at_ms":true}}}',
        b"x" * (MAX_BYTES + 1),
    ],
)
def test_what_is_not_ours_is_refused(data):
    with pytest.raises(ValueError, match=r"."):
        read_orders(data)


def test_long_texts_are_cut():
    data = json.dumps({"v": 1, "trunks": {"a": {"ordered": "drain", "by": "x" * 999, "why": "y" * 999, "at_ms": 1}}})
    (order,) = read_orders(data.encode()).values()
    assert (len(order.by), len(order.why)) == (MAX_TEXT, MAX_TEXT)
