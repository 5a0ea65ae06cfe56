"""What a benchmark might have measured: rows and records of every kind, and a folder of them."""

import json
from dataclasses import asdict

import numpy as np

from fastsam3d.benchmark import paper_figures as paper
from fastsam3d.benchmark.ablation import Row
from fastsam3d.benchmark.efficiency import Efficiency
from fastsam3d.benchmark.scored import Scored
from fastsam3d.results import ObjectResult, line_of

MACHINE = "Some CPU; 2 CPUs; torch 9.9"
OURS = "fastsam3d-default 01234567"
METHODS = (OURS, "sam-med3d 89abcdef", "grow-from-seeds", "fast-marching")


def efficiency(device="cpu", factor=10.0, machine=MACHINE):
    """Rows of all systems but ours, in `factor` times the paper's times; one took too long."""
    rows = []
    for key, printed in paper.EFFICIENCY.items():
        for part in ("encoder", "decoder"):
            found = getattr(printed, part)
            ms = None if (key, part) == ("sam", "encoder") else factor * found.ms
            rows.append(
                Efficiency(
                    key, part, device, ms, ms, ms, 0 if ms is None else 7,
                    gflops_published=found.gflops, gflops_exact=2 * found.gflops,
                    peak_mb=None if ms is None else 300 * found.gb, parameters_m=10.0,
                    scaled_from=4 if printed.to_3d is None else None,
                    skipped="took longer than 60 s" if ms is None else "", machine=machine,
                )
            )  # fmt: skip
    return rows


def result(method, n, dice, strategy="centre"):
    """One of two objects of patient n // 2."""
    organ = ("liver", "spleen")[n % 2]
    rising = tuple(float(dice * (1 - 0.6**k)) for k in range(1, 11))
    return ObjectResult(
        method, f"case{n // 2}", f"patient{n // 2}", "ct", "CT", n % 2 + 1, organ, 500, 0,
        strategy, rising, rising, (0.5, *[0.1] * 9), ((1, 2, 3, 1),) * 10,
    )  # fmt: skip


def scored(dataset="dev", strategy="centre", methods=METHODS, patients=24, **more):
    """Results of methods, each 0.1 worse than the one before, but for chance."""
    rng = np.random.default_rng(0)
    results = [
        result(method, n, 0.8 - 0.1 * place + rng.normal(0, 0.02), strategy)
        for place, method in enumerate(methods)
        for n in range(2 * patients)
    ]
    return Scored(dataset, tuple(results), **more)


def form(name, geometry="published", tokens=8, segment=None, dilation=None, ms=50.0, **more):
    return Row(**{
        "form": name, "geometry": geometry, "tokens": tokens, "device": "cpu", "segment": segment,
        "dilation": dilation, "ms_median": ms, "ms_low": ms, "ms_high": ms, "peak_mb": 4 * ms,
        "gflops_published": 21.9, "gflops_exact": 49.5, "machine": MACHINE, **more,
    })  # fmt: skip


def forms(**more):
    """Rows of all forms; sparse ones with several w and r."""
    rows = [form("plain", ms=120.0, **more), form("flash", ms=70.0, **more)]
    for name, base in (("sparse", 90.0), ("sparse+flash", 50.0)):
        rows += [
            form(name, segment=w, dilation=r, ms=base + w / 10 + r, **more)
            for w in (32, 64, 128)
            for r in (1, 2, 4)
        ]
    return rows


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_results(path, one):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(line_of, one.results)))


def write_folder(folder):
    """A folder as the commands leave it."""
    write_lines(folder / "efficiency.jsonl", map(asdict, efficiency()))
    write_lines(folder / "ablation.jsonl", map(asdict, forms()))
    for name, one in (("dev-sound", scored()), ("amos-published", scored("amos", "published"))):
        write_results(folder / "accuracy" / name / "objects.jsonl", one)
