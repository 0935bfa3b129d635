"""Where a served model answers, and how its server is treated: speed and place, never what is answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from distill.rows import Frozen


class Price(Frozen):
    """Money per million tokens, in whatever currency the budget is in."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


class Endpoint(Frozen):
    """Where the engine `server` finds its server, and how it is treated."""

    address: str
    """`http://localhost:8000/v1`: what `/chat/completions` is put after."""
    key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key. The key itself is written nowhere."""
    concurrency: int = Field(64, gt=0)
    """Requests at once, of all processes together."""
    timeout: float = Field(600.0, gt=0)
    """Seconds without a sign of the server until an attempt counts as failed."""
    attempts: int = Field(5, gt=0)
    """Of each request, with growing pauses between them."""
    price: Price | None = None
    """What it charges, where it does not say so itself with each answer."""

    @field_validator("address")
    @classmethod
    def _plain(cls, address: str) -> str:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or any(map(str.isspace, address)):
            raise ValueError("an address is written http://HOST:PORT/v1 or https://HOST/v1")
        if parts.port == 0:
            raise ValueError("port 0 is no port")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise ValueError("an address holds no key, name, password or query; key_env names the variable of the key")
        if parts.path.rstrip("/").endswith("/completions"):
            raise ValueError("the address is that of the whole interface: leave out /chat/completions")
        return address.rstrip("/")
