"""How an operation brings a version of the policy into the store. I/O, by `edge.policies.versions`."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Response

from edge.admin.access import Principal
from edge.admin.asking import etag, terms_of
from edge.admin.problems import Refusal, of_document
from edge.admin.services import Services
from edge.admin.shapes.policy import Document, PolicyChange
from edge.config.bundle import Bundle
from edge.config.errors import PolicyError
from edge.policies import versions, views
from edge.policies.versions import Changed
from limits.errors import StaleDocument


def bundle_of(document: Document) -> Bundle:
    """As the rooms of the policy have it."""
    return Bundle(document.name, document.document.encode(), dict(document.files))


@contextmanager
def problems_below(place: str) -> Iterator[None]:
    """Faults of a document are told with their places in the body. Raises Refusal."""
    try:
        yield
    except PolicyError as error:
        raise of_document(error.problems, below=place) from error


async def bring(here: Services, who: Principal, bundle: Bundle, *, why: str, expected: int, dry_run: bool) -> Changed:
    """The next version. Raises Refusal."""
    terms = terms_of(who, why)
    with problems_below(""):
        try:
            return await versions.bring(
                here.documents, bundle, by=terms.by, why=terms.reason, expected=expected, dry_run=dry_run
            )
        except StaleDocument as error:
            raise stale(error) from error


def stale(error: StaleDocument) -> Refusal:
    """Somebody was faster."""
    return Refusal("stale", str(error), headers={"ETag": etag(error.found)})


def changed(done: Changed, noted: dict[str, object], response: Response, *, dry_run: bool) -> PolicyChange:
    """What it came to; the audit has it too."""
    data = views.changed_data(done, dry_run=dry_run)
    noted["before"], noted["after"] = {"generation": done.before}, data
    response.headers["ETag"] = etag(done.before if done.version is None else done.version.generation)
    return PolicyChange.model_validate(data)
