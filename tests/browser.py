"""A real browser for tests: Chromium by its own driver, over the W3C WebDriver protocol. No package is needed for it.

`apt-get install chromium chromium-driver`; axe-core (`npm install axe-core`, anywhere) is found by the variable AXE_CORE,
the path of its axe.min.js, or in a node_modules at or above the working folder.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Name that the standard gives to references to elements."""
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c"}
ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update"),
)


def programs() -> tuple[str, str] | None:
    """Chromium and its driver, where both are installed."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def axe() -> Path | None:
    """The script of axe-core, where it is installed."""
    folders = (Path.cwd(), *Path.cwd().parents)
    places = [
        Path(os.environ.get("AXE_CORE", "/nowhere")),
        *(one / "node_modules/axe-core/axe.min.js" for one in folders),
    ]
    return next((path for path in places if path.is_file()), None)


class Browser:
    """A session with one window."""

    def __init__(self, address: str, browser: str) -> None:
        self.address = address
        chrome = {"binary": browser, "args": list(ARGUMENTS)}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def do(self, path: str, **body: Any) -> Any:
        return self._ask("POST", self.session + path, body)

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file anew, also where only the fragment differs."""
        self.do("/url", url="about:blank")
        self.do("/url", url=page.resolve().as_uri() + fragment)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns in the page; `args` are the arguments."""
        return self.do("/execute/sync", script=f"const args = [...arguments];\n{script}", args=list(arguments))

    def wait(self, script: str, seconds: float = 10) -> Any:
        """What it returns, once that is true."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)
        return found

    def later(self, script: str, *arguments: Any) -> Any:
        """What a promise comes to."""
        body = f"const done = arguments[arguments.length - 1]; (async () => {{ {script} }})().then(done, (e) => done(String(e)))"
        return self.do("/execute/async", script=body, args=list(arguments))

    def press(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        actions = [
            {"type": kind, "value": KEYS.get(key, key)}
            for text in keys
            for key in ([text] if text in KEYS else text)
            for kind in ("keyDown", "keyUp")
        ]
        self.do("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def click(self, selector: str) -> None:
        found = self.do("/element", using="css selector", value=selector)
        self.do(f"/element/{found[ELEMENT]}/click")

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self.do("/goog/cdp/execute", cmd=command, params=parameters)

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    def media(self, kind: str = "", scheme: str = "light") -> None:
        """`print` or the screen, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", media=kind, features=features)

    def shot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", self.session + "/screenshot")))

    def pdf(self) -> bytes:
        return base64.b64decode(self.do("/print", background=True))

    def complaints(self) -> list[str]:
        """What the console has been told since the last time."""
        return [line["message"] for line in self.do("/se/log", type="browser")]

    def close(self) -> None:
        self._ask("DELETE", self.session)


def violations(browser: Browser) -> list[tuple[str, list[str]]]:
    """What axe-core finds against the page as it is: rule, and the first elements that break it. Skips without axe-core."""
    script = axe()
    if script is None:
        pytest.skip("npm install axe-core, and AXE_CORE=…/axe.min.js")
    # The pages forbid scripts of others: this one is let in as an extension would be.
    browser.devtools("Runtime.evaluate", expression=script.read_text(encoding="utf-8"))
    found = json.loads(browser.later("return JSON.stringify(await axe.run())"))
    assert len(found["passes"]) > 10
    return [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found["violations"]]


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser of one's own; its driver ends with it."""
    found = programs()
    assert found is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([found[1], f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as driver:
        try:
            _ready(address)
            browser = Browser(address, found[0])
            try:
                yield browser
            finally:
                browser.close()
        finally:
            driver.terminate()


def _ready(address: str) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(address + "/status", timeout=5) as answer:
                if json.load(answer)["value"]["ready"]:
                    return
        except OSError:
            assert time.monotonic() < end, "chromedriver does not answer"
        time.sleep(0.05)
