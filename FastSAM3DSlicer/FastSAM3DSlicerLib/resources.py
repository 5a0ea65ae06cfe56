"""Where the module's files are: installed they lie beside it, in a checkout one level up."""

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent
"""The module's."""
SAMPLE_FILE = "CTLiver.nrrd"
SAMPLE_SHA256 = "e16eae0ae6fefa858c5c11e58f0f1bb81834d81b7102e021571056324ef6f37e"
SAMPLE_URL = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"


def resource(name: str) -> str:
    """Return the path of a file in `Resources`."""
    places = [folder / "Resources" / name for folder in (FOLDER, FOLDER.parent)]
    return str(next((place for place in places if place.exists()), places[0]))


def findEngine() -> None:
    """Make the package importable from a checkout."""
    if importlib.util.find_spec("fastsam3d") is None:
        sys.path.append(str(FOLDER.parent / "model"))


def registerSampleData() -> None:
    """Offer a scan in Slicer's Sample Data."""
    import SampleData  # type: ignore[import-not-found]

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="FastSAM3D",
        sampleName="FastSAM3D abdomen",  # in English: scripts ask for it by this name
        thumbnailFileName=resource("Icons/FastSAM3DSlicer.png"),
        uris=SAMPLE_URL + SAMPLE_SHA256,
        fileNames=SAMPLE_FILE,
        checksums=f"SHA256:{SAMPLE_SHA256}",
        nodeNames=SAMPLE_FILE.removesuffix(".nrrd"),
    )
