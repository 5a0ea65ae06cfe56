"""The systems of the paper's tables: what they declare, how they are built and loaded."""

import pytest
import torch
from torch.testing import assert_close

from fastsam3d.benchmark.keys import official
from fastsam3d.benchmark.official import fit
from fastsam3d.benchmark.sam import SamNetwork, make_parts
from fastsam3d.benchmark.sam_med2d import build_sam_med2d
from fastsam3d.benchmark.systems import SYSTEMS, find, load
from fastsam3d.errors import InputError

TABLE_1 = {
    "sam": "",
    "mobilesam": "encoder",
    "tinysam": "encoder prompts decoder",
    "medsam": "medical",
    "sam-med2d": "medical",
    "sam-med3d": "medical volumetric",
    "fastsam3d": "medical volumetric encoder prompts decoder",
    "fastsam3d-default": "medical volumetric encoder prompts decoder",
}
"""The paper's, and ours in its last line."""

PARAMETERS = {
    "sam": (89_670_912, 6_220, 4_058_340),
    "medsam": (89_670_912, 6_220, 4_058_340),
    "mobilesam": (5_071_124 + 672_768, 6_220, 4_058_340),
    "tinysam": (5_071_124 + 672_768, 6_220, 4_058_340),
    "sam-med2d": (86_672_640 + 12 * 15_042_048, 6_220, 4_058_340),
}
"""Of image encoder, prompt encoder and mask decoder, as the official networks have them."""


def build_on_meta(system):
    with torch.device("meta"):
        return system.build()


def parameters(part):
    """Count weights, without the random matrix, which is no parameter officially."""
    named = part.named_parameters()
    return sum(value.numel() for key, value in named if "shared_embedding" not in key)


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return SamNetwork(make_parts(64, layers=1, width=48), 64)


@pytest.fixture
def file(small, tmp_path):
    """Return an official file of the small network, with what official files hold besides."""
    state = {official(key): value for key, value in small.state_dict().items()}
    beside = ("pixel_mean", "image_encoder.norm_head.weight", "image_encoder.head.bias")
    torch.save(state | {key: torch.zeros(3) for key in beside}, path := tmp_path / "sam.pth")
    return path


def fitted(path, network):
    return fit(path, network.state_dict(), "MobileSAM", "mobile_sam.pt, https://example.org")


def test_table_1_is_the_papers():
    names = {
        "medical": "medical",
        "volumetric": "volumetric",
        "encoder": "efficient_image_encoder",
        "prompts": "efficient_prompt_encoder",
        "decoder": "efficient_mask_decoder",
    }
    declared = {
        key: " ".join(name for name, field in names.items() if getattr(system.traits, field))
        for key, system in SYSTEMS.items()
    }
    assert declared == TABLE_1


@pytest.mark.parametrize("key", SYSTEMS)
def test_every_system_is_built_without_memory_on_meta(key):
    network = build_on_meta(SYSTEMS[key])
    assert {value.device.type for value in network.parameters()} == {"meta"}
    assert {value.device.type for value in network.buffers()} <= {"meta"}


@pytest.mark.parametrize("key", PARAMETERS)
def test_a_planar_system_has_the_official_number_of_parameters(key):
    network = build_on_meta(SYSTEMS[key])
    parts = (network.image_encoder, network.prompt_encoder, network.mask_decoder)
    assert tuple(parameters(part) for part in parts) == PARAMETERS[key]


@pytest.mark.parametrize("key", PARAMETERS)
def test_a_planar_system_embeds_and_answers_in_its_shapes(key):
    system = SYSTEMS[key]
    with torch.device("meta"), torch.no_grad():
        network = system.build().eval()
        embedding = network.encode(torch.randn(1, 3, system.size, system.size))
        clicks = torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.long)
        previous = torch.zeros(1, 1, network.mask_size, network.mask_size)
        logits, iou = network.decode(embedding, *clicks, previous, multimask=True)
    assert embedding.shape == (1, 256, system.size // 16, system.size // 16)
    assert logits.shape == (1, 3, system.size // 4, system.size // 4)
    assert iou.shape == (1, 3)


def test_sam_med2d_can_do_without_its_adapters():
    with torch.device("meta"):
        plain = build_sam_med2d(adapters=False)
    assert parameters(plain.image_encoder) == 86_672_640


def test_an_unknown_system_is_refused_with_those_there_are():
    with pytest.raises(InputError, match=r"'sam2'; known are sam, mobilesam, .*fastsam3d-default"):
        find("sam2")


def test_random_weights_are_the_callers_seed():
    torch.manual_seed(3)
    first = load(SYSTEMS["mobilesam"])
    torch.manual_seed(3)
    second = load(SYSTEMS["mobilesam"])
    assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)
    assert not first.training
    assert not any(value.requires_grad for value in first.parameters())


def test_a_volumetric_system_is_loaded_as_a_session_takes_it():
    network = load(SYSTEMS["fastsam3d-default"])
    assert network.patch_size == SYSTEMS["fastsam3d-default"].size
    assert not network.training


def test_an_official_file_is_loaded_through_the_official_keys(tmp_path):
    torch.manual_seed(4)
    wanted = load(SYSTEMS["tinysam"])
    state = {official(key): value for key, value in wanted.state_dict().items()}
    torch.save(state, path := tmp_path / "tinysam.pth")
    got = load(SYSTEMS["tinysam"], path)
    assert_close(dict(got.state_dict()), dict(wanted.state_dict()), rtol=0, atol=0)


def test_what_takes_no_part_in_an_answer_is_left_out(file, small):
    assert_close(fitted(file, small), dict(small.state_dict()), rtol=0, atol=0)


def test_sam_med2ds_file_keeps_its_weights_under_model(file, small):
    document = {"model": torch.load(file, weights_only=True), "optimizer": {}, "epoch": 3}
    torch.save(document, file)
    assert_close(fitted(file, small), dict(small.state_dict()), rtol=0, atol=0)


def test_a_file_of_another_system_is_refused_by_its_own_keys(file):
    with torch.device("meta"):
        deeper = SamNetwork(make_parts(64, layers=2, width=48), 64)
    told = (
        r"^sam\.pth does not hold the network of MobileSAM: missing 'image_encoder\.blocks\.1\."
        r".*; the right file is mobile_sam\.pt, https://example\.org\.$"
    )
    with pytest.raises(InputError, match=told):
        fitted(file, deeper)


def test_a_file_with_more_in_it_is_refused(file, small):
    state = torch.load(file, weights_only=True) | {
        "image_encoder.blocks.0.Adapter.x": torch.ones(1)
    }
    torch.save(state, file)
    with pytest.raises(InputError, match=r"unknown 'image_encoder\.blocks\.0\.Adapter\.x'"):
        fitted(file, small)


def test_weights_of_another_shape_are_refused(file):
    with torch.device("meta"):
        larger = SamNetwork(make_parts(128, layers=1, width=48), 128)
    with pytest.raises(InputError, match=r"'image_encoder\.pos_embed' is \(1, 4, 4, 48\), not"):
        fitted(file, larger)


def test_a_missing_file_is_named(tmp_path, small):
    with pytest.raises(InputError, match=r"no file of weights .*absent\.pth"):
        fitted(tmp_path / "absent.pth", small)


def test_a_file_that_is_no_weights_is_refused(tmp_path, small):
    (path := tmp_path / "sam.pth").write_text("<html>not found</html>")
    with pytest.raises(InputError, match=r"sam\.pth was refused: it is truncated, damaged"):
        fitted(path, small)


class Hostile:
    def __reduce__(self):
        return print, ("run",)


def test_a_file_that_asks_to_run_code_is_refused(tmp_path, small, capsys):
    torch.save({"model": {"a": Hostile()}}, path := tmp_path / "sam.pth")
    with pytest.raises(InputError, match=r"asks to run .*print"):
        fitted(path, small)
    assert capsys.readouterr().out == ""
