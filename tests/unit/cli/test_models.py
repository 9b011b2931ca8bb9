"""``isocenter models``: what is listed and shown, and what is fetched and refused."""

from __future__ import annotations

import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isocenter.assessors._asked import model_of
from isocenter.assessors.hysnet import Assessor
from isocenter.cli._app import run
from isocenter.data import public_weights
from isocenter.data.checkpoint import Checkpoint
from isocenter.data.phantom import head_phantom
from isocenter.data.preprocess import Patches
from isocenter.data.public_weights import PUBLIC, find, path_of
from isocenter.errors import BadCheckpoint
from isocenter.nets.hysnet import Config, build

CONTENT = b"not weights, but bytes"
RIGHT = hashlib.sha256(CONTENT).hexdigest()
Read = Callable[[], tuple[str, str]]


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ISOCENTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "given.safetensors"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def address(given: Path, socket_enabled: None) -> Iterator[str]:
    """Of the given file on a server of this machine."""
    handler = partial(Quiet, directory=str(given.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/{given.name}"
        running.shutdown()
        thread.join()


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Read:
    return lambda: tuple(capsys.readouterr())  # type: ignore[return-value]


def test_the_list_names_what_ships_and_what_can_be_fetched(said: Read) -> None:
    assert run(["models", "list"]) == 0
    lines = said()[0].splitlines()
    where = {line.split()[0]: line.split()[1] for line in lines[1:]}
    assert where["hsfnet"] == "shipped"
    assert {entry.name for entry in PUBLIC} <= {n for n, w in where.items() if w == "to"}
    path_of("resnet18").parent.mkdir(parents=True)
    path_of("resnet18").write_bytes(CONTENT)
    run(["models", "list"])
    assert "resnet18             fetched" in said()[0]


def test_a_card_is_shown_in_words(said: Read) -> None:
    assert run(["models", "show", "hsfnet"]) == 0
    out = said()[0]
    assert out.startswith("hsfnet: artifact type, level and quality")
    assert "  licence     Apache-2.0" in out
    assert "test: 11; train: 29" in out
    assert "SROCC(Q, SSIM), all: 0." in out
    assert "{" not in out


def test_public_weights_are_shown_with_home_and_licence(said: Read) -> None:
    assert run(["models", "show", "resnet18"]) == 0
    out = said()[0]
    assert "https://huggingface.co/timm/resnet18.tv_in1k" in out
    assert "not known here; its home page has it" in out
    assert "not fetched" in out


def test_weights_of_no_known_hash_are_never_fetched_silently(home: Path, said: Read) -> None:
    """Sockets are blocked here: a download would fail otherwise than by what is asserted."""
    assert run(["models", "get", "resnet18"]) == 2
    out = said()[0]
    assert "nothing was fetched" in out
    assert "https://huggingface.co/timm/resnet18.tv_in1k" in out
    assert "isocenter models get resnet18 --sha256 HASH --from FILE" in out
    assert not home.exists()


def test_an_address_and_its_hash_are_enough(address: str, home: Path, said: Read) -> None:
    words = ["models", "get", "resnet18", "--sha256", RIGHT, "--from", address]
    assert run(words) == 0
    assert "SHA-256 is right" in said()[0]
    assert find("resnet18").read_bytes() == CONTENT
    assert home in find("resnet18").parents
    assert run(["models", "get", "resnet18", "--sha256", RIGHT]) == 0
    assert "already there" in said()[0]


def test_a_catalogue_that_knows_the_hash_needs_only_the_name(
    address: str, monkeypatch: pytest.MonkeyPatch, said: Read
) -> None:
    import dataclasses

    known = dataclasses.replace(PUBLIC[0], address=address, sha256=RIGHT)
    monkeypatch.setattr(public_weights, "PUBLIC", (known,))
    assert run(["models", "get", known.name]) == 0
    assert path_of(known.name).read_bytes() == CONTENT
    assert run(["models", "get", known.name, "--sha256", "0" * 64]) == 2
    assert f"has SHA-256 {RIGHT}; --sha256 gives another" in said()[1]


def test_another_file_than_was_meant_is_refused(given: Path, home: Path, said: Read) -> None:
    words = ["models", "get", "resnet18", "--sha256", "0" * 64, "--from", str(given)]
    assert run(words) == 5
    assert "nothing was kept" in said()[1]
    assert not list(home.rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list", "resnet18"], "'list' takes no name"),
        (["show"], "'show' takes a NAME"),
        (["show", "resnet19"], "no model 'resnet19'; did you mean 'resnet18'?"),
        (["get", "resnet19"], "no public weights 'resnet19'; did you mean 'resnet18'?"),
        (["get", "hsfnet"], "hsfnet ships with isocenter"),
        (["show", "hsfnet", "--sha256", RIGHT], "go with 'get' alone"),
    ],
)
def test_wrong_words_are_one_sentence(words: list[str], sentence: str, said: Read) -> None:
    assert run(["models", *words]) == 2
    assert sentence in said()[1]


def test_the_folder_is_the_platform_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ISOCENTER_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert public_weights.folder() == tmp_path / "xdg" / "isocenter" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert public_weights.folder() == tmp_path / ".cache" / "isocenter" / "models"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert public_weights.folder() == tmp_path / "Library" / "Caches" / "isocenter" / "models"


def test_a_file_is_found_by_path_or_by_name(given: Path) -> None:
    assert find(str(given)) == given
    with pytest.raises(BadCheckpoint, match="`isocenter models get resnet18` fetches it"):
        find("resnet18")


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    """A run's folder with a small HyS-Net."""
    config = Config(width=4, head=(4, 1), branch=(4, 4))
    made = Checkpoint(
        net="hysnet",
        config=asdict(config),
        preprocess=Patches(side=16, stride=16).to_json(),
        outputs={"snr": {"of": "snr_total", "better": "higher", "unit": None}},
        calibration={},
        card={"name": "mine", "task": "SNR of my scans", "seed": 7},
        tensors=build(config, seed=7).state_dict(),
    )
    (tmp_path / "run").mkdir()
    made.save(tmp_path / "run/model.safetensors")
    return tmp_path / "run"


def test_an_exported_model_says_the_same_as_the_run(
    finished: Path, tmp_path: Path, said: Read
) -> None:
    to = tmp_path / "mine"
    assert run(["models", "export", str(finished), str(to)]) == 0
    assert f"--model {to}" in said()[0]
    card = (to / "README.md").read_text()
    assert card.startswith("# mine\n")
    assert "SNR of my scans" in card
    for line in (to / "SHA256SUMS").read_text().splitlines():
        told, name = line.split("  ")
        assert hashlib.sha256((to / name).read_bytes()).hexdigest() == told
    scan = head_phantom((24, 24, 24))
    models = [model_of(str(folder), "cpu") for folder in (finished, to)]
    estimates = [model.judge(scan).snr for model in models if isinstance(model, Assessor)]
    assert len(estimates) == 2
    assert estimates[0] == estimates[1]


def test_an_export_needs_a_finished_run_and_a_new_folder(
    finished: Path, tmp_path: Path, said: Read
) -> None:
    assert run(["models", "export", str(tmp_path), str(tmp_path / "mine")]) == 4
    assert "has ended" in said()[1]
    assert run(["models", "export", str(finished), str(finished)]) == 2
    assert "not empty" in said()[1]
    assert run(["models", "export", str(finished)]) == 2
    assert run(["models", "show", "hsfnet", str(tmp_path / "mine")]) == 2
    assert not (tmp_path / "mine").exists()


def test_a_damaged_model_is_not_exported(finished: Path, tmp_path: Path, said: Read) -> None:
    file = finished / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8] + b"12345678")
    assert run(["models", "export", str(finished), str(tmp_path / "mine")]) == 5
    assert "do not match their checksum" in said()[1]
    assert not (tmp_path / "mine").exists()
