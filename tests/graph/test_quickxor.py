"""quickXorHash against published values and against the definition, byte by byte."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.graph.quickxor import QuickXor

# Published with the algorithm and with clients that use it.
KNOWN = {
    "": "AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "Sg==": "SgAAAAAAAAAAAAAAAQAAAAAAAAA=",
    "tbQ=": "taAFAAAAAAAAAAAAAgAAAAAAAAA=",
    "/aNzzCFPS/A=": "/RjFHJgRgicsAR4ACAAAAAAAAAA=",
    "2fuxhBJXtpWFe8dOfdGeHw==": "O9tHLAghgSvYohKFyMMxnNCHaHg=",
    "bU2j/0XYdgfPFD4691jV0AOUEUPR4Z5E": "bnLBiLpVgnxVkXhNsIAPdHAPLFQ=",
    "jyibxJSzO6ZiZ0O1qe3tG/bvIAYssvukh9suIT5wEy1JBINVgPiqdsTW0cOpP0aUfP7mgqLfADkzI/m/GgCuVhr8oFLrOCoTx1/psBOWwhltCbhUx51I"
    "cm9aH8tY4Z3ccU+6BKpYQkLCy0B/A9Zc": "hZfLIilSITC6N3e3tQ/iSgEzkto=",
}


def defined(content: bytes) -> str:
    state = 0
    for place, byte in enumerate(content):
        shift = 11 * place % 160
        state ^= (byte << shift | byte << shift >> 160) & (1 << 160) - 1
    return base64.b64encode((state ^ len(content) << 96).to_bytes(20, "little")).decode()


def hashed(*parts: bytes) -> str:
    under_way = QuickXor()
    for part in parts:
        under_way.update(part)
    return under_way.base64()


@pytest.mark.parametrize("content", KNOWN)
def test_known_values(content: str) -> None:
    assert hashed(base64.b64decode(content)) == KNOWN[content]


@given(st.lists(st.binary(max_size=700), max_size=6))
def test_it_is_as_defined_however_the_bytes_come(parts: list[bytes]) -> None:
    whole = b"".join(parts)
    assert hashed(*parts) == hashed(whole) == defined(whole)


@given(st.binary(min_size=1, max_size=400), st.data())
def test_one_byte_more_or_another_is_noticed(content: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(content) - 1))
    other = bytearray(content)
    other[place] ^= data.draw(st.integers(1, 255))
    assert hashed(bytes(other)) != hashed(content) != hashed(content + b"\0")


def test_every_kind_of_buffer_will_do_and_asking_does_not_end_it() -> None:
    under_way = QuickXor()
    under_way.update(bytearray(b"abc"))
    assert under_way.base64() == hashed(b"abc")
    under_way.update(memoryview(b"defg")[1:])
    assert under_way.base64() == hashed(b"abcefg")


def test_it_keeps_up_with_a_network() -> None:
    block = bytes(range(256)) * 4096
    best = 0.0
    for _ in range(5):
        under_way, started = QuickXor(), time.process_time()
        for _ in range(32):
            under_way.update(block)
        best = max(best, 32 * len(block) / (time.process_time() - started))
    assert best > 300e6, f"{best / 1e6:.0f} MB/s"
