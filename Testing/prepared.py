"""What lies in a prepared folder, and a hand that changes it."""


def hashes(manifest):
    """Return the two hashes of each line of a manifest, after their names."""
    return [line.split(",")[-2:] for line in manifest.read_text().splitlines()]


def times(out):
    """Return when each prepared volume was written."""
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*.nii.gz")}


def records(out):
    """Return what is recorded as done, without what is only half written."""
    found = out.glob(".prepared/*.record.json")
    return [path for path in found if not path.name.startswith(".")]


def edit(path, old, new):
    """Replace a text in a file, which has to be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
