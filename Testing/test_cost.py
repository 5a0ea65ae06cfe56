import os

import torch

from distilling import STUDENT, network
from fastsam3d.cost import encoder_cost, machine
from fastsam3d.trial import ready


def test_cost_counts_the_parameters_and_the_largest_memory(capfd):
    student = network(STUDENT)
    cost = encoder_cost(ready(student, torch.device("cpu")))
    assert cost.parameters == sum(value.numel() for value in student.parameters())
    encoder = student.image_encoder.parameters()
    assert cost.encoder_parameters == sum(value.numel() for value in encoder)
    assert cost.milliseconds > 0
    stem_mb = STUDENT.fine * 32**3 * 4 / 1e6
    assert stem_mb < cost.peak_mb < 200
    assert capfd.readouterr().err == ""


def test_machine_names_its_processor_and_versions():
    text = machine()
    assert f"torch {torch.__version__}" in text
    assert f"{os.cpu_count()} CPUs" in text
