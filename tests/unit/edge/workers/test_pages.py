"""Metrics pages of several workers as one: Prometheus reads it, and no sample is lost or told twice."""

from prometheus_client.parser import text_string_to_metric_families

from edge.workers.pages import joined

PAGE = """# HELP edge_attempts_total call attempts
# TYPE edge_attempts_total counter
edge_attempts_total{node="%s"} %d.0
# HELP edge_refused_total by reason
# TYPE edge_refused_total counter
edge_refused_total{node="%s",reason="caps"} 2.0
# HELP edge_decision_seconds INVITE to decision
# TYPE edge_decision_seconds histogram
edge_decision_seconds_bucket{le="0.1",node="%s"} 1.0
edge_decision_seconds_bucket{le="+Inf",node="%s"} 3.0
edge_decision_seconds_count{node="%s"} 3.0
edge_decision_seconds_sum{node="%s"} 0.5
# HELP process_cpu_seconds_total Total user and system CPU time
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.25
"""


def page(node: str, attempts: int) -> str:
    return PAGE % (node, attempts, node, node, node, node, node)


def test_families_stand_once_with_the_samples_of_all():
    """A worker is a value of the label `node`; what a process says of itself gets it."""
    text = joined({"n.1": page("n.1", 7), "n.2": page("n.2", 8)})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert text.count("# TYPE") == 4
    assert [(one.labels, one.value) for one in families["edge_attempts"].samples] == [
        ({"node": "n.1"}, 7.0),
        ({"node": "n.2"}, 8.0),
    ]
    assert [one.labels["node"] for one in families["process_cpu_seconds"].samples] == ["n.1", "n.2"]
    assert len(families["edge_decision_seconds"].samples) == 8
    assert [one.labels["reason"] for one in families["edge_refused"].samples] == ["caps", "caps"]


def test_one_that_says_nothing_is_left_out():
    """It has just died."""
    assert joined({"n.1": page("n.1", 7), "n.2": ""}) == joined({"n.1": page("n.1", 7)})
    assert joined({}) == ""
