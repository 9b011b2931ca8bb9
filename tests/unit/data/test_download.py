"""Files from a real server of this machine: kept whole and right, or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isocenter.data.download import fetch
from isocenter.errors import BadCheckpoint, ResourceError, UsageError

CONTENT = bytes(range(256)) * 9000
"""More than two chunks."""
RIGHT = hashlib.sha256(CONTENT).hexdigest()


class Answers(BaseHTTPRequestHandler):
    """``/right``, ``/moved`` to it, ``/half`` of it, nothing else."""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/right")
            self.end_headers()
            return
        if self.path not in ("/right", "/half"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: len(CONTENT) // (2 if self.path == "/half" else 1)])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(socket_enabled: None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("name", ["right", "moved"])
def test_a_file_comes_whole(server: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "weights.safetensors"
    assert fetch(f"{server}/{name}", path, sha256=RIGHT.upper()) == path
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_another_hash_keeps_nothing_and_leaves_what_was_there(server: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(BadCheckpoint, match=f"has SHA-256 {RIGHT}, not {'0' * 64}: nothing was"):
        fetch(f"{server}/right", path, sha256="0" * 64)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nothing", "404"), ("half", f"{len(CONTENT) // 2} of {len(CONTENT)} bytes|more expected")],
)
def test_what_does_not_come_is_one_sentence(
    server: str, name: str, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ResourceError, match=reason):
        fetch(f"{server}/{name}", tmp_path / "w", sha256=RIGHT)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(server: str, tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="cannot fetch .* by hand and give the file"):
        fetch("http://127.0.0.1:9/right", tmp_path / "w", sha256=RIGHT)


def test_a_file_of_this_machine_needs_no_network(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(CONTENT)
    assert fetch(str(given), tmp_path / "kept", sha256=RIGHT).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("source", "sha256", "error", "words"),
    [
        ("nowhere.safetensors", RIGHT, ResourceError, "cannot read nowhere.safetensors"),
        ("ftp://host/file", RIGHT, UsageError, "give an address with http or https"),
        ("file:///etc/hostname", RIGHT, UsageError, "give an address with http or https"),
        ("x", RIGHT[:-1], UsageError, "no SHA-256: give its 64"),
        ("x", "g" * 64, UsageError, "no SHA-256: give its 64"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    source: str, sha256: str, error: type[Exception], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        fetch(source, tmp_path / "w", sha256=sha256)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_bytes(CONTENT)
    with pytest.raises(ResourceError, match="set ISOCENTER_HOME"):
        fetch(str(given), given / "below" / "kept", sha256=RIGHT)
