"""One question to a started server, plainly."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from distill.engines.serving.fleet import Served


def ask(served: Served, text: str = "Write one sentence about rivers.", seed: int = 1, **more: Any) -> str:
    body = {"messages": [{"role": "user", "content": text}], "seed": seed, "model": served.model}
    request = urllib.request.Request(
        f"{served.addresses[0]}/chat/completions",
        json.dumps({"max_tokens": 6, "temperature": 1.0, "top_p": 1.0, **body, **more}).encode(),
        {"Content-Type": "application/json", "Authorization": f"Bearer {served.key}"},
    )
    with urllib.request.urlopen(request, timeout=120) as response:
        content: str = json.load(response)["choices"][0]["message"]["content"]
    return content
