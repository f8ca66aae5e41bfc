"""What a child can do when hostile code runs in it: real children, really confined."""

from __future__ import annotations

import os
import time

import pytest

from tests.sandbox.conftest import LIMITS, PoolMaker
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.recipe import Recipe
from transfer.model.search import Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.faults import ChildFault
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.pool import Pool
from transfer.sandbox.replies import ExamineReply

HARMLESS = {"a thread", "its own clock", "private memory"}


def ask(child: LeasedChild, raw: int, deed: str, *, seconds: float = 10.0) -> ExamineReply:
    return child.examine(raw, suffix=deed, limits=LIMITS, search=Search(), seconds=seconds)


def fault_of(pool: Pool, raw: int, deed: str, *, seconds: float = 10.0) -> ChildFault:
    with pytest.raises(ChildFault) as caught, pool.lease() as child:
        ask(child, raw, deed, seconds=seconds)
    return caught.value


def test_a_child_can_open_nothing_and_reach_nobody(make_pool: PoolMaker, raw: int) -> None:
    with make_pool().lease() as child:
        reply = ask(child, raw, ".try")
    got = {str(finding.detail["what"]): str(finding.detail["got"]) for finding in reply.findings}
    assert {what for what, answer in got.items() if answer == "worked"} == HARMLESS
    refused = {what: answer for what, answer in got.items() if what not in HARMLESS}
    assert refused.pop("raise a limit") == "ValueError"  # Python's word for EPERM here
    assert set(refused.values()) == {"errno 1"}
    assert len(refused) > 20


@pytest.mark.parametrize(
    ("deed", "code"),
    [
        (".memory", Code.SANDBOX_MEMORY),
        (".crash", Code.SANDBOX_CRASHED),
        (".exit", Code.SANDBOX_CRASHED),
        (".raise", Code.SANDBOX_CRASHED),
        (".many", Code.SANDBOX_CRASHED),
        (".no-such-deed", Code.SANDBOX_CRASHED),
        (".garbage", Code.SANDBOX_PROTOCOL),
        (".empty", Code.SANDBOX_PROTOCOL),
        (".long", Code.SANDBOX_PROTOCOL),
        (".other", Code.SANDBOX_PROTOCOL),
        (".spaces", Code.SANDBOX_PROTOCOL),
        (".flood", Code.SANDBOX_PROTOCOL),
        (".close", Code.SANDBOX_PROTOCOL),
    ],
)
def test_a_failing_child_costs_its_file_and_nothing_else(make_pool: PoolMaker, raw: int, deed: str, code: Code) -> None:
    pool = make_pool()
    pool.warm()
    started = time.monotonic()
    fault = fault_of(pool, raw, deed)
    assert time.monotonic() - started < 3
    assert fault.code == code
    assert fault.finding.code == code
    assert all(" " <= character <= "~" for character in str(fault.finding.detail["how"]))
    assert fault.advice
    with pool.lease() as child:  # the pool goes on
        assert ask(child, raw, ".good").media is not None


def test_an_error_tells_its_kind_and_not_its_words(make_pool: PoolMaker, raw: int) -> None:
    """The words can quote the file, and findings go into the log."""
    how = str(fault_of(make_pool(), raw, ".raise").finding.detail["how"])
    assert how.startswith("LookupError in transfer.child:")
    assert "red" not in how


@pytest.mark.parametrize("deed", [".loop", ".stubborn"])
def test_a_child_that_does_not_answer_is_killed_in_time(make_pool: PoolMaker, raw: int, deed: str) -> None:
    pool = make_pool()
    pool.warm()
    started = time.monotonic()
    assert fault_of(pool, raw, deed, seconds=0.4).code == Code.SANDBOX_TIMEOUT
    assert 0.3 < time.monotonic() - started < 1.5
    with pool.lease() as child:
        assert ask(child, raw, ".good").media is not None


def test_processor_time_is_bounded_by_the_kernel_too(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(limits=ChildLimits(memory_bytes=256 << 20, cpu_seconds=1))
    fault = fault_of(pool, raw, ".loop", seconds=20)
    assert fault.code == Code.SANDBOX_TIMEOUT
    assert "processor" in fault.sentence


def test_memory_outside_python_is_bounded_too(make_pool: PoolMaker, raw: int) -> None:
    with make_pool(limits=ChildLimits(memory_bytes=128 << 20)).lease() as child:
        reply = ask(child, raw, ".malloc")
    assert 64 < int(reply.findings[0].detail["got"]) <= 128


def test_threads_are_bounded_by_memory(make_pool: PoolMaker, raw: int) -> None:
    with make_pool().lease() as child:
        reply = ask(child, raw, ".threads")
    assert int(reply.findings[0].detail["got"]) < 100


def test_a_child_that_says_more_than_asked_is_thrown_away(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = ask(child, raw, ".good").findings[0].detail["got"]
    with pool.lease() as child:
        ask(child, raw, ".twice")
    time.sleep(0.2)  # it speaks again, with nobody asking
    with pool.lease() as child:
        reply = ask(child, raw, ".good")
    assert reply.findings[0].detail["got"] != first


def rebuild(child: LeasedChild, raw: int, output: int, deed: int) -> None:
    child.rebuild(raw, output, format=Format.PNG, recipe=Recipe(quality=deed), limits=LIMITS, seconds=10)


def test_a_child_writes_its_output_and_the_raw_file_stays(make_pool: PoolMaker, raw: int, output: int) -> None:
    with make_pool().lease() as child:
        rebuild(child, raw, output, 1)
        first = ask(child, raw, ".good").findings[0].detail["got"]
        rebuild(child, raw, output, 1)
        assert ask(child, raw, ".good").findings[0].detail["got"] == first  # it had given the output back
    assert os.pread(output, 100, 0) == b"made of raw bytes"
    assert os.lseek(raw, 0, os.SEEK_CUR) == 0


def test_a_child_cannot_write_to_what_it_reads(make_pool: PoolMaker, raw: int, output: int) -> None:
    with pytest.raises(ChildFault) as caught, make_pool().lease() as child:
        rebuild(child, raw, output, 3)
    assert caught.value.code == Code.SANDBOX_CRASHED
    assert os.pread(raw, 100, 0) == b"raw bytes"


def test_a_child_cannot_move_our_offset(make_pool: PoolMaker, raw: int, output: int) -> None:
    with make_pool().lease() as child:
        rebuild(child, raw, output, 4)
    assert os.lseek(raw, 0, os.SEEK_CUR) == 0


def test_a_child_cannot_change_the_output_after_it_answered(make_pool: PoolMaker, raw: int, output: int) -> None:
    with make_pool().lease() as child:
        rebuild(child, raw, output, 2)
        time.sleep(0.4)
    assert os.pread(output, 100, 0) == b"made of raw bytes"


def test_a_child_cannot_fill_the_disk(make_pool: PoolMaker, raw: int, output: int) -> None:
    pool = make_pool(limits=ChildLimits(memory_bytes=256 << 20, file_bytes=8 << 20))
    with pytest.raises(ChildFault) as caught, pool.lease() as child:
        rebuild(child, raw, output, 5)
    assert caught.value.code == Code.SANDBOX_CRASHED
    assert os.fstat(output).st_size <= 8 << 20
