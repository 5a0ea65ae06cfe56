"""What tests need that is not in the repository, or may be missing from a checkout."""

import os
import tempfile
from pathlib import Path

import pytest

from fastsam3d import registry

# What the package keeps for a user, it keeps here meanwhile; worker processes inherit it.
os.environ.setdefault("XDG_DATA_HOME", tempfile.mkdtemp(prefix="fastsam3d-tests-"))


@pytest.fixture(scope="session")
def data_folder():
    """Return the folder of real volumes, `train` and `dev`, each with a manifest."""
    if "FASTSAM3D_DATA" not in os.environ:
        pytest.skip("No real volumes: set FASTSAM3D_DATA to the folder that holds them.")
    folder = Path(os.environ["FASTSAM3D_DATA"])
    if not (folder / "dev" / "manifest.csv").is_file():
        pytest.fail(f"FASTSAM3D_DATA is {folder}, which holds no dev/manifest.csv.")
    return folder


@pytest.fixture(scope="session")
def default_weights():
    """Return the file of the default's weights."""
    path = registry.BUNDLED_FOLDER / registry.find("fastsam3d-default").file
    if not path.is_file():
        pytest.skip(f"No default weights: {path.name} is not in this checkout.")
    return path


def pytest_terminal_summary(terminalreporter):
    """Say where nobody overlooks it that something was not tested."""
    if count := len(terminalreporter.stats.get("skipped", [])):
        text = f"NOT EVERYTHING WAS TESTED: {count} left out, see below."
        terminalreporter.write_line(text, red=True, bold=True)
