"""Pack the training volumes of FASTSAM3D_DATA small: python pack.py OUT.npz [--manifest FILE]."""

import argparse
import os
import sys
from pathlib import Path

from volumes import shrink, write_pack

from fastsam3d.console import aside
from fastsam3d.data import read_training_volume
from fastsam3d.manifest import read_manifest

LARGEST_MB = 50


def main(arguments: list[str] | None = None) -> int:
    """Pack a manifest's volumes; the exit code is 1 if the file is too large."""
    options = _parse(arguments)
    rows = read_manifest(options.manifest)
    size = write_pack(
        options.output, (shrink(read_training_volume(row), options.finest_mm) for row in rows)
    )
    aside.print(f"{len(rows)} volumes, {size / 1e6:.1f} MB: {options.output}")
    if size < LARGEST_MB * 1e6:
        return 0
    aside.print(f"That is more than {LARGEST_MB} MB: raise --finest-mm.")
    return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    data = os.environ.get("FASTSAM3D_DATA")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument(
        "--manifest",
        type=Path,
        default=None if data is None else Path(data) / "train" / "manifest.csv",
        required=data is None,
    )
    parser.add_argument("--finest-mm", type=float, default=1.25)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
