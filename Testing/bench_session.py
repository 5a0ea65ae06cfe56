"""Time and memory of a session in a volume of 512 x 512 x 200: from a click to the changed box."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from bench_geometry import OBLIQUE_DEG, Centre, balls
from bench_networks import default_network
from bench_timing import Row, once
from fastsam3d.benchmark.clock import peak_mb
from fastsam3d.session import Session
from fastsam3d.sight import Network

SHAPE_KJI = (200, 512, 512)
IJK_TO_RAS = np.diag([0.7, 0.7, 1.5, 1.0])
RADIUS_MM = 40.0
CENTRES_IJK = ((130, 150, 60), (370, 160, 90), (140, 380, 130), (390, 370, 140), (256, 256, 100))


@dataclass
class Counted:
    """A network that counts its encodings; without weights it answers with a ball.

    Random weights answer with noise, round which a session would look for a better patch. The
    ball takes their place after the decoder has run, so that the work is that of a real session.
    """

    model: Network
    trained: bool
    encodings: int = 0

    def __post_init__(self) -> None:
        self.patch_size, self.mask_size = self.model.patch_size, self.model.mask_size
        axis = np.linspace(-1, 1, self.mask_size, dtype=np.float32)
        squared = axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2
        self._ball = (8 * (0.5 - np.sqrt(squared))).astype(np.float32)

    def embed_patch(self, patch: NDArray[np.float32]) -> Any:
        self.encodings += 1
        return self.model.embed_patch(patch)

    def predict(
        self, embedding: Any, points: ArrayLike, labels: ArrayLike, mask_logits: Any
    ) -> tuple[NDArray[np.float32], float]:
        logits, iou = self.model.predict(embedding, points, labels, mask_logits)
        return (logits if self.trained else self._ball), iou


def volume() -> NDArray[np.int16]:
    """Draw the objects that are clicked on."""
    return balls(SHAPE_KJI, CENTRES_IJK, RADIUS_MM)


def rows() -> Iterator[Row]:
    """Time two clicks in a volume that lies along the axes of the world and in a slanted one."""
    network, scan = Counted(*default_network()), volume()
    yield from rows_in(Scene(network, scan, IJK_TO_RAS), "")
    yield from rows_in(Scene(network, scan, slanted()), ", oblique")


class Scene(NamedTuple):
    """A network and a volume to click in."""

    network: Counted
    scan: NDArray[np.int16]
    ijk_to_ras: NDArray[np.float64]

    def first_click(self, centre: Centre) -> Session:
        session = Session(self.network, self.scan, self.ijk_to_ras)
        session.click(centre, space="ijk")
        return session

    def second_click(self, centre: Centre) -> tuple[float, int]:
        """Return the ms of a second click, and how often it encoded."""
        session, before = self.first_click(centre), self.network.encodings
        time = once(lambda: session.click(beside(centre), space="ijk"))
        return time, self.network.encodings - before

    def forgetful_click(self, centre: Centre) -> float:
        """Return the ms of a second click whose patch is encoded again."""
        session = self.first_click(centre)
        session._sight._embeddings.clear()
        return once(lambda: session.click(beside(centre), space="ijk"))


def rows_in(scene: Scene, where: str) -> Iterator[Row]:
    """Time the second click on each of some objects, with the embedding kept and without."""
    first = median(once(partial(scene.first_click, at)) for at in CENTRES_IJK)
    yield Row(f"default: first click{where}", first)
    played = [scene.second_click(centre) for centre in CENTRES_IJK]
    kept = [ms for ms, encodings in played if not encodings]
    moved = len(played) - len(kept)
    again = median(map(scene.forgetful_click, CENTRES_IJK))
    note = "to the changed box in 512 x 512 x 200; plain: encoded again at every click"
    if moved:
        note += f"; {moved} of {len(played)} clicks moved the patch and are left out"
    ours = median(kept) if kept else median(ms for ms, _ in played)
    yield Row(f"default: second click{where}", ours, again, limit=50, note=note)


def slanted() -> NDArray[np.float64]:
    """Turn the volume in the world."""
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler("xyz", OBLIQUE_DEG, degrees=True).as_matrix()
    return turn @ IJK_TO_RAS


def beside(centre: Centre) -> Centre:
    i, j, k = centre
    return i + 25, j - 20, k + 5


def play() -> dict[str, float]:
    """Open the volume, segment an object with five clicks, undo and redo; return the peak in MB."""
    network = Counted(*default_network())
    scan = volume()
    opened = peak_mb()
    session = Scene(network, scan, IJK_TO_RAS).first_click(CENTRES_IJK[0])
    for step in range(4):
        i, j, k = beside(CENTRES_IJK[0])
        session.click((i, j + 10 * step, k), positive=step % 2 == 0, space="ijk")
    session.undo()
    session.redo()
    return {"before the first click": opened, "whole session": peak_mb()}


def memory() -> dict[str, float]:
    """Play in a fresh process."""
    command = [sys.executable, str(Path(__file__))]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    peaks: dict[str, float] = json.loads(answer.stdout)
    return peaks


if __name__ == "__main__":
    sys.stdout.write(json.dumps(play()))
