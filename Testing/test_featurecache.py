import pytest
import torch
from safetensors import safe_open
from torch.testing import assert_close

from distilling import STUDENT, TEACHER, drawn, network, randoms, teacher
from fastsam3d.errors import InputError
from fastsam3d.featurecache import IMAGES, SUMS, FeatureCache, WithFeatures
from fastsam3d.packing import save_weights
from fastsam3d.progressive import FeatureTask
from fastsam3d.task import Moment

EXAMPLES = drawn(3)


@pytest.fixture
def guide():
    return teacher(TEACHER)


@pytest.fixture
def cache(guide, tmp_path):
    return FeatureCache(tmp_path / "features", guide, 3, shard=2)


def test_cached_features_give_the_loss_of_those_on_the_fly(guide, cache):
    list(cache.fill(EXAMPLES))
    featured = WithFeatures(EXAMPLES, cache)
    assert len(featured) == 3
    task = FeatureTask(network(STUDENT), guide, variety="none")
    on_the_fly = task(EXAMPLES, randoms(3), Moment(1, 1))
    guide.outputs = lambda images: pytest.fail("The teacher was asked.")
    cached = task([featured[n] for n in range(3)], randoms(3), Moment(1, 1))
    assert_close(cached, on_the_fly, rtol=1e-4, atol=1e-3)


def test_cached_patches_are_shown_as_they_are_whatever_the_variety(guide, cache):
    list(cache.fill(EXAMPLES))
    featured = WithFeatures(EXAMPLES, cache)[1]
    losses = [
        FeatureTask(network(STUDENT), guide, variety=how)([featured], randoms(1), Moment(1, 1))
        for how in ("none", "all")
    ]
    assert_close(*losses, rtol=0, atol=0)


def test_features_are_half_precision_in_files_of_a_few(cache):
    assert list(cache.fill(EXAMPLES)) == [2, 3]
    names = sorted(path.name for path in cache.folder.iterdir())
    assert names == ["features-00000.safetensors", "features-00001.safetensors", "index.json"]
    features = cache.read(0, EXAMPLES[0]).features
    assert [(f.dtype, tuple(f.shape)) for f in features] == [(torch.float16, (8, 8, 8, 16))] * 3


def test_interrupted_filling_goes_on_where_it_was(guide, cache):
    assert next(iter(cache.fill(EXAMPLES))) == 2
    assert not cache.is_full(3)
    asked = []
    real = guide.outputs
    guide.outputs = lambda images: asked.append(len(images)) or real(images)
    again = FeatureCache(cache.folder, guide, 3, shard=2)
    assert list(again.fill(EXAMPLES)) == [2, 3]
    assert asked == [1]
    assert again.is_full(3)
    assert not again.is_full(5)


def test_more_examples_complete_the_last_file(cache):
    list(cache.fill(EXAMPLES[:1]))
    list(cache.fill(EXAMPLES))
    assert cache.is_full(3)
    assert cache.read(1, EXAMPLES[1]).features[0].any()


@pytest.mark.parametrize("other", ["teacher", "depth"])
def test_cache_of_another_teacher_or_student_is_refused(cache, other):
    seed, layers = (2, 3) if other == "teacher" else (1, 2)
    with pytest.raises(InputError, match="another teacher or for another student"):
        FeatureCache(cache.folder, teacher(TEACHER, seed), layers, shard=2)


def test_features_of_other_examples_are_refused(cache):
    list(cache.fill(EXAMPLES))
    with pytest.raises(InputError, match="other examples"):
        cache.read(0, EXAMPLES[1])
    with pytest.raises(InputError, match="lacks the features of example 7"):
        cache.read(7, EXAMPLES[1])


def test_filling_with_other_examples_is_refused(cache):
    list(cache.fill(EXAMPLES))
    with pytest.raises(InputError, match="other examples"):
        list(cache.fill(EXAMPLES[::-1]))


def changed(path, place):
    """Flip a bit of a byte, counted from the end."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_features_that_have_changed_are_not_learnt_from(cache):
    list(cache.fill(EXAMPLES[:1]))
    path = cache.folder / "features-00000.safetensors"
    with safe_open(path, "pt") as file:
        names = list(file.keys())
    assert set(names) == {"features", IMAGES, SUMS}
    changed(path, path.stat().st_size // 2)
    with pytest.raises(InputError, match="has changed; delete it"):
        cache.read(0, EXAMPLES[0])


def test_files_of_another_teacher_are_told_without_the_index(guide, cache):
    list(cache.fill(EXAMPLES))
    (cache.folder / "index.json").unlink()
    other = FeatureCache(cache.folder, teacher(TEACHER, 2), 3, shard=2)
    for use in (lambda: other.read(0, EXAMPLES[0]), lambda: list(other.fill(EXAMPLES))):
        with pytest.raises(InputError, match="another teacher"):
            use()


@pytest.mark.parametrize("kind", ["folder", "other tensors"])
def test_file_that_is_a_folder_or_holds_other_tensors_is_told(cache, kind):
    path = cache.folder / "features-00000.safetensors"
    if kind == "folder":
        path.mkdir()
    else:
        save_weights(path, {"weight": torch.ones(2)})
    uses = (
        lambda: cache.read(0, EXAMPLES[0]),
        lambda: list(cache.fill(EXAMPLES[:1])),
        lambda: cache.is_full(1),
    )
    for use in uses:
        with pytest.raises(InputError, match="damaged"):
            use()


def test_damaged_cache_is_told(guide, cache):
    list(cache.fill(EXAMPLES))
    (cache.folder / "features-00001.safetensors").write_bytes(b"hello")
    with pytest.raises(InputError, match="damaged"):
        cache.is_full(3)
    (cache.folder / "index.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        FeatureCache(cache.folder, guide, 3, shard=2)


def test_features_beyond_half_precision_are_told(guide, cache):
    with torch.no_grad():
        guide.network.image_encoder.pos_embed.fill_(1e6)
    with pytest.raises(InputError, match="leave the cache out"):
        list(cache.fill(EXAMPLES))
    assert [path.name for path in cache.folder.iterdir()] == ["index.json"]


def test_hash_knows_weights_and_configuration(guide):
    assert guide.sha256() == teacher(TEACHER).sha256()
    assert guide.sha256() != teacher(TEACHER, seed=2).sha256()
    assert guide.sha256() != teacher(STUDENT).sha256()
