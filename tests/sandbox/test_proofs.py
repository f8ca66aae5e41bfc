"""The confinement, proved by trying from inside a real child of each role, warmed with all its libraries (G5)."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import LIMITS, PoolMaker
from tests.sandbox.system_calls import FAMILIES, NAMES, calls
from transfer.inspection.rule_files import read_rule_files
from transfer.model.findings import Code
from transfer.model.search import Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.faults import ChildFault
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

COMMAND = (sys.executable, "-P", "-m", "tests.sandbox.hostile_role")
RULES = Path(__file__).parents[2] / "policies" / "yara"

pytestmark = pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")


@pytest.fixture(scope="module", params=list(Role), ids=str)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    """A pool of children of one role."""
    role: Role = request.param
    with tempfile.TemporaryFile() as material:
        material.write(read_rule_files(RULES).render())
        material.flush()
        with Pool(
            role=role,
            workers=1,
            limits=ChildLimits(memory_bytes=256 << 20),
            command=COMMAND,
            material=material.fileno() if role is Role.RULES else None,
        ) as made:
            yield made


def told(pool: Pool, raw: int, deed: str) -> dict[str, str]:
    with pool.lease() as child:
        reply = child.examine(raw, suffix=deed, limits=LIMITS, search=Search(), seconds=20)
    return {str(finding.detail["what"]): str(finding.detail["got"]) for finding in reply.findings}


@pytest.mark.parametrize("kind", list(NAMES))
def test_every_call_that_reaches_out_is_refused(pool: Pool, raw: int, kind: str) -> None:
    got = told(pool, raw, f".{kind}")
    assert len(got) == len(calls(kind)) >= 13
    assert got.pop("clone3", f"errno {errno.ENOSYS}") == f"errno {errno.ENOSYS}"  # so that the C library uses clone
    assert {what: answer for what, answer in got.items() if answer != f"errno {errno.EPERM}"} == {}
    if kind == "network":
        assert {f"socket {family}" for family in FAMILIES} <= set(got)


def test_no_path_can_be_opened_in_any_way(pool: Pool, raw: int) -> None:
    got = told(pool, raw, ".paths")
    assert len(got) == 24
    assert set(got.values()) == {f"errno {errno.EPERM}"}


def test_no_code_is_made_while_running(pool: Pool, raw: int) -> None:
    got = told(pool, raw, ".code")
    assert len(got) == 5
    assert set(got.values()) == {f"errno {errno.EPERM}"}


def test_nothing_is_inherited_but_its_own_socket(pool: Pool, raw: int) -> None:
    assert told(pool, raw, ".held") == {"0": "null", "1": "null", "2": "null", "3": "0o140000", "4": "0o100000"}


def test_descriptors_are_bounded(pool: Pool, raw: int) -> None:
    got = told(pool, raw, ".descriptors")
    assert int(got["count"]) < 64
    assert got["errno"] == str(errno.EMFILE)


@pytest.mark.parametrize(
    ("deed", "code"),
    [(".memory", Code.SANDBOX_MEMORY), (".crash", Code.SANDBOX_CRASHED), (".drip", Code.SANDBOX_PROTOCOL)],
)
def test_what_each_role_s_child_can_do_is_fail(pool: Pool, raw: int, deed: str, code: Code) -> None:
    with pytest.raises(ChildFault) as caught:
        told(pool, raw, deed)
    assert caught.value.code == code
    assert told(pool, raw, ".good")


def asked(child: LeasedChild, raw: int, deed: str, seconds: float = 10) -> int:
    reply = child.examine(raw, suffix=deed, limits=LIMITS, search=Search(), seconds=seconds)
    return int(reply.findings[0].detail["got"])


def test_hanging_children_stall_only_who_asked_them(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(workers=3)
    pool.warm()
    faults: list[str] = []

    def hang(deed: str) -> None:
        try:
            with pool.lease() as child:
                asked(child, raw, deed, seconds=2)
        except ChildFault as fault:
            faults.append(fault.code)

    hanging = [threading.Thread(target=hang, args=(deed,)) for deed in (".loop", ".stubborn")]
    for thread in hanging:
        thread.start()
    served, began = 0, time.monotonic()
    while time.monotonic() - began < 1:
        with pool.lease() as child:
            asked(child, raw, ".good")
            served += 1
    assert served > 20
    for thread in hanging:
        thread.join()
    assert faults == [Code.SANDBOX_TIMEOUT] * 2


def test_a_child_that_is_stopped_is_killed_in_time(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = asked(child, raw, ".good")
    os.kill(first, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(ChildFault) as caught, pool.lease() as child:
        asked(child, raw, ".good", seconds=0.5)
    assert caught.value.code == Code.SANDBOX_TIMEOUT
    assert time.monotonic() - began < 2
    with pool.lease() as child:
        assert asked(child, raw, ".good") != first


@pytest.mark.slow
def test_a_zygote_that_is_stopped_is_replaced(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = asked(child, raw, ".good")
        zygote = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(zygote, signal.SIGSTOP)
        child.discard()
        began = time.monotonic()
        assert asked(child, raw, ".good") != first
    assert time.monotonic() - began < 20
    assert not Path(f"/proc/{zygote}/cwd").exists()
