"""What the rooms of the proxy share."""

from network import POLICY, Wire

from edge.config.parsing import parse_policy
from edge.config.snapshot import PolicySnapshot


def test_a_new_policy_brings_its_account_headers():
    """Those that must not leave by a trunk, each once."""
    wire = Wire()
    node = wire.core._node
    assert node.account_headers == (b"x-account",)
    more = POLICY + '[[ingress]]\nid = "z"\nsources = ["192.0.2.9"]\ntrusted = true\naccount_header = "A-Name"\n'
    wire.core.policy_changed(PolicySnapshot(parse_policy(more), generation=8), wire.now)
    assert (node.account_headers, node.snapshot.generation) == ((b"a-name", b"x-account"), 8)
