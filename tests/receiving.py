"""A hub on this machine that takes what the real client sends: repositories, files in a commit, large files beside it."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"
LARGE = (".safetensors",)
TOKEN = "hf_" + "aB3" * 12


@dataclass
class Received:
    """What was sent so far."""

    address: str = ""
    private: dict[str, bool] = field(default_factory=dict)
    """Repository (`models/org/name`) -> whether only its owners see it."""
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    """By sha256."""
    said: list[str] = field(default_factory=list)
    """Messages of the commits."""

    def write(self, repo: str, folder: Path) -> Path:
        """What somebody gets who downloads a repository."""
        for name, content in self.files[repo].items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder


@contextmanager
def hub() -> Iterator[Received]:
    received = Received()

    class Handler(_Handler):
        state = received

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        received.address = f"http://127.0.0.1:{running.server_port}"
        yield received
        running.shutdown()


class _Handler(BaseHTTPRequestHandler):
    state: Received

    def log_message(self, *_: object) -> None:
        pass

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self) -> None:
        _, what, owner, name, *rest = self._parts()
        repo = f"{what}/{owner}/{name}"
        if repo not in self.state.private:
            self._json({}, 404, {"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["tree"]:
            there = self.state.files[repo].items()
            self._json([{"type": "file", "path": path, "size": len(text), "oid": "0" * 40} for path, text in there])
        else:
            self._json({"id": f"{owner}/{name}", "sha": COMMIT, "private": self.state.private[repo], "siblings": []})

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._json({"error": "Invalid username or password."}, 401)
            return
        parts = self._parts()
        if parts == ["api", "repos", "create"]:
            self._create(json.loads(body))
        elif parts == ["api", "validate-yaml"]:
            yaml.safe_load(json.loads(body)["content"].split("---\n")[1])
            self._json({"errors": [], "warnings": []})
        elif parts[-3:] == ["lfs", "objects", "batch"]:
            wanted = [
                {**one, "actions": {"upload": {"href": f"{self.state.address}/large/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self._json({"transfer": "basic", "objects": wanted})
        elif parts[4] == "preupload":
            modes = [
                {
                    "path": one["path"],
                    "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            self._json({"files": modes})
        else:
            self._commit("/".join(parts[1:4]), body)

    def do_PUT(self) -> None:
        self.state.large[self._parts()[-1]] = self._body()
        self._json({})

    def _create(self, asked: dict[str, Any]) -> None:
        repo = f"{asked.get('type', 'model')}s/{asked['organization']}/{asked['name']}"
        there = repo in self.state.private
        self.state.private.setdefault(repo, asked.get("visibility") == "private")
        self.state.files.setdefault(repo, {})
        self._json({"url": f"{self.state.address}/{repo.removeprefix('models/')}"}, 409 if there else 200)

    def _commit(self, repo: str, body: bytes) -> None:
        files = self.state.files[repo]
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                self.state.said.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.state.large[value["oid"]]
            else:
                del files[value["path"]]
        self._json({"commitUrl": f"{self.state.address}/{repo}/commit/{COMMIT}", "commitOid": COMMIT})

    def _parts(self) -> list[str]:
        return self.path.partition("?")[0].strip("/").split("/")

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
