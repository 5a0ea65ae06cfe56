import re

import pytest

from fastsam3d import registry, trust
from fastsam3d.errors import InputError


def test_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"'sam'.*fastsam3d-default, sam-med3d, fastsam3d"):
        registry.find("sam")


def test_unknown_preset_is_answered_with_the_known_ones():
    with pytest.raises(InputError, match=r"'vit-h'.*sam-med3d"):
        registry.of_preset("vit-h")


@pytest.mark.parametrize("entry", registry.ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_is_found_and_says_where_it_comes_from(entry):
    assert registry.find(entry.name) is registry.of_preset(entry.preset) is entry
    assert entry.licence
    assert entry.bundled != entry.source.startswith("https://")
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)


def test_bundled_file_has_the_hash_that_the_registry_gives():
    entry = registry.find("fastsam3d-default")
    path = registry.BUNDLED_FOLDER / entry.file
    if not path.is_file():
        pytest.skip(f"{entry.file} is not in this checkout.")
    assert trust.sha256_of(path) == entry.sha256
