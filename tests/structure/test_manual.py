"""The manual: one way to every page, and commands that exist on each."""

import re
from xml.etree import ElementTree

import typer.main
import yaml

from edge.commands import app
from edge.config.static import StaticConfig
from edge.telemetry.logs import FACTS
from edge.telemetry.metric_table import METRICS


def leaves(entry) -> list[str]:
    """Every page of a navigation."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in leaves(part)]


def navigation(root) -> list[str]:
    return leaves(yaml.safe_load((root / "mkdocs.yml").read_text())["nav"])


def pages(root) -> list[str]:
    return sorted(path.relative_to(root / "docs").as_posix() for path in (root / "docs").rglob("*.md"))


def test_the_navigation_names_every_page_once(root):
    """And no page that is not there."""
    named = navigation(root)
    assert pages(root) == sorted(page for page in named if not page.startswith("repository/"))
    assert [] == [
        p for p in named if p.startswith("repository/") and not (root / p.removeprefix("repository/")).is_file()
    ]


def test_the_index_leads_to_every_page(root):
    """On a repository's own pages there is no navigation."""
    index = (root / "docs/README.md").read_text()
    assert [] == [page for page in pages(root) if f"]({page})" not in index and page != "README.md"]


def commands(text: str) -> list[str]:
    """What follows `edge` in backticks, and at the beginning of a line of a block: words that could be commands."""
    blocks = "".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    words = r"edge ((?:[a-z][a-z-]*\b ?)+)"
    return re.findall(f"^(?:\\$ )?{words}", blocks, re.MULTILINE) + re.findall(f"`{words}", prose)


def test_every_command_of_the_manual_exists(root):
    """`edge account show`: each word that could be a command is one."""
    group = typer.main.get_command(app)
    wrong = []
    for page in pages(root):
        for words in commands((root / "docs" / page).read_text()):
            node = group
            for word in words.split():
                if getattr(node, "commands", None) is None:
                    break
                if word not in node.commands:
                    wrong.append(f"{page}: edge {words}")
                    break
                node = node.commands[word]
    assert [] == wrong


def test_every_metric_event_and_variable_of_the_manual_exists(root):
    """What an operator would look for in vain. Metrics of the admin process stand in its own table, in api.md."""
    metrics = {row.name for row in METRICS} | set(
        re.findall(r"^\| `(edge_admin_\w+)`", (root / "docs/api.md").read_text(), re.MULTILINE)
    )
    events = {row.name for row in FACTS}
    areas = {name.partition(".")[0] for name in events}
    variables = {f"EDGE_{name.upper()}" for name in StaticConfig.model_fields} | {"EDGE_CONFIG", "EDGE_ADVERTISE"}
    files = (".json", ".jsonl", ".key", ".log", ".md", ".pem", ".py", ".secret", ".toml", ".yaml")
    wrong = []
    for page in pages(root):
        text = (root / "docs" / page).read_text()
        named = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\bedge_[a-z_]*[a-z]\b", text)}
        wrong += [f"{page}: {name}" for name in named - metrics - {re.sub(r"_(sum|count)$", "", m) for m in metrics}]
        told = {name for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if name.partition(".")[0] in areas}
        wrong += [f"{page}: {name}" for name in told - events if not name.endswith(files)]
        wrong += [f"{page}: {name}" for name in set(re.findall(r"\bEDGE_[A-Z_]+\b", text)) - variables]
    assert [] == sorted(wrong)


def test_the_picture_is_drawn_for_light_and_dark_and_needs_nothing(root):
    """Well formed, described in words, with no link to anywhere."""
    text = (root / "docs/concepts.svg").read_text()
    picture = ElementTree.fromstring(text)
    assert {"title", "desc"} <= {child.tag.rpartition("}")[2] for child in picture}
    assert "prefers-color-scheme: dark" in text
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"]+", text)
