"""Pictures of a session in the module's panel, as Slicer's views show it, without a desktop.

The clicks are made with the mouse in the axial view, where a careful user would make them: first in
the middle of the object, then in the middle of the largest error; on the last object, which is
shown with its points, every other click is made in the slice of the first. Clicks at the end that
made a mask worse are taken back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bench_networks import default_network
from desk import Desk
from fastsam3d.clicks import Voxel, next_click
from fastsam3d.geometry import spacing_of
from fastsam3d.images import read_labels, read_volume
from fastsam3d.metrics import dice
from fastsam3d.phantom import make_phantom
from FastSAM3DSlicerLib import points, scene, segments
from FastSAM3DSlicerLib.timeline import Point
from harness import headless
from harness.surfaced import surfaced
from harness.views import Picture, ThreeDView

VIEW_PIXELS = (448, 352)
BAR_PIXELS = 22
BARS = {
    "Red": ("R  axial", (243, 74, 51)),
    "3D": ("1  3D", (117, 131, 242)),
    "Green": ("G  coronal", (110, 176, 75)),
    "Yellow": ("Y  sagittal", (237, 213, 76)),
}
"""Above the views, in the order of Slicer's usual layout."""
GAP_PIXELS = 3
ABDOMEN = (-125.0, 225.0)
"""Hounsfield units from black to white."""

Colour = tuple[float, float, float]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Target:
    """An object to click on, the one that is worked on last at the end of the list."""

    name: str
    truth_kji: Mask
    colour: Colour
    clicks: int


@dataclass(frozen=True, eq=False)
class Case:
    """A scan, (k, j, i), and what is segmented in it."""

    scan_kji: NDArray[Any]
    ijk_to_ras: NDArray[np.float64]
    targets: tuple[Target, ...]


def phantom(data: Path | None) -> Case:
    """Take the built-in abdomen, which is drawn from formulas."""
    there = make_phantom()
    targets = (
        Target("spleen", there.organ("spleen"), (0.62, 0.42, 0.65), 6),
        Target("liver", there.organ("liver"), (0.87, 0.51, 0.4), 6),
        Target("right kidney", there.organ("right kidney"), (0.95, 0.78, 0.3), 5),
    )
    return Case(there.array_kji, there.ijk_to_ras, targets)


def abdomen(data: Path | None) -> Case:
    """Take the test scan of TotalSegmentator (Wasserthal et al. 2023), Apache-2.0."""
    if data is None:
        raise typer.BadParameter("This one needs --data or FASTSAM3D_DATA.")
    folder = data / "dev" / "totalsegmentator"
    scan = read_volume(folder / "example_ct_3mm_image.nii.gz")
    labels = read_labels(folder / "example_ct_3mm_label.nii.gz").array_kji
    targets = (
        Target("spleen", labels == 1, (0.62, 0.42, 0.65), 6),
        Target("liver", labels == 5, (0.87, 0.51, 0.4), 5),
        Target("right kidney", labels == 2, (0.95, 0.78, 0.3), 5),
    )
    return Case(scan.array_kji, scan.ijk_to_ras, targets)


CASES: dict[str, Callable[[Path | None], Case]] = {"abdomen": abdomen, "phantom": phantom}


def main(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(CASES)}.")],
    output: Annotated[Path, typer.Argument(help="A PNG file.")],
    data: Annotated[Path | None, typer.Option(envvar="FASTSAM3D_DATA")] = None,
) -> None:
    """Play a session and write a picture of its end."""
    case = CASES[name](data)
    with surfaced():
        desk = Desk(case.scan_kji, case.ijk_to_ras, default_network()[0], VIEW_PIXELS)
        desk.volume.GetDisplayNode().AutoWindowLevelOff()
        desk.volume.GetDisplayNode().SetWindowLevelMinMax(*ABDOMEN)
        for line in played(desk, case):
            typer.echo(line)
        save(composed(pictures(desk)), output)
        desk.close()
    typer.echo(f"{output}: {output.stat().st_size / 1000:.0f} kB")


def played(desk: Desk, case: Case) -> Iterator[str]:
    """Segment the targets one after the other; yield how well, and leave the last one shown."""
    for n, target in enumerate(case.targets):
        if n == 0:
            desk.begin()
        else:
            desk.next_segment()
        segment = desk.logic.segmentationNode.GetSegmentation().GetSegment(desk.logic.segmentId)
        segment.SetName(target.name)
        segment.SetColor(*target.colour)
        first = clicked(desk, target, shown=target is case.targets[-1])
        desk.look_at(scene.centreOf(desk.volume, first))
        found, count = dice(mask_of(desk), target.truth_kji), len(points_of(desk))
        yield f"{target.name}: {count} clicks, Dice {found:.2f}; {desk.ui.statusLabel.text}"


def clicked(desk: Desk, target: Target, *, shown: bool) -> Voxel:
    """Click on a target as long as that is worth it; return the voxel of the first click."""
    first = click(desk, target.truth_kji)
    found = [dice(mask_of(desk), target.truth_kji)]
    for count in range(1, target.clicks):
        click(desk, target.truth_kji, first[0] if shown and count % 2 == 1 else None)
        found.append(dice(mask_of(desk), target.truth_kji))
    for _ in found[int(np.argmax(found)) + 1 :]:
        desk.ui.undoButton.click()
        desk.settle()
    return first


def click(desk: Desk, truth_kji: Mask, k: int | None = None) -> Voxel:
    """Correct the mask by one click, in the slice k if one is given; return the voxel."""
    part = slice(None) if k is None else slice(k, k + 1)
    x, y, z = (float(mm) for mm in spacing_of(scene.gridOf(desk.volume).ijkToRas))
    chosen = next_click(truth_kji[part], mask_of(desk)[part], spacing_kji_mm=(z, y, x))
    assert chosen is not None
    voxel = (chosen.voxel_kji[0] + (k or 0), *chosen.voxel_kji[1:])
    desk.choose_sign(positive=chosen.positive)
    place = scene.centreOf(desk.volume, voxel)
    desk.look_at(place)
    desk.press(place)
    desk.release(place)
    return voxel


def mask_of(desk: Desk) -> Mask:
    return segments.readMask(desk.logic.segmentationNode, desk.logic.segmentId, desk.volume)


def points_of(desk: Desk) -> tuple[Point, ...]:
    return points.read(desk.logic.pointsNode(), desk.volume)


def pictures(desk: Desk) -> dict[str, Picture]:
    """Draw the slice views and the surfaces."""
    desk.ui.includeButton.click()
    node = desk.logic.segmentationNode
    for segment in node.GetSegmentation().GetSegmentIDs():
        segments.updateSurface(node, segment)
    drawn = {name: view.picture() for name, view in desk.views.items()}
    return drawn | {"3D": surfaces()}


def surfaces() -> Picture:
    """Draw the 3D view, from the front and a little from the left and above."""
    view = ThreeDView(headless.start(), size=VIEW_PIXELS)
    view.node.SetBoxVisible(False)
    view.node.SetAxisLabelsVisible(False)
    view.node.SetOrientationMarkerType(view.node.OrientationMarkerTypeAxes)
    view.render()
    view.look_at_everything()
    camera = view.renderer.GetActiveCamera()
    camera.Azimuth(20)
    camera.Elevation(15)
    camera.Zoom(1.35)
    view.renderer.ResetCameraClippingRange()
    return view.picture()


def composed(drawn: dict[str, Picture]) -> Image.Image:
    """Put views below their bars, two by two."""
    width, height = VIEW_PIXELS
    step_x, step_y = width + GAP_PIXELS, height + BAR_PIXELS + GAP_PIXELS
    sheet = Image.new("RGB", (2 * step_x - GAP_PIXELS, 2 * step_y - GAP_PIXELS), (30, 30, 30))
    pen, font = ImageDraw.Draw(sheet), sans(13)
    for n, (name, (text, colour)) in enumerate(BARS.items()):
        x, y = n % 2 * step_x, n // 2 * step_y
        pen.rectangle((x, y, x + width - 1, y + BAR_PIXELS - 1), colour)
        pen.text((x + 8, y + BAR_PIXELS // 2), text, (20, 20, 20), font, anchor="lm")
        sheet.paste(Image.fromarray(drawn[name]), (x, y + BAR_PIXELS))
    return sheet


def sans(size: int) -> Any:
    """Load the font that comes with matplotlib."""
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)


def save(sheet: Image.Image, output: Path) -> None:
    """Write a PNG."""
    sheet.save(output, optimize=True)


if __name__ == "__main__":
    typer.run(main)
