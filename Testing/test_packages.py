import pytest

from harness import packages


def test_nothing_is_skipped_where_nothing_may_be(monkeypatch):
    monkeypatch.setattr(packages, "missing", lambda: ["libegl1", "libgl1"])
    monkeypatch.setenv("CI", "true")
    with pytest.raises(RuntimeError, match=r"apt-get install .* libegl1 libgl1"):
        packages.require()


def test_elsewhere_tests_say_what_they_need(monkeypatch):
    monkeypatch.setattr(packages, "missing", lambda: ["libegl1"])
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"test_packages.py NOT RUN.*libegl1"):
        packages.require()


def test_what_only_helps_is_not_required(monkeypatch):
    monkeypatch.setattr(packages, "missing", lambda: ["libosmesa6"])
    packages.require()


def test_a_python_without_slicers_core_is_told(monkeypatch):
    monkeypatch.setattr(packages, "MODULES", ("slicer_of_tomorrow",))
    monkeypatch.setenv("CI", "true")
    with pytest.raises(RuntimeError, match="slicer_of_tomorrow is missing"):
        packages.require()


def test_a_library_that_is_not_there_is_missed(monkeypatch):
    monkeypatch.setattr(packages, "LIBRARIES", {"libnothing": ("libnothing.so.0",)})
    assert packages.missing.__wrapped__() == ["libnothing"]
