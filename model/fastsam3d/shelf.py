"""Volumes of a manifest that stay on disk until they are drawn; the last few stay in memory."""

from dataclasses import dataclass, replace
from pathlib import Path

from .data import TrainingVolume, read_training_volume
from .images import read_grid
from .manifest import Row, read_manifest
from .samegrid import check_on_grid

CACHE_BYTES = 1 << 28
"""Of the volumes that a process keeps."""


class Cache:
    """The volumes that were read last, as many as fit; the very last one in any case."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: dict[Row, TrainingVolume] = {}

    def read(self, row: Row) -> TrainingVolume:
        """Return the volume of a row, read anew if it is not kept.

        Raises:
            InputError: as `read_training_volume`.
        """
        volume = self._kept.pop(row, None) or read_training_volume(row)
        self._kept[row] = volume
        while len(self._kept) > 1 and self.bytes > self._most_bytes:
            del self._kept[next(iter(self._kept))]
        return volume

    @property
    def bytes(self) -> int:
        """Return what the voxels take."""
        tensors = (values for v in self._kept.values() for values in (v.image, v.labels))
        return sum(values.nbytes for values in tensors if values is not None)


@dataclass(frozen=True)
class StoredVolume:
    """A volume on disk, of which nothing is known but what is needed to draw one."""

    row: Row
    has_objects: bool
    cache: Cache

    @property
    def folder(self) -> str:
        """Return the collection it belongs to."""
        return self.row.folder

    @property
    def has_image(self) -> bool:
        """Tell whether it is more than a label map."""
        return self.row.image is not None

    def load(self) -> TrainingVolume:
        """Bring its voxels to memory.

        Raises:
            InputError: as `read_training_volume`.
        """
        return self.cache.read(self.row)


def stored_volumes(
    manifest: Path, *, split: str | None = None, cache_bytes: int = CACHE_BYTES
) -> list[StoredVolume]:
    """List the volumes of a manifest, having looked where each lies.

    A label map is read, once, only if the manifest does not say how many voxels its objects have.

    Args:
        manifest: of images and label maps.
        split: only rows of this split.
        cache_bytes: that the volumes which were read last take together.

    Raises:
        InputError: an unusable manifest or file, or labels that do not lie on their image's grid.
    """
    cache = Cache(cache_bytes)
    return [_stored(row, cache) for row in read_manifest(manifest, split=split)]


def _stored(row: Row, cache: Cache) -> StoredVolume:
    if row.image is not None and row.label is not None:
        check_on_grid(read_grid(row.label), read_grid(row.image))
    return StoredVolume(row, _has_objects(row), cache)


def _has_objects(row: Row) -> bool:
    if row.label is None:
        return False
    if row.objects and all(one.voxels is not None for one in row.objects):
        return any(one.voxels for one in row.objects)
    return read_training_volume(replace(row, image=None)).has_objects
