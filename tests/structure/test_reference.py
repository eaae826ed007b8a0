"""docs/parameters.md against edge.config"""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.config.schema import PolicyDocument
from edge.config.static import StaticConfig

ROOT = Path(__file__).parents[2]


def test_reference_is_up_to_date() -> None:
    """The operator's reference is what scripts/render-reference makes of the models."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "render-reference"), "--check"], capture_output=True, text=True
    )
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("name", [*StaticConfig.model_fields, *PolicyDocument.model_fields])
def test_every_name_is_there(name: str) -> None:
    """Each option and each section has its heading."""
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert f"`{name}`" in page or f"[{name}" in page
