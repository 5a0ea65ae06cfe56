import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fastsam3d import registry, store
from fastsam3d.config import PRESETS, ModelConfig
from fastsam3d.errors import InputError
from fastsam3d.loading import build


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


TINY = ModelConfig(attention=("none",), heads=1, shortcut=False, width=8, embedding=48)
"""A published network in small."""


@pytest.fixture
def state(monkeypatch):
    """Return the weights of the network that is published."""
    monkeypatch.setitem(PRESETS, "network", TINY)
    return build(TINY).state_dict()


@pytest.fixture
def weights(tmp_path, state):
    torch.save(state, path := tmp_path / "from_a_stick.pth")
    return path


@pytest.fixture
def known(weights, monkeypatch):
    """Publish the weights with their hash."""
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    publish(monkeypatch, sha256=sha256)


@pytest.fixture
def unknown(monkeypatch):
    """Publish weights of which no hash is known."""
    publish(monkeypatch, sha256=None)


def publish(monkeypatch, sha256):
    entry = registry.Entry("network", "network", "network.pth", "free", "some/one", 402, sha256)
    monkeypatch.setattr(registry, "ENTRIES", (entry,))


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("known")
def test_imported_file_is_copied_and_found(folder, weights):
    assert store.import_file("network", weights) == store.path_of("network")
    assert (folder / "network.pth").read_bytes() == weights.read_bytes()
    assert files_in(folder) == ["network.pth"]


@pytest.mark.usefixtures("known")
def test_import_of_another_file_is_refused_and_leaves_nothing(folder, weights):
    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"SHA256.*expected.*get it from https://.*some/one"):
        store.import_file("network", weights)
    assert files_in(folder) == []


@pytest.mark.usefixtures("unknown")
def test_import_without_a_known_hash_needs_trust(folder, weights):
    with pytest.raises(InputError, match="--trust-first-use"):
        store.import_file("network", weights)
    assert not folder.exists()
    store.import_file("network", weights, trust_first_use=True)
    assert store.path_of("network").is_file()


@pytest.mark.usefixtures("unknown")
def test_weights_of_another_network_are_not_imported(folder, tmp_path):
    torch.save({"layer1.weight": torch.zeros(3)}, path := tmp_path / "resnet.pth")
    with pytest.raises(InputError, match=r"'layer1\.weight'"):
        store.import_file("network", path, trust_first_use=True)
    assert files_in(folder) == []


def encoder_of(state):
    inside = [key for key in state if key.startswith("image_encoder.")]
    return {key.removeprefix("image_encoder."): state[key] for key in inside}


FORMS = {
    "whole, under its key": lambda state: {"model_state_dict": state, "epoch": 3},
    "whole, plain": lambda state: state,
    "encoder alone": encoder_of,
    "encoder alone, under its key": lambda state: {"model_state_dict": encoder_of(state)},
}


@pytest.mark.usefixtures("unknown", "folder")
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_published_form_is_imported(state, tmp_path, form):
    torch.save(form(state), path := tmp_path / "from_a_stick.pth")
    assert store.import_file("network", path, trust_first_use=True).read_bytes()


MISFITS = {
    "missing": (lambda state, key: state.pop(key), "missing '{key}'"),
    "unknown": (
        lambda state, key: state.update({key + ".more": state[key]}),
        "unknown '{key}.more'",
    ),
    "another shape": (
        lambda state, key: state.update({key: state[key][None]}),
        "of another shape '{key}' is",
    ),
}
KEYS = {"whole": "mask_decoder.iou_token.weight", "encoder alone": "neck.0.weight"}


@pytest.mark.usefixtures("unknown")
@pytest.mark.parametrize(("spoil", "told"), MISFITS.values(), ids=MISFITS)
@pytest.mark.parametrize(("form", "key"), KEYS.items(), ids=KEYS)
def test_import_that_does_not_fit_is_refused_by_key_and_leaves_nothing(
    folder, state, tmp_path, spoil, told, form, key
):
    state = encoder_of(state) if form == "encoder alone" else dict(state)
    spoil(state, key)
    torch.save(state, path := tmp_path / "from_a_stick.pth")
    with pytest.raises(InputError, match=r"^network\.pth does not hold") as caught:
        store.import_file("network", path, trust_first_use=True)
    assert told.format(key=key) in str(caught.value)
    assert files_in(folder) == []


@pytest.mark.usefixtures("unknown")
def test_an_import_that_misses_much_names_some_of_it(folder, state, tmp_path):
    first = "image_encoder.patch_embed.proj.weight"
    torch.save({first: state[first]}, path := tmp_path / "from_a_stick.pth")
    with pytest.raises(InputError, match=r"missing '.*', '.*', '.*' and \d+ more; choose the file"):
        store.import_file("network", path, trust_first_use=True)
    assert files_in(folder) == []


@pytest.mark.usefixtures("unknown")
def test_file_put_into_the_folder_by_hand_is_used_only_once_trusted(folder, weights):
    folder.mkdir()
    path = weights.rename(folder / "network.pth")
    assert store.rows()[0].status == "not trusted"
    with pytest.raises(InputError, match=r"no hash on record.*weights import network"):
        store.path_of("network")
    assert store.import_file("network", path, trust_first_use=True) == store.path_of("network")


@pytest.mark.usefixtures("known")
def test_weights_that_changed_since_are_not_used(folder, weights):
    store.import_file("network", weights)
    with (folder / "network.pth").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(InputError, match=r"`fastsam3d weights remove network`"):
        store.path_of("network")


@pytest.mark.usefixtures("known", "folder")
def test_missing_weights_name_the_command_that_gets_them():
    with pytest.raises(InputError, match=r"run `fastsam3d weights get network`\."):
        store.path_of("network")


@pytest.mark.usefixtures("unknown", "folder")
def test_missing_weights_without_a_hash_name_the_flag_too():
    with pytest.raises(InputError, match="`fastsam3d weights get network --trust-first-use`"):
        store.path_of("network")


@pytest.mark.usefixtures("known")
def test_removed_weights_are_gone_and_cannot_be_removed_twice(folder, weights):
    store.import_file("network", weights)
    store.remove("network")
    assert files_in(folder) == []
    with pytest.raises(InputError, match="not installed"):
        store.remove("network")


@pytest.mark.usefixtures("known")
def test_rows_say_what_is_installed_and_where(folder, weights):
    missing = store.Row("network", "https://huggingface.co/some/one", "free", 402, None, "missing")
    assert store.rows() == [missing]
    store.import_file("network", weights)
    (row,) = store.rows()
    assert (row.status, row.path) == ("installed", folder / "network.pth")
    assert row.size_mb == weights.stat().st_size / 1e6


@pytest.mark.usefixtures("known", "folder")
def test_import_of_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        store.import_file("network", tmp_path / "absent.pth")


@pytest.mark.usefixtures("known")
def test_folder_that_cannot_be_made_is_told(folder, weights):
    folder.write_text("a file in its place")
    with pytest.raises(InputError, match="set FASTSAM3D_WEIGHTS to another folder"):
        store.import_file("network", weights)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("change", [store.remove, lambda name: store.import_file(name, Path())])
def test_weights_of_the_package_are_not_changed(change):
    with pytest.raises(InputError, match="comes with the package"):
        change("fastsam3d-default")


def test_default_that_is_missing_from_the_package_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "BUNDLED_FOLDER", tmp_path)
    with pytest.raises(InputError, match="install the package again"):
        store.get("fastsam3d-default")


def test_default_that_changed_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "BUNDLED_FOLDER", tmp_path)
    entry = registry.Entry("own", "own", "own.safetensors", "Apache-2.0", sha256="0" * 64)
    monkeypatch.setattr(registry, "ENTRIES", (entry,))
    (tmp_path / "own.safetensors").write_bytes(b"changed")
    with pytest.raises(InputError, match="install the package again"):
        store.path_of("own")


def test_folder_is_the_users_own_unless_another_is_set(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert store.folder() == tmp_path / "fastsam3d" / "weights"


def test_listing_weights_imports_neither_torch_nor_the_hub():
    code = (
        "import sys; from fastsam3d import store; store.rows();"
        "print({'torch', 'huggingface_hub'} & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(store.__file__).parents[1])}
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "set()"
