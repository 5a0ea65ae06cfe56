"""The fixtures of most tests on the panel: `import *`, once `packages.require()` was called."""

from . import fastsam, fixtures, scripted

__all__ = [
    "application", "clicking", "module", "network", "panel", "red", "scene", "views", "volume",
    "widget",
]  # fmt: skip

scripted.provide_translation()

application, scene, views = fixtures.application, fixtures.scene, fixtures.views
volume, network, module = fixtures.volume, fastsam.network, fastsam.module
widget, red, panel, clicking = fastsam.widget, fastsam.red, fastsam.panel, fastsam.clicking
