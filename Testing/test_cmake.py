"""The package of the extension: configured and installed with stand-ins for Slicer's macros."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fastsam3d import registry

ROOT = Path(__file__).parent.parent
STANDINS = Path(__file__).parent / "cmake"
INSTALLED = Path("lib/Slicer-5.12/qt-scripted-modules")
MODULE = ROOT / "FastSAM3DSlicer"
MAX_REPOSITORY_MB = 100
SCHEMA_KEYS = {
    "$schema", "category", "scm_url", "scm_revision", "scm_type", "build_dependencies",
    "build_subdirectory", "enabled", "tier",
}  # fmt: skip
"""All that version 1.0.1 allows."""


def cmake(*arguments):
    command = [sys.executable, "-m", "cmake", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def configured(source, build, **settings):
    return cmake(
        *("-S", source, "-B", build, f"-DSlicer_DIR={STANDINS}"),
        f"-DCMAKE_TOOLCHAIN_FILE={STANDINS / 'toolchain.cmake'}",
        *(f"-D{key}={value}" for key, value in settings.items()),
    )


def records_of(build):
    """Return what the stand-ins wrote down: [[what was called, its arguments ...], ...]."""
    lines = (build / "records.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines]


def files_below(folder):
    """Return the paths of all files below a folder, relative to it; no bytecode, nothing hidden."""
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not re.search(r"(^|/)(__pycache__|\.)", name)}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("build")
    done = configured(ROOT, folder, BUILD_TESTING="ON")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def installed(build, tmp_path_factory):
    """Return the folder that Slicer would look for modules in."""
    prefix = tmp_path_factory.mktemp("installed")
    done = cmake("--install", build, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    assert {path.parts[:3] for path in map(Path, files_below(prefix))} == {INSTALLED.parts}
    return prefix / INSTALLED


@pytest.fixture(scope="module")
def metadata(build):
    """Return what the top CMakeLists.txt says of the extension."""
    return {name: values for name, *values in records_of(build)}


@pytest.fixture(scope="module")
def entry():
    return json.loads((ROOT / "FastSAM3D.json").read_text(encoding="utf-8"))


def package_files():
    return {f"fastsam3d/{name}" for name in files_below(ROOT / "model" / "fastsam3d")}


def module_files():
    return files_below(MODULE) - {"CMakeLists.txt"}


def resources():
    """Return what Slicer shows of Resources: pictures for buttons, the module's icon, the panel."""
    icons = {f"Icons/{path.name}" for path in (ROOT / "Resources" / "Icons").glob("*.png")}
    panels = {f"UI/{path.name}" for path in (ROOT / "Resources" / "UI").glob("*.ui")}
    return {f"Resources/{name}" for name in icons | panels | {"Icons/FastSAM3DSlicer.svg"}}


def test_the_package_with_its_weights_lies_beside_the_module(installed):
    assert package_files() <= files_below(installed)
    assert any(name.endswith(".safetensors") for name in package_files())


def test_every_script_of_the_module_is_installed(installed):
    assert module_files() <= files_below(installed)
    assert "FastSAM3DSlicerLib/__init__.py" in files_below(installed)


def test_icons_and_panels_lie_where_slicer_looks_for_them(installed):
    assert resources() <= files_below(installed)


def test_nothing_else_is_installed(installed):
    expected = package_files() | module_files() | resources() | {"fastsam3d/LICENSE"}
    assert files_below(installed) == expected


def test_no_path_leaves_the_folder_that_is_installed(build):
    calls = [line for line in records_of(build) if line[0] == "slicerMacroBuildScriptedModule"]
    assert len(calls) == 2
    assert not [word for call in calls for word in call if ".." in Path(word).parts]


def test_slicer_takes_no_other_file_for_a_module(installed):
    assert {path.name for path in installed.glob("*.py")} == {"FastSAM3DSlicer.py"}


def test_every_resource_that_the_code_names_is_installed(installed):
    code = "".join(path.read_text(encoding="utf-8") for path in MODULE.rglob("*.py"))
    named = set(re.findall(r"\b((?:Icons|UI)/[\w.-]+\.\w+)", code))
    assert {f"Resources/{name}" for name in named} <= files_below(installed)


def test_resources_are_copied_as_they_are(installed):
    for name in sorted(resources()):
        assert (installed / name).read_bytes() == (ROOT / name).read_bytes(), name


def test_the_installed_package_finds_its_weights_and_their_hash_is_right(
    installed, default_weights
):
    code = (
        "import fastsam3d\n"
        "from fastsam3d.store import path_of\n"
        "print(fastsam3d.__file__)\n"
        "print(path_of('fastsam3d-default'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(installed / "fastsam3d" / "__init__.py"),
        str(installed / "fastsam3d" / "weights" / default_weights.name),
    ]


def test_the_self_test_is_registered(build):
    records = records_of(build)
    assert ["slicer_add_python_unittest", "SCRIPT", "FastSAM3DSlicer.py"] in records
    (module,) = (line for line in records if line[1:3] == ["NAME", "FastSAM3DSlicer"])
    assert module[0] == "slicerMacroBuildScriptedModule"
    assert "WITH_GENERIC_TESTS" in module


def test_without_testing_no_test_is_registered(tmp_path):
    done = configured(ROOT, tmp_path, BUILD_TESTING="OFF")
    assert done.returncode == 0, done.stderr
    assert not any(line[0] == "slicer_add_python_unittest" for line in records_of(tmp_path))


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("NAME M SCRIPTS missing.py", "Nonexistent file"),
        ("NAME M RESOURCES CMakeLists.txt", "SCRIPTS is mandatory"),
        ("SCRIPTS CMakeLists.txt", "NAME is mandatory"),
        ("loose NAME M SCRIPTS CMakeLists.txt", "Unknown keywords"),
    ],
)
def test_the_stand_in_refuses_what_slicer_refuses(tmp_path, call, complaint):
    lines = [
        "cmake_minimum_required(VERSION 3.20.6)",
        "project(Wrong NONE)",
        "find_package(Slicer REQUIRED)",
        "include(${Slicer_USE_FILE})",
        f"slicerMacroBuildScriptedModule({call})",
    ]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines), encoding="utf-8")
    done = configured(tmp_path, tmp_path / "build")
    assert done.returncode != 0
    assert complaint in done.stderr


def test_catalogue_and_cmake_agree(metadata, entry):
    assert metadata["PROJECT_NAME"] == ["FastSAM3D"]
    assert metadata["EXTENSION_DEPENDS"] == entry["build_dependencies"] == ["PyTorch"]
    assert metadata["EXTENSION_HOMEPAGE"] == [entry["scm_url"]]
    assert "generate_config" in metadata


def test_the_catalogue_entry_keeps_its_schema(entry):
    assert {"$schema", "category", "scm_url"} <= set(entry) <= SCHEMA_KEYS
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert entry["category"] == "Segmentation"
    assert entry["tier"] in {1, 3, 5}
    assert urlsplit(entry["scm_url"]).path.split("/")[-1] == "SlicerFastSAM3D"


def test_pictures_of_the_catalogue_are_files_of_the_repository(metadata, entry):
    owner = entry["scm_url"].removeprefix("https://github.com/")
    start = f"https://raw.githubusercontent.com/{owner}/{entry['scm_revision']}/"
    (icon,) = metadata["EXTENSION_ICONURL"]
    for url in [icon, *metadata["EXTENSION_SCREENSHOTURLS"][0].split()]:
        assert url.startswith(start)
        assert (ROOT / url.removeprefix(start)).is_file(), url
    assert icon.endswith("/Resources/Icons/FastSAM3DSlicer.png")


def test_catalogue_values_are_written_out_for_those_who_only_read_the_file():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    for key in ("HOMEPAGE", "ICONURL", "SCREENSHOTURLS"):
        assert re.search(rf'set\(EXTENSION_{key} "https://[^"$]+"\)', text)
    assert re.search(r"^## NEXT_MODULE$", text, re.MULTILINE)


def test_the_description_is_short_and_claims_nothing_clinical(metadata):
    (description,) = metadata["EXTENSION_DESCRIPTION"]
    assert len(re.findall(r"[.:!?](?:\s|$)", description)) <= 3
    assert "not a medical device" in description


def test_licence_and_weights_are_as_the_readme_says(installed):
    licence = (installed / "fastsam3d" / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in licence
    assert (installed / "fastsam3d" / "weights" / "README.md").is_file()
    assert registry.find("fastsam3d-default").licence == "Apache-2.0"


def test_the_repository_with_its_history_is_small_enough_for_the_index():
    command = ["git", "-C", str(ROOT), "count-objects", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("Not a git checkout: its history cannot be weighed.")
    sizes_kib = dict(line.split(": ") for line in done.stdout.splitlines())
    packed_mb = (int(sizes_kib["size"]) + int(sizes_kib["size-pack"])) * 1024 / 1e6
    assert packed_mb <= MAX_REPOSITORY_MB
