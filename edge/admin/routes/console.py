"""The web console: static files that use the API as anybody does. Nothing is made here but headers."""

import mimetypes
from functools import cache
from hashlib import sha256
from importlib import resources
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Header, Path, Response

from edge.admin.problems import Refusal

router = APIRouter(include_in_schema=False)
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8", "html": "text/html; charset=utf-8"}


class Asset(NamedTuple):
    """A file of the console."""

    data: bytes
    kind: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Name -> file; all there are, read once."""
    found = {}
    for entry in resources.files("edge.admin").joinpath("console").iterdir():
        if not entry.is_file():
            continue
        data = entry.read_bytes()
        ending = entry.name.rpartition(".")[2]
        kind = _TYPES.get(ending) or mimetypes.guess_type(entry.name)[0] or "text/plain"
        found[entry.name] = Asset(data, kind, f'"{sha256(data).hexdigest()[:16]}"')
    return found


@router.get("/")
async def console(if_none_match: Annotated[str, Header()] = "") -> Response:
    """The page; everything else it asks for itself."""
    return _answer("index.html", if_none_match)


@router.get("/console/{asset}")
async def console_file(
    asset: Annotated[str, Path(max_length=64)], if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """A script, a style sheet, a picture."""
    return _answer(asset, if_none_match)


def _answer(name: str, if_none_match: str) -> Response:
    found = assets().get(name)
    if found is None:
        raise Refusal("unknown-path", "the console has no such file")
    # A 304 tells its type too: what a page may do hangs on it, and a browser takes the headers of the 304.
    headers = {"ETag": found.etag, "Cache-Control": "no-cache", "Content-Type": found.kind}
    if found.etag == if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(found.data, headers=headers)
