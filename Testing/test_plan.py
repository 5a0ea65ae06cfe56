import numpy as np
import pytest

from fastsam3d.masks import write_mask
from fastsam3d.plan import plan


@pytest.fixture
def manifest(tmp_path):
    """Cases a1, a2 and, in another folder, b1, each with two objects and one that is too small."""
    labels = np.zeros((16, 20, 24), np.uint8)
    labels[2:10, 2:10, 2:10] = 1
    labels[11:14, 10:20, 12:22] = 2
    labels[0, 0, 20:] = 3
    rows = ["case,image,label,labels_voxels"]
    for case in ("ct/a1", "ct/a2", "mr/b1"):
        (tmp_path / case).parent.mkdir(exist_ok=True)
        write_mask(tmp_path / f"{case}.nii.gz", labels, np.eye(4))
        rows.append(f"{case[3:]},{case}.nii.gz,{case}.nii.gz,1:one;2:two;3:dot")
    rows.append("plain,ct/a1.nii.gz,,")
    path = tmp_path / "manifest.csv"
    path.write_text("\n".join(rows))
    return path


def test_what_is_left_out_is_listed_with_its_reason(manifest):
    found = plan(manifest)
    assert found.left_out == (
        ("a1", "label 3 (dot): 4 voxels"),
        ("a2", "label 3 (dot): 4 voxels"),
        ("b1", "label 3 (dot): 4 voxels"),
        ("plain", "no label map"),
    )


def test_counts_in_the_manifest_are_believed_and_missing_names_do_not_matter(manifest):
    text = manifest.read_text().replace("1:one;2:two;3:dot", "1:one=512;2:two=199;3:dot=4", 1)
    manifest.write_text(text.replace("1:one;2:two;3:dot", "", 1))
    tasks = [(task.row.case, task.label.value) for task in plan(manifest).tasks]
    assert tasks == [("a1", 1), ("a2", 1), ("a2", 2), ("b1", 1), ("b1", 2)]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (2, [("a1", 1), ("b1", 1)]),
        (4, [("a1", 1), ("a1", 2), ("a2", 1), ("b1", 1)]),
    ],
)
def test_limit_spreads_over_folders_and_images(manifest, limit, expected):
    tasks = plan(manifest, limit=limit).tasks
    assert [(task.row.case, task.label.value) for task in tasks] == expected
