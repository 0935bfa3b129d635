"""Where a served model answers, and how its server is treated: speed and place, never what is answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from distill.rows import Frozen
from distill.start import Start


class Price(Frozen):
    """Money per million tokens, in whatever currency the budget is in."""

    prompt: float = Field(ge=0)
    completion: float = Field(ge=0)


FREE = Price(prompt=0, completion=0)


class Endpoint(Frozen):
    """Where the engine `server` finds its server, and how it is treated."""

    address: str | None = None
    """`http://localhost:8000/v1`: what `/chat/completions` is put after."""
    addresses: tuple[str, ...] = ()
    """Instead of `address`: several servers of the same model. Each request goes to the least loaded."""
    start: Start | None = None
    """Instead of both: the stage starts the servers itself. The model is then one of this machine."""
    key_env: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """Name of the environment variable that holds the key. The key itself is written nowhere."""
    concurrency: int = Field(512, gt=0)
    """Most requests at once, of all processes together. How many there are below it follows from the servers' speed."""
    timeout: float = Field(600.0, gt=0)
    """Seconds until an attempt without a whole answer counts as failed."""
    attempts: int = Field(5, gt=0)
    """Of each request, with growing pauses between them."""
    price: Price | None = None
    """What it charges, where it does not say so itself with each answer."""

    @property
    def urls(self) -> tuple[str, ...]:
        """Every address, one or several; none before servers are started."""
        return (self.address,) if self.address else self.addresses

    @field_validator("address")
    @classmethod
    def _one(cls, address: str | None) -> str | None:
        return address and _plain(address)

    @field_validator("addresses")
    @classmethod
    def _several(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_plain, addresses))

    @model_validator(mode="after")
    def _somewhere(self) -> Endpoint:
        if [bool(self.address), bool(self.addresses), self.start is not None].count(True) != 1:
            raise ValueError(
                "write address: http://HOST:PORT/v1, or addresses: [...] for several servers of one model, or "
                "start: {kind: vllm, ...} to have them started"
            )
        if self.start and self.key_env:
            raise ValueError("servers that are started get a key of their own: leave out key_env")
        if len(set(self.urls)) < len(self.urls):
            raise ValueError("an address stands twice in addresses")
        return self


def _plain(address: str) -> str:
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
