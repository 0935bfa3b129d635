"""A server that answers every chat completion at once with the same words: what is left to measure is the client.

Prints its address and serves until it is killed.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

REPLY = {
    "choices": [{"message": {"role": "assistant", "content": "One more, by one."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 6},
}


async def answer(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response(REPLY)


async def main() -> None:
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    print(f"http://{host}:{port}/v1", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
