"""Fetches one file from Hugging Face, and goes on where an earlier attempt broke off."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata


@contextmanager
def fetched(repo: str, file: str, folder: Path) -> Iterator[Path]:
    """Download a file, and lend it: what the caller does not move away is deleted.

    `huggingface_hub` does the transfer, with its progress bar, and asks `HF_ENDPOINT` if that is
    set. Its own cache no longer continues a broken download in a later run, so the part that has
    arrived is kept here. No access token is sent.

    Args:
        repo: owner/name on Hugging Face.
        file: the file's name there.
        folder: for the part that has arrived; one process at a time fetches a file into it.

    Raises:
        InputError: the server cannot be reached, or broke off.
    """
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(folder / f"{file}.lock"):
        path = _fetch(repo, file, folder)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def parts(file: str, folder: Path) -> list[Path]:
    """List what has arrived of a file."""
    return sorted(folder.glob(f"part-*-{file}"))


def _fetch(repo: str, file: str, folder: Path) -> Path:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repo, file, endpoint=_endpoint())
    try:
        remote = get_hf_file_metadata(url, token=False)
        path = _part(file, folder, remote)
        _transfer(remote, file, path)
    except Exception as error:  # which ones depends on the release of huggingface_hub
        kept_mb = sum(part.stat().st_size for part in parts(file, folder)) / 1e6
        raise InputError(
            f"Could not download {url} ({_first_line(error)}); {kept_mb:.1f} MB of it are kept: "
            "run the command again to go on, or import a file that you have."
        ) from error
    return path


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or None


def _part(file: str, folder: Path, remote: "HfFileMetadata") -> Path:
    """Name the part of exactly this version of the file, and delete those of others."""
    version = hashlib.sha256(f"{remote.etag} {remote.size}".encode()).hexdigest()[:16]
    path = folder / f"part-{version}-{file}"
    for other in parts(file, folder):
        if other != path or remote.etag is None:
            other.unlink()
    return path


def _transfer(remote: "HfFileMetadata", file: str, path: Path) -> None:
    from huggingface_hub.file_download import http_get

    with path.open("ab") as stream:
        http_get(
            remote.location,
            stream,
            resume_size=stream.tell(),
            headers={"Accept-Encoding": "identity"},
            expected_size=remote.size,
            displayed_filename=file,
        )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
