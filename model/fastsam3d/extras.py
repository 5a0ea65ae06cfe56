"""How to get the packages that only some commands need."""


def how_to_get(extra: str) -> str:
    """Say how an extra of the package is installed, from an index and in a checkout."""
    return f"pip install 'fastsam3d[{extra}]', or in a checkout: pip install -e '.[{extra}]'"
