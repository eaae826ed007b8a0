"""What is shipped for watching speaks of metrics, events and commands that exist."""

import json
import re

import typer.main
import yaml

from edge.commands import app
from edge.telemetry.logs import FACTS
from edge.telemetry.metric_table import METRICS

OF_EVERY_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


def metrics_in(expression: str) -> set[str]:
    """Names of metrics, without the endings of a histogram."""
    found = set(re.findall(r"\b(?:edge|process)_[a-z_]+", expression))
    return {re.sub(r"_(bucket|sum|count)$", "", name) if "seconds" in name else name for name in found}


def alerts(root) -> list[dict]:
    document = yaml.safe_load((root / "deploy/prometheus/alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def known() -> set[str]:
    return {row.name for row in METRICS} | OF_EVERY_PROCESS


def test_every_alert_asks_for_metrics_that_exist(root):
    """A renamed metric would leave its alert silent for ever."""
    assert {} == {rule["alert"]: missing for rule in alerts(root) if (missing := metrics_in(rule["expr"]) - known())}


def test_every_alert_has_its_page_and_every_page_its_alert(root):
    """Whoever is woken finds out what to do."""
    pages = re.findall(r"^## (\w+)$", (root / "docs/runbooks.md").read_text(), re.MULTILINE)
    assert sorted(pages) == sorted(rule["alert"] for rule in alerts(root))
    for rule in alerts(root):
        assert f"docs/runbooks.md#{rule['alert'].lower()}" == rule["annotations"]["runbook"]
        assert rule["labels"]["severity"] in ("page", "ticket")


def test_every_page_says_its_severity_and_its_end(root):
    """As the rule has it."""
    severities = {rule["alert"]: rule["labels"]["severity"] for rule in alerts(root)}
    for name, text in re.findall(
        r"^## (\w+)\n\n(.*?)(?=^## |\Z)", (root / "docs/runbooks.md").read_text(), re.M | re.S
    ):
        assert text.startswith(f"`{severities[name]}`."), name
        assert "- Do: " in text, name
        assert "- Over: " in text, name


def test_runbooks_name_events_and_commands_that_exist(root):
    """`call.lost` is a line of the log, `edge account verify` a command."""
    text = (root / "docs/runbooks.md").read_text()
    told = {row.name for row in FACTS}
    areas = {name.partition(".")[0] for name in told}
    events = {name for name in re.findall(r"`([a-z]+\.[a-z_]+)`", text) if name.partition(".")[0] in areas}
    assert set() == events - told
    group = typer.main.get_command(app)
    for words in re.findall(r"`edge ((?:[a-z-]+ ?)+)", text):
        node = group
        for word in words.split():
            if getattr(node, "commands", None) is None:
                break
            assert word in node.commands, f"edge {words}"
            node = node.commands[word]


def test_the_dashboard_asks_for_metrics_that_exist(root):
    """And each panel has a title, a unit and a place of its own."""
    board = json.loads((root / "deploy/grafana/trunkgate.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    for panel in panels:
        for target in panel["targets"]:
            assert set() == metrics_in(target["expr"]) - known(), panel["title"]
        assert panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    cells = [
        (x, y)
        for panel in board["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
