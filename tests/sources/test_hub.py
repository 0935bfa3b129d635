"""python -m pytest tests/test_hub.py

The hub is a small server on this machine that answers as the real one does, asked by the real client.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from distill.errors import NotFetchedError
from distill.sources import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CARD = b"---\nlicense: apache-2.0\n---\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def snapshot(cache: Path, repo: str, files: dict[str, bytes], branch: str = "main") -> Path:
    """A repository as the hub's client leaves it."""
    folder = cache / repo
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / branch).write_text(COMMIT)
    path = folder / "snapshots" / COMMIT
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


MODEL: dict[str, bytes] = {"config.json": b"{}", "model.safetensors": b"weights", "README.md": CARD}


@pytest.mark.parametrize("ref", ["org/name", "org/name@main", f"org/name@{COMMIT}"])
def test_a_cached_model(ref: str, cache: Path) -> None:
    path = snapshot(cache, "models--org--name", MODEL)
    found = hub.cached(ref, "model")
    assert (found.path.resolve(), found.revision) == (path.resolve(), COMMIT)
    assert (found.origin, found.terms) == (f"org/name@{COMMIT}", ("apache-2.0",))


def test_a_model_is_not_a_data_set(cache: Path) -> None:
    snapshot(cache, "datasets--org--name", {"train.jsonl": b"{}"})
    assert hub.cached("org/name", "data").revision == COMMIT
    with pytest.raises(NotFetchedError):
        hub.cached("org/name", "model")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"config.json": b"{}"}, "it has no weights"),
        (
            {
                "model-1.safetensors": b"x",
                "model.safetensors.index.json": json.dumps(
                    {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
                ).encode(),
            },
            "1 of 2 weight files are missing",
        ),
        ({"model-1.safetensors": b"x", "model.safetensors.index.json": b"{"}, "index.json is damaged"),
    ],
)
def test_a_part_of_a_model_is_not_a_model(files: dict[str, bytes], message: str, cache: Path) -> None:
    snapshot(cache, "models--org--name", files)
    with pytest.raises(NotFetchedError, match=message):
        hub.cached("org/name", "model")


def test_a_card_alone_is_no_data_set(cache: Path) -> None:
    snapshot(cache, "datasets--org--name", {"README.md": CARD})
    with pytest.raises(NotFetchedError, match="no data file"):
        hub.cached("org/name", "data")


def test_a_weight_file_whose_content_is_gone(cache: Path) -> None:
    path = snapshot(cache, "models--org--name", {"config.json": b"{}"})
    (path / "model.safetensors").symlink_to(cache / "blobs" / "gone")
    with pytest.raises(NotFetchedError, match="no weights"):
        hub.cached("org/name", "model")


@pytest.mark.parametrize("ref", ["org/other", "org/name@dev", "org/name@" + "f" * 40])
def test_what_is_not_cached_is_one_sentence_and_a_command(ref: str, cache: Path) -> None:
    snapshot(cache, "models--org--name", MODEL)
    for ask in (hub.cached, hub.fetch):  # the network is off in tests
        with pytest.raises(NotFetchedError) as caught:
            ask(ref, "model")
        assert caught.value.message.startswith(f"the model {ref} is not on this machine")
        assert "\n" not in caught.value.message
        assert "distill fetch RECIPE" in str(caught.value.hint)


def test_without_a_network_what_is_cached_will_do(cache: Path) -> None:
    snapshot(cache, "models--org--name", MODEL)
    assert hub.fetch("org/name", "model") == COMMIT


REPOS: dict[str, dict[str, bytes]] = {
    "models/org/safe": {**MODEL, "pytorch_model.bin": b"pickle", "original/consolidated.pth": b"other"},
    "models/org/pickled": {"config.json": b"{}", "pytorch_model.bin": b"pickle"},
    "datasets/org/data": {"train.jsonl": b'{"q": "a"}\n', "more/part.jsonl": b'{"q": "b"}\n', "README.md": CARD},
}


class Hub(BaseHTTPRequestHandler):
    """The few addresses that the client asks for."""

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].strip("/")
        if path.startswith("api/"):
            self._api(path.removeprefix("api/").split("/"))
            return
        repo, _, name = path.partition("/resolve/")
        repo = repo if repo.startswith("datasets/") else f"models/{repo}"
        content = REPOS[repo][name.partition("/")[2]]
        self._send(200, content, {"X-Repo-Commit": COMMIT, "ETag": f'"{name.replace("/", "-")}"'})

    def _api(self, parts: list[str]) -> None:
        repo = "/".join(parts[:3])
        if parts[2] == "gated":
            self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        elif repo not in REPOS:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif parts[3] == "revision" and parts[4] not in ("main", COMMIT):
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif parts[3] == "tree":
            files = [
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in REPOS[repo].items()
            ]
            self._json(files)
        else:
            self._json({"id": "/".join(parts[1:3]), "sha": COMMIT, "siblings": [{"rfilename": n} for n in REPOS[repo]]})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


ASK = """
import json, sys
from distill.errors import DistillError
from distill.sources.hub import fetch
for what, ref in json.loads(sys.argv[1]):
    try:
        print(json.dumps(["commit", fetch(ref, what), None]))
    except DistillError as error:
        print(json.dumps([type(error).__name__, error.message, error.hint]))
"""


def ask(endpoint: str, home: Path, *refs: tuple[str, str]) -> list[list[str]]:
    """What `fetch` answers in a process whose hub is this server: the client reads its address when it is imported."""
    unset = ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_ETAG_TIMEOUT": "2",
    }
    command = [sys.executable, "-c", ASK, json.dumps(refs)]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_fetch_over_the_network(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [("model", "org/safe"), ("model", "org/pickled"), ("data", "org/data")]
    wrong = [("model", "org/none"), ("model", "org/gated"), ("model", "org/safe@dev")]
    *good, none, gated, dev = ask(server, tmp_path, *models, *wrong)
    assert good == [["commit", COMMIT, None]] * 3
    assert none[:2] == ["SourceError", "the hub has no model org/none"]
    assert gated[0] == "SourceError" and "accepted its terms" in gated[1] and "HF_TOKEN" in gated[2]
    assert dev[:2] == ["SourceError", "the hub's model org/safe has no revision dev"]

    def names(repo: str) -> set[str]:
        folder = tmp_path / "hub" / repo / "snapshots" / COMMIT
        return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert names("models--org--safe") == {"config.json", "model.safetensors", "README.md"}
    assert names("models--org--pickled") == {"config.json", "pytorch_model.bin"}
    assert names("datasets--org--data") == {"train.jsonl", "more/part.jsonl", "README.md"}

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    part = hub.cached("org/data", "data").path / "more" / "part.jsonl"
    part.unlink()
    with pytest.raises(NotFetchedError, match="the data org/data is not on this machine"):
        hub.cached("org/data", "data")


def test_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    ((kind, message, hint),) = ask("http://127.0.0.1:9", tmp_path, ("model", "org/safe"))
    assert kind == "NotFetchedError"
    assert message == "the model org/safe is not on this machine and the hub cannot be asked"
    assert "distill fetch RECIPE" in hint
