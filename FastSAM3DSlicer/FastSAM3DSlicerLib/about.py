"""What Slicer says of the module: in its list of modules, and in the help above the panel."""

from typing import Any

from slicer import i18n

from .language import tr as _


def describe(parent: Any) -> None:
    """Fill in a module's description."""
    parent.title = _("FastSAM3D")
    parent.categories = [i18n.translate("qSlicerAbstractCoreModule", "Segmentation")]
    parent.dependencies = ["Markups", "Segmentations"]
    parent.contributors = [_("The FastSAM3D contributors")]
    parent.helpText = _(
        "Segment organs and lesions by clicking on them: press <b>Include</b> and click on the "
        "object in a slice view. The mask appears at once; further clicks mend it. Points can be "
        "dragged and deleted. Nothing leaves this computer. For research; not a medical device."
    )
    parent.acknowledgementText = _(
        "After Shen et al., FastSAM3D, MICCAI 2024; an independent implementation with weights of "
        "its own."
    )
