"""One attempt: a request POSTed to an address -> its completion, or why there is none and whether it may be made again.

Which address, how often and when is the client's business. The key goes into the header, and is hidden wherever a server
says it back; no redirect is followed, for it could take the key elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import TYPE_CHECKING
from urllib.request import getproxies

from distill.engines.openai import Dialect, Unreadable, message
from distill.errors import DistillError, EngineError
from distill.protocols import Completion, Request

if TYPE_CHECKING:
    from aiohttp import ClientSession

CONNECT = 30.0
"""Seconds in which a connection must come about."""
FULL = (429, 503, 529)
"""No place just now, said at once and for nothing."""
LOADED = (*FULL, 502, 504)
"""Signs of too many requests, a gateway's too."""
PASSING = (408, 409, 425, *FULL)
"""Client errors that may be gone at the next attempt, as every server error may."""
HOPELESS = {
    401: "the key is not accepted: runtime.server.key_env names the environment variable that holds it",
    402: "there is no money left with the provider; what came is kept, the same command goes on",
    404: "most addresses end in /v1, and teacher.engine.model is the name that the server itself gives its model",
}
"""Client errors that every other request would meet as well, and what to do."""


class Failed(Exception):
    """An attempt that may be made again.

    Args:
        load: a sign that the server has too much to do.
        full: it said so at once, so that the attempt cost next to nothing.
        after: seconds that the server wants to be left alone.
        unreachable: there was no connection.
    """

    def __init__(
        self, reason: str, load: bool = False, full: bool = False, after: float | None = None, unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.load, self.full, self.after, self.unreachable = load, full, after, unreachable


class Line:
    """How requests get to the servers of one model.

    Args:
        timeout: seconds in which an answer must have come as a whole.
        key: for `Authorization: Bearer …`; empty where there is none.
    """

    def __init__(self, dialect: Dialect, timeout: float, key: str) -> None:
        self._dialect, self._timeout, self._key = dialect, timeout, key

    def session(self) -> ClientSession:
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=min(CONNECT, self._timeout)),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Proxies are looked up anew for every request: only where there are any.
            trust_env=bool(getproxies()),
        )

    async def ask(
        self, session: ClientSession, url: str, request: Request, without: frozenset[str]
    ) -> Completion | str:
        """What became of a request, or the name of a field without which it should be asked again at once.

        Args:
            without: fields left out.

        Raises:
            Failed: it may go better another time.
            EngineError: every other request would be refused too.
        """
        try:
            question = self._dialect.question(request, without)
        except DistillError as error:
            return failure(request, str(error))
        status, headers, body = await self._post(session, f"{url}/{question.path}", question.body)
        if status == 200:
            try:
                return self._dialect.read(request, question, body)
            except Unreadable as error:
                raise Failed(self._hidden(str(error))) from None
        said = self._hidden(message(body))
        reason = f"HTTP {status}: {said}"
        broke = status == 429 and b"insufficient_quota" in body
        if not broke and (status >= 500 or status in PASSING):
            raise Failed(reason, status in LOADED, status in FULL, _retry_after(headers))
        if broke or status in HOPELESS:
            hint = HOPELESS[402 if broke else status]
            raise EngineError(f"HTTP {status} from {url}: {said}", where="runtime.server", hint=hint)
        spared = self._dialect.spare(question, body.decode(errors="replace")) if status in (400, 422) else None
        return spared or failure(request, reason)

    async def _post(self, session: ClientSession, url: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of what the server says. A redirect is not followed: it could take the key elsewhere.

        Raises:
            Failed: nothing whole came back.
        """
        import aiohttp

        try:
            async with session.post(url, data=body, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as nobody:
            raise Failed(self._hidden(str(nobody)), load=True, unreachable=True) from None
        except TimeoutError:
            raise Failed(f"no answer in time ({self._timeout:g} s)", load=True) from None
        except (aiohttp.ClientError, OSError) as broken:
            reason = self._hidden(str(broken) or type(broken).__name__)
            raise Failed(f"the connection broke: {reason}", load=True) from None

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text


def failure(request: Request, reason: str) -> Completion:
    return Completion(request.key, "", "error", 0, 0, error=reason)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, which the server gives as such or as a date."""
    value = headers.get("Retry-After", "").strip()
    with suppress(ValueError):
        return max(0.0, float(value)) if isfinite(float(value)) else None
    with suppress(ValueError, TypeError, OverflowError):
        return float(max(0.0, parsedate_to_datetime(value).timestamp() - time.time()))
    return None
