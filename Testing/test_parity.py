"""The published networks, against figures computed by running their own code.

`parity/NAME.json` holds every key of the published checkpoint with its shape, and the clicks
decoded one after the other; `parity/NAME.npz` holds what came out. Weights and images come from
seeds.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from fastsam3d.loading import load_model

FOLDER = Path(__file__).parent / "parity"


def drawn(key, shape):
    values = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    values = values.astype(np.float32)
    if "rel_pos" in key or "pos_embed" in key:
        return 0.3 * values
    prompt = "embed" in key and "patch" not in key
    if "gaussian_matrix" in key or prompt or ("token" in key and "attn" not in key):
        return values
    if len(shape) == 1:
        return 0.1 * values + np.float32(key.endswith("weight"))
    return values / np.float32(math.sqrt(np.prod(shape[1:])))


class Published:
    def __init__(self, preset):
        name = preset.replace("-", "_")
        document = json.loads((FOLDER / f"{name}.json").read_text())
        self.shapes = {key: tuple(shape) for key, shape in document["checkpoint_keys"].items()}
        (self.case,) = document["cases"]
        self.figures = np.load(FOLDER / f"{name}.npz")
        weights = {key: torch.from_numpy(drawn(key, s)) for key, s in self.shapes.items()}
        self.model = load_model(preset, state_dict=weights, device="cpu", precision="float32")
        rng = np.random.default_rng(self.case["seed"])
        image = rng.standard_normal((1, 1, 128, 128, 128)).astype(np.float32)
        self.embedding = self.model.encode(torch.from_numpy(image))


@pytest.fixture(scope="module", params=["fastsam3d", "sam-med3d"])
def published(request):
    return Published(request.param)


def relative_error(got, expected):
    return float(np.linalg.norm(got.numpy() - expected) / np.linalg.norm(expected))


def test_network_has_exactly_the_keys_of_the_checkpoint(published):
    own = {key: tuple(value.shape) for key, value in published.model.state_dict().items()}
    assert own == published.shapes


def test_embedding_is_the_published_one(published):
    assert relative_error(published.embedding[:, :16], published.figures["embedding_0"]) < 1e-5
    assert float(published.embedding.mean()) == pytest.approx(
        published.case["embedding_mean"], abs=1e-6
    )
    assert float(published.embedding.std()) == pytest.approx(
        published.case["embedding_std"], rel=1e-5
    )


def test_masks_and_iou_after_each_click_are_the_published_ones(published):
    previous = torch.zeros(1, 1, 32, 32, 32)
    for number, step in enumerate(published.case["decodes"]):
        logits, iou = published.model.decode(
            published.embedding,
            torch.tensor([step["points"]], dtype=torch.float32),
            torch.tensor([step["labels"]]),
            previous if step["mask_input"] else None,
            multimask=step["multimask_output"],
        )
        assert relative_error(logits, published.figures[f"logits_0_{number}"]) < 1e-5
        assert relative_error(iou, published.figures[f"iou_0_{number}"]) < 1e-5
        best = int(iou[0].argmax())
        previous = logits[:, best : best + 1]
