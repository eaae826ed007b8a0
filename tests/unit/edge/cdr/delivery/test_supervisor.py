"""What the delivery process is told when it is started again."""

import pytest

from edge.cdr.delivery.orders import STARVED, Orders
from edge.cdr.delivery.supervisor import after
from edge.children import exit_word

ORDERS = Orders(state="s", node="n1", log="json", log_level="info")


@pytest.mark.parametrize(
    ("ends", "gives_way"),
    [
        ([], True),
        ([""], True),
        (["exit code 1", "signal 9", "cannot be started: Cannot allocate memory"], True),
        ([exit_word(STARVED)], False),
        ([exit_word(STARVED), "signal 9", ""], False),
    ],
)
def test_after_one_that_starved_none_gives_way_at_once(ends, gives_way):
    """Nor does any later one."""
    orders = ORDERS
    for why in ends:
        orders = after(orders, why)
    assert orders == ORDERS.model_copy(update={"gives_way": gives_way})
