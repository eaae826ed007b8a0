"""The drawing of scripts/soak: what can be proved of it without a run."""

import importlib
import xml.etree.ElementTree as ET

import pytest


@pytest.fixture
def plot(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "scripts"))
    return importlib.import_module("plot_svg")


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 31, [0, 10, 20, 30, 40]),
        (0, 0, [0]),
    ],
)
def test_ticks_are_round_numbers(plot, least, most, expected):
    """Around what there is to show, few of them."""
    assert [round(tick, 6) for tick in plot.ticks(least, most)][: len(expected)] == expected


def test_a_drawing_is_whole_and_names_its_lines(plot):
    """Well-formed; a line for each series, in the order of x, within the picture; no markup from a name."""
    panel = plot.Panel("ms < 5 & more", {"p50": [(0, 1), (1, 2)], "p99": [(0, 10), (1, 5)], "none": []})
    text = plot.picture("a <title>", "minutes", [panel, plot.Panel("empty", {})])

    found = ET.fromstring(text)
    lines = [line for line in found if line.tag.endswith("polyline")]
    points = [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in lines]
    assert [len(line) for line in points] == [2, 2, 0]
    assert points[0][0][1] > points[1][0][1], "1 lies below 10"
    assert all(0 <= x <= plot.WIDTH for line in points for x, _ in line)
    assert {"p50", "p99", "ms < 5 & more", "a <title>"} <= {node.text for node in found}
