"""A proxy on the loopback in front of a real server: it deals out faults, and notes all that it was asked and let pass."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tests.engines.faults import deal


class Proxy:
    """What it notes may be read at any time from any thread.

    Args:
        upstream: address of the real server.
    """

    def __init__(self, upstream: str, seed: int) -> None:
        self.address = ""
        self.faulty = True
        self.met: defaultdict[int, list[str]] = defaultdict(list)
        """What each request met at each attempt, by its number."""
        self.passed: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        """The real answers that were handed over whole, as they were."""
        self.together: list[int] = []
        """Requests in its hands, this one too, whenever one came."""
        self._upstream, self._seed = upstream, seed
        self._now = 0

    @property
    def dealt(self) -> Counter[str]:
        return Counter(kind for kinds in self.met.values() for kind in kinds)

    @property
    def asked(self) -> Counter[int]:
        """Attempts of each request."""
        return Counter({number: len(kinds) for number, kinds in self.met.items()})

    async def run(self, ready: threading.Event, stop: asyncio.Event) -> None:
        app = web.Application()
        app.router.add_post("/v1/{path:.*}", self._handle)
        # A client that goes away is gone for the real server too.
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as self._session:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=512).start()
            self.address = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
            ready.set()
            await stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        number = int(re.findall(r"\d+", json.loads(body)["messages"][-1]["content"])[0])
        kind = deal.deal(self._seed, number, len(self.met[number]) + 1) if self.faulty else deal.CLEAN
        self.met[number].append(kind)
        self._now += 1
        self.together.append(self._now)
        try:
            return await self._answer(request, body, number, kind)
        finally:
            self._now -= 1

    async def _answer(self, request: web.Request, body: bytes, number: int, kind: str) -> web.StreamResponse:
        if kind in deal.REFUSALS:
            return await send(request, *deal.REFUSALS[kind])
        if kind == "hangs":
            await asyncio.sleep(3600)
        if kind in ("hung up early", "no HTTP"):
            return hang_up(request, b"SSH-2.0-OpenSSH_9.7\r\n" if kind == "no HTTP" else b"")
        try:
            real = await self._real(request.match_info["path"], body)
        except aiohttp.ClientError:  # it is away
            self.met[number][-1] = "gone"
            return await send(request, 502, {}, b"bad gateway")
        if kind in deal.CHANGES and kind not in deal.DELAYED:
            return await send(request, 200, {}, deal.CHANGES[kind](json.loads(real)))
        if kind in deal.CUTS and kind not in deal.DELAYED:
            return await cut(request, kind, real)
        if kind == "delayed":
            await asyncio.sleep(deal.DELAY)
        shown = deal.CHANGES[kind](json.loads(real)) if kind in deal.CHANGES else real
        response = await send(request, 200, {}, shown)
        self.passed[number].append(json.loads(shown))
        return response

    async def _real(self, path: str, body: bytes) -> bytes:
        """What the real server says."""
        async with self._session.post(f"{self._upstream}/{path}", data=body, raise_for_status=True) as reply:
            return await reply.read()


async def send(request: web.Request, status: int, headers: dict[str, str], body: bytes) -> web.StreamResponse:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    response = web.StreamResponse(status=status, headers=headers)
    await response.prepare(request)
    await response.write(body)
    await response.write_eof()
    return response


async def cut(request: web.Request, kind: str, body: bytes) -> web.StreamResponse:
    """The head of an answer and a part of its body, or none of it; then the connection is gone."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    if kind == "cut in pieces":
        response.enable_chunked_encoding()
    else:
        response.content_length = len(body) + (1000 if kind == "shorter than said" else 0)
    await response.prepare(request)
    if kind != "hung up late":
        await response.write(body if kind == "shorter than said" else body[: len(body) // 2])
    await asyncio.sleep(0)
    hang_up(request, b"")
    return response


def hang_up(request: web.Request, last: bytes) -> web.Response:
    assert request.transport is not None
    request.transport.write(last)
    request.transport.close()
    return web.Response()


@contextmanager
def proxying(upstream: str, seed: int = 17) -> Iterator[Proxy]:
    proxy, ready, stop = Proxy(upstream, seed), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(proxy.run(ready, stop)), daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
