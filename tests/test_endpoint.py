"""Addresses that can be meant, and those that cannot."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from distill.endpoint import Endpoint


@pytest.mark.parametrize(
    "address",
    ["localhost:8000", "ftp://a/v1", "http://", "http://a:port/v1", "http://me:pw@a/v1", "http://a/v1?key=1", "http://a b/v1",
     "http://a/v1/chat/completions"],
)  # fmt: skip
def test_addresses_that_cannot_be_meant(address: str) -> None:
    with pytest.raises(ValidationError):
        Endpoint(address=address)


def test_a_trailing_slash_is_the_same_address() -> None:
    assert Endpoint(address="http://a/v1/").address == "http://a/v1"


def test_one_address_or_several() -> None:
    assert Endpoint(address="http://a/v1").urls == ("http://a/v1",)
    assert Endpoint(addresses=("http://a/v1/", "http://b/v1")).urls == ("http://a/v1", "http://b/v1")
    for wrong in ({}, {"address": "http://a/v1", "addresses": ("http://b/v1",)}):
        with pytest.raises(ValidationError, match="write address: http://HOST:PORT/v1, or addresses"):
            Endpoint.model_validate(wrong)
    with pytest.raises(ValidationError, match="stands twice"):
        Endpoint(addresses=("http://a/v1", "http://a/v1/"))
    with pytest.raises(ValidationError, match=r"http://HOST:PORT/v1 or https"):
        Endpoint(addresses=("a:80",))
