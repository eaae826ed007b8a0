"""One metrics page for all workers: theirs, fetched when somebody asks, and joined (I/O; `joined` is pure).

From a thread of its own, as the page of a single process is: a scrape costs the workers what it costs them anyway.
"""

from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

FETCH_S = 2.0
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def joined(pages: Mapping[str, str]) -> str:
    """The exposition of all, by node: families once, with the samples of every page; a sample without the label `node`
    gets it."""
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for node, page in pages.items():
        family = ""
        is_new = False
        for line in page.splitlines():
            if line.startswith("#"):
                _, word, name, *_ = line.split(" ", 3)
                is_new = name not in heads if name != family else is_new
                family = name
                head = heads.setdefault(family, [])
                if is_new and word in ("HELP", "TYPE"):
                    head.append(line)
                samples.setdefault(family, [])
            elif line:
                samples.setdefault(family, []).append(_of_node(line, node))
    return "".join([line + "\n" for family, lines in samples.items() for line in (*heads.get(family, ()), *lines)])


def _of_node(sample: str, node: str) -> str:
    name, brace, rest = sample.partition("{")
    if not brace:
        name, _, value = sample.partition(" ")
        return f'{name}{{node="{node}"}} {value}'
    if rest.startswith('node="') or ',node="' in rest:
        return sample
    return f'{name}{{node="{node}",{rest}'


class JoinedPage:
    """The page while it is served. `port` is the one taken, also where 0 was asked for."""

    def __init__(self, host: str, port: int, pages: Callable[[], Mapping[str, str]]) -> None:
        """Binds and serves at once. `pages`: HOST:PORT of each worker's own, by node. Raises OSError."""

        class Handler(BaseHTTPRequestHandler):
            """GET, whatever the path: as the page of a single process."""

            def do_GET(self) -> None:
                """All of it."""
                body = joined({node: _fetch(address) for node, address in pages().items()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", _TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody asked."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Stop serving and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def _fetch(address: str) -> str:
    """A worker's page; empty where it gives none just now."""
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=FETCH_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()
