"""A hook of MkDocs: what a page links to outside docs/ is taken into the site, under repository/; the link follows.
And one mend of the theme."""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
HERE = "repository/"
_LINK = re.compile(r"(\[[^\]]*\]\()([^)#\s:]+)((?:#[^)]*)?\))")


def _place(source: str) -> str:
    """Where a file of the site stands in the repository."""
    return source.removeprefix(HERE) if source.startswith(HERE) else f"docs/{source}"


def _target(source: str, link: str) -> str | None:
    """The path in the repository that a link of this page leads to, where that is a file outside docs/."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(_place(source)), link))
    return path if not path.startswith(("docs/", "..")) and (ROOT / path).is_file() else None


def on_files(files, config):
    waiting = [(file.src_uri, Path(file.abs_src_path).read_text()) for file in files if file.src_uri.endswith(".md")]
    taken = set()
    while waiting:
        source, text = waiting.pop()
        for _before, link, _after in _LINK.findall(text):
            path = _target(source, link)
            if path is None or path in taken:
                continue
            taken.add(path)
            content = (ROOT / path).read_bytes()
            files.append(File.generated(config, HERE + path, content=content))
            if path.endswith(".md"):
                waiting.append((HERE + path, content.decode()))
    return files


def on_page_markdown(markdown, page, config, files):
    source = page.file.src_uri

    def follow(found: re.Match[str]) -> str:
        before, link, after = found.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(_place(source)), link))
        inside = path.removeprefix("docs/") if path.startswith("docs/") else HERE + path
        if not (ROOT / path).is_file():
            return before[1:-2] if (ROOT / path).is_dir() else found.group(0)
        return before + posixpath.relpath(inside, posixpath.dirname(source) or ".") + after

    return _LINK.sub(follow, markdown)


def on_post_page(output, page, config):
    # The theme's own switch between light and dark stumbles where its highlighter, which comes from a CDN, is left out:
    # it turns two style sheets on and off by these names.
    return output.replace("<head>", '<head><style id="hljs-light"></style><style id="hljs-dark"></style>', 1)
