import sys

import pytest

from fastsam3d.classical import GrowFromSeeds
from fastsam3d.errors import InputError
from fastsam3d.extras import how_to_get


def test_an_extra_is_installed_from_an_index_or_in_a_checkout():
    assert how_to_get("compare") == (
        "pip install 'fastsam3d[compare]', or in a checkout: pip install -e '.[compare]'"
    )


def test_grow_from_seeds_says_both_ways(monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(InputError) as told:
        GrowFromSeeds()
    assert str(told.value).endswith(f"; run: {how_to_get('compare')}.")
