import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from huggingface_hub import constants

from fastsam3d import download, registry, store
from fastsam3d.config import PRESETS, ModelConfig
from fastsam3d.errors import InputError
from fastsam3d.loading import build

REPO, FILE = "someone/network", "network.pth"
TINY = ModelConfig(attention=("none",), heads=1, shortcut=False, width=8, embedding=48)


class Hub(ThreadingHTTPServer):
    """A Hugging Face of one file, whose connection breaks when a test says so."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Request)
        self.content = content
        self.breaks_after = []
        self.is_down = False
        self.ranges = []
        self.tokens = []

    @property
    def etag(self):
        return hashlib.sha256(self.content).hexdigest()


class Request(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self._head(200, len(self.server.content))

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        if self.server.is_down:
            self.send_error(503)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        body = self.server.content[start:]
        self._head(206 if start else 200, len(body))
        if self.server.breaks_after:
            self.wfile.write(body[: self.server.breaks_after.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def _head(self, status, length):
        self.server.tokens.append(self.headers.get("Authorization"))
        found = self.path == f"/{REPO}/resolve/main/{FILE}"
        self.send_response(status if found else 404)
        self.send_header("ETag", f'"{self.server.etag}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def content(tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "network", TINY)
    torch.save(build(TINY).state_dict(), path := tmp_path / "published.pth")
    return path.read_bytes()


@pytest.fixture
def hub(content, monkeypatch):
    server = Hub(content)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FASTSAM3D_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def publish(monkeypatch, sha256):
    entry = registry.Entry("network", "network", FILE, "none", repo=REPO, sha256=sha256)
    monkeypatch.setattr(registry, "ENTRIES", (entry,))


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock")


def test_file_arrives_whole_and_is_deleted_if_nobody_keeps_it(hub, folder):
    with download.fetched(REPO, FILE, folder) as path:
        assert path.read_bytes() == hub.content
    assert files_in(folder) == []


def test_cut_connection_is_taken_up_where_it_broke(hub, folder):
    hub.breaks_after = [150_000]
    with download.fetched(REPO, FILE, folder) as path:
        assert path.read_bytes() == hub.content
    assert hub.ranges == [None, "bytes=150000-"]


def test_next_run_goes_on_where_the_last_one_broke_off(hub, folder, monkeypatch):
    hub.breaks_after = [150_000]
    monkeypatch.setattr("time.sleep", lambda _: setattr(hub, "is_down", True))
    with pytest.raises(InputError, match=r"0\.1 MB of it are kept: run the command again"):
        download.fetched(REPO, FILE, folder).__enter__()
    hub.is_down, hub.ranges = False, []
    with download.fetched(REPO, FILE, folder) as path:
        assert path.read_bytes() == hub.content
    assert hub.ranges == ["bytes=150000-"]


def test_part_of_another_version_is_not_continued(hub, folder, monkeypatch):
    hub.breaks_after = [150_000]
    monkeypatch.setattr("time.sleep", lambda _: setattr(hub, "is_down", True))
    with pytest.raises(InputError):
        download.fetched(REPO, FILE, folder).__enter__()
    hub.is_down, hub.ranges, hub.content = False, [], hub.content[::-1]
    with download.fetched(REPO, FILE, folder) as path:
        assert path.read_bytes() == hub.content
    assert hub.ranges == [None]


def test_access_token_of_the_user_is_not_sent(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_private")
    with download.fetched(REPO, FILE, folder):
        assert set(hub.tokens) == {None}


def test_server_that_is_not_there_is_told_in_one_line(folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match="Could not download http://127") as caught:
        download.fetched(REPO, FILE, folder).__enter__()
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("hub")
def test_file_that_is_not_on_the_server_is_told(folder):
    with pytest.raises(InputError, match=r"absent\.pth.*404"):
        download.fetched(REPO, "absent.pth", folder).__enter__()


def test_weights_of_a_known_hash_are_installed(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=hub.etag)
    assert store.get("network") == store.path_of("network") == folder / FILE
    assert (folder / FILE).read_bytes() == hub.content
    assert files_in(folder) == [FILE]


def test_installed_weights_are_not_fetched_again(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=hub.etag)
    store.get("network")
    hub.is_down = True
    assert store.get("network") == folder / FILE


def test_wrong_hash_is_refused_and_leaves_nothing(hub, folder, monkeypatch):
    publish(monkeypatch, sha256="0" * 64)
    with pytest.raises(InputError, match=f"SHA256 {hub.etag}, expected was {'0' * 64}"):
        store.get("network")
    assert files_in(folder) == []


def test_unknown_hash_is_refused_before_anything_is_fetched(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=None)
    with pytest.raises(InputError, match="--trust-first-use"):
        store.get("network")
    assert hub.ranges == []
    assert not folder.exists()


def test_hash_that_was_trusted_once_is_held_to_later(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=None)
    store.get("network", trust_first_use=True)
    assert (folder / f"{FILE}.sha256").read_text() == f"{hub.etag}  {FILE}\n"
    store.remove("network")
    hub.content += b"more"
    with pytest.raises(InputError, match="expected was"):
        store.get("network", trust_first_use=True)
    assert files_in(folder) == [f"{FILE}.sha256"]


def test_trusted_file_that_is_no_weights_is_refused_and_not_recorded(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=None)
    hub.content = b"<html>Sign in to go on.</html>"
    with pytest.raises(InputError, match="was refused"):
        store.get("network", trust_first_use=True)
    assert files_in(folder) == []


def test_interrupted_download_is_listed_as_incomplete(hub, folder, monkeypatch):
    publish(monkeypatch, sha256=hub.etag)
    hub.breaks_after = [150_000]
    monkeypatch.setattr("time.sleep", lambda _: setattr(hub, "is_down", True))
    with pytest.raises(InputError, match="are kept"):
        store.get("network")
    assert [row.status for row in store.rows()] == ["incomplete"]
    store.remove("network")
    assert files_in(folder) == []
