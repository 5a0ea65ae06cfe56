"""Fixtures of a panel whose network may be slow or break, for `globals().update(FIXTURES)`."""

from typing import Any

from . import fastsam, fixtures

FIXTURES: dict[str, Any] = {
    "application": fixtures.application,
    "scene": fixtures.scene,
    "views": fixtures.views,
    "volume": fixtures.volume,
    "module": fastsam.module,
    "network": fastsam.moody_network,
    "slow": fastsam.slow,
    "during": fastsam.during,
    "widget": fastsam.widget,
    "red": fastsam.red,
    "panel": fastsam.panel,
    "clicking": fastsam.clicking,
}
