"""Where a JPEG's entropy-coded data end: what compares many bytes at once agrees with the expression that says it."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transfer.disarm import traces
from transfer.inspection import structure_jpeg

# ITU-T T.81, B.1.1.5: a stuffed zero and restart markers stand within; fill bytes may stand there too.
INSPECTED = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
END = re.compile(rb"\xff\xd9")

PARTS = st.sampled_from(
    [b"\xff\x00", b"\xff\xd0", b"\xff\xd7", b"\xff\xff", b"\xff", b"\0", b"\xff\xd9", b"\xff\xda", b"ab"]
)
DATA = st.one_of(st.binary(max_size=40), st.lists(PARTS, max_size=20).map(b"".join))


@pytest.fixture(params=[1, 2, 3, 7, 128 << 10])
def step(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes are compared at once: an end may stand on the border."""
    many = int(request.param)
    monkeypatch.setattr(structure_jpeg, "_AT_A_TIME", many)
    monkeypatch.setattr(traces, "_AT_A_TIME", many)
    return many


@pytest.mark.usefixtures("step")
@given(data=DATA, at=st.integers(0, 5))
@example(data=b"\xff", at=0)
@example(data=b"\xff\xd3\xff\x00\xff\xff\xd9", at=0)
def test_the_end_is_where_the_expression_finds_it(data: bytes, at: int) -> None:
    inspected = INSPECTED.search(data, at)
    assert structure_jpeg.end_of_scan(data, at) == (inspected.start() if inspected else len(data))
    end = END.search(data, at)
    assert traces.end_of_picture(data, at) == (end.end() if end else 0)
