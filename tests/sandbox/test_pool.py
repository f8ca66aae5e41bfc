"""The pool: reuse, replacement, concurrency, deaths of any process, and what a lease costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sandbox.conftest import HOSTILE, LIMITS, PoolMaker
from tests.sandbox.forks import tried
from transfer.errors import Misuse, Unavailable
from transfer.model.findings import Code
from transfer.model.media import Format
from transfer.model.recipe import Recipe
from transfer.model.search import Search
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.faults import ChildFault
from transfer.sandbox.handover import handed_over, is_only_writer
from transfer.sandbox.lease import ORDINARY, LeasedChild
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import GatewayPaths, confine_gateway
from transfer.sandbox.requests import Role


def pid_of(child: LeasedChild, raw: int, deed: str = ".good") -> int:
    reply = child.examine(raw, suffix=deed, limits=LIMITS, search=Search(), seconds=10)
    return int(reply.findings[0].detail["got"])


def pids(pool: Pool, raw: int, count: int) -> list[int]:
    found = []
    for _ in range(count):
        with pool.lease() as child:
            found.append(pid_of(child, raw))
    return found


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: object, seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator] # a callable
            return True
        time.sleep(0.01)
    return False


def zygote_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def test_a_child_serves_several_files(make_pool: PoolMaker, raw: int) -> None:
    assert len(set(pids(make_pool(), raw, 5))) == 1


def test_strict_takes_a_child_for_each_file(make_pool: PoolMaker, raw: int) -> None:
    assert len(set(pids(make_pool(strict=True), raw, 5))) == 5


def test_a_child_that_found_something_serves_no_other_file(make_pool: PoolMaker, raw: int) -> None:
    """What is odd about a file may be what took the child over."""
    pool = make_pool()
    with pool.lease() as child:
        first = pid_of(child, raw, ".found")
        assert pid_of(child, raw) == first  # of this file it may still be asked: nobody else is hurt
    assert wait_for(lambda: not is_running(first))
    (second,) = pids(pool, raw, 1)
    assert second != first


def test_what_every_camera_writes_is_no_reason_to_throw_a_child_away() -> None:
    assert {Code.METADATA, Code.LOCATION} <= ORDINARY
    for code in (Code.TRAILING_DATA, Code.UNDECODABLE, Code.TYPE_MISMATCH, Code.MARKING, Code.RESIDUE, Code.MALWARE):
        assert code not in ORDINARY


def test_a_child_is_replaced_after_its_number_of_files(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(limits=ChildLimits(memory_bytes=256 << 20, files=3))
    first, second, third, fourth = pids(pool, raw, 4)
    assert first == second == third != fourth
    assert wait_for(lambda: not is_running(first))


def test_a_discarded_child_is_dead_and_another_takes_over(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = pid_of(child, raw)
        child.discard()
        assert wait_for(lambda: not is_running(first))
        assert pid_of(child, raw) != first


def test_an_error_in_the_lease_throws_the_child_away(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    seen: list[int] = []

    def fail() -> None:
        with pool.lease() as child:
            seen.append(pid_of(child, raw))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert wait_for(lambda: not is_running(seen[0]))


def test_no_more_children_work_than_there_are_workers(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(workers=2)
    seen: set[int] = set()
    leases = 0
    most = 0
    lock, both = threading.Lock(), threading.Barrier(2)

    def serve(number: int) -> None:
        nonlocal leases, most
        with pool.lease() as child:
            with lock:
                leases += 1
                most = max(most, leases)
            if number < both.parties:
                both.wait(60)  # however busy the machine is, two work at once
            seen.add(pid_of(child, raw))
            with lock:
                leases -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(serve, range(60)))
    assert most == 2
    assert len(seen) == 2


def test_failing_children_do_not_hold_others_up(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(workers=2)
    deeds = [".good", ".crash", ".garbage", ".flood", ".good", ".exit", ".raise", ".good"] * 5

    def serve(deed: str) -> str:
        try:
            with pool.lease() as child:
                pid_of(child, raw, deed)
        except ChildFault as fault:
            return fault.code
        return "good"

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(serve, deeds))
    expected = {
        ".good": "good",
        ".garbage": Code.SANDBOX_PROTOCOL.value,
        ".flood": Code.SANDBOX_PROTOCOL.value,
    }
    assert answers == [expected.get(deed, Code.SANDBOX_CRASHED.value) for deed in deeds]


def test_a_child_killed_from_outside_is_not_the_files_fault(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = pid_of(child, raw)
        threading.Timer(0.2, os.kill, (first, signal.SIGKILL)).start()
        assert pid_of(child, raw, ".wait") != first


def test_a_file_whose_child_is_killed_twice_is_refused(make_pool: PoolMaker, raw: int) -> None:
    """As the system does when memory runs out."""
    pool = make_pool()
    with pool.lease() as child:
        first = pid_of(child, raw)
    zygote = zygote_of(first)
    done = threading.Event()

    def kill_children() -> None:
        while not done.wait(0.05):
            with open(f"/proc/{zygote}/task/{zygote}/children") as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGKILL)

    killer = threading.Timer(0.1, kill_children)
    with pool.lease() as child:
        killer.start()
        try:
            with pytest.raises(ChildFault) as caught:
                pid_of(child, raw, ".wait")
        finally:
            done.set()
            killer.join()
    assert caught.value.code == Code.SANDBOX_MEMORY


def test_a_dead_zygote_is_replaced_and_takes_its_children_along(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    with pool.lease() as child:
        first = pid_of(child, raw)
        zygote = zygote_of(first)
        threading.Timer(0.2, os.kill, (zygote, signal.SIGKILL)).start()
        second = pid_of(child, raw, ".wait")  # asked again, of a new zygote's child
    assert second != first
    assert wait_for(lambda: not is_running(first))
    assert zygote_of(second) != zygote


def test_an_idle_pool_whose_zygote_died_goes_on(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    (first,) = pids(pool, raw, 1)
    os.kill(zygote_of(first), signal.SIGKILL)
    assert wait_for(lambda: not is_running(first))
    (second,) = pids(pool, raw, 1)
    assert second != first


def test_everything_dies_with_the_gateway(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
from tests.sandbox.conftest import LIMITS, HOSTILE
from transfer.model.search import Search
from transfer.sandbox.pool import Pool, Role
from transfer.sandbox.confine import ChildLimits
pool = Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(), command=HOSTILE)
raw = os.open({str(tmp_path)!r}, os.O_RDONLY)
with pool.lease() as child:
    reply = child.examine(os.open("/dev/null", os.O_RDONLY), suffix=".good", limits=LIMITS, search=Search(), seconds=10)
    print(reply.findings[0].detail["got"], flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        child = int(gateway.stdout.readline())
        zygote = zygote_of(child)
        gateway.kill()
    assert wait_for(lambda: not is_running(zygote) and not is_running(child))


def test_a_closed_pool_says_so_to_who_waits_and_who_comes(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    pool.warm()
    threading.Timer(0.2, pool.close).start()
    with pytest.raises(Unavailable), pool.lease() as child:
        pid_of(child, raw, ".loop")
    with pytest.raises(Unavailable, match="closed"), pool.lease():
        pass


def test_a_zygote_that_cannot_start_is_a_sentence() -> None:
    for command, word in (
        ((sys.executable, "-c", "import sys; sys.exit(3)"), "ends as soon as"),
        ((sys.executable, "-P", "-m", "tests.sandbox.broken_entry"), "LookupError"),
        (("/nowhere/python",), "could not be started"),
    ):
        with (
            pytest.raises(Unavailable, match=word),
            Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(), command=command) as pool,
        ):
            pool.warm()


def test_a_pool_without_workers_is_misuse() -> None:
    with pytest.raises(Misuse):
        Pool(role=Role.MEDIA, workers=0, limits=ChildLimits(), command=HOSTILE)


def test_a_confined_gateway_keeps_its_pool(tmp_path: Path) -> None:
    """Starts the zygote, hands files over, kills what hangs and starts again, all from within its own limits."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "raw").write_bytes(b"raw bytes")
    paths = GatewayPaths(staging=(), readable=(Path(__file__).parents[1],), owned=(tmp_path / "state",), release=None)

    def line() -> list[str]:
        answers = []
        raw = os.open(tmp_path / "state" / "raw", os.O_RDONLY)
        output = os.open(tmp_path / "state" / "clean", os.O_RDWR | os.O_CREAT, 0o600)
        limits = ChildLimits(memory_bytes=256 << 20)
        with Pool(role=Role.MEDIA, workers=1, limits=limits, command=HOSTILE) as pool:
            for deed in (".good", ".loop", ".crash", ".good"):
                try:
                    with pool.lease() as child:
                        child.examine(raw, suffix=deed, limits=LIMITS, search=Search(), seconds=0.5)
                        recipe = Recipe(quality=1)
                        child.rebuild(raw, output, format=Format.PNG, recipe=recipe, limits=LIMITS, seconds=5)
                    answers.append("good")
                except ChildFault as fault:
                    answers.append(fault.code)
        return [*answers, str(os.pread(output, 100, 0))]

    seen = tried(lambda: confine_gateway(paths), {"line": line})
    expected = ["good", "sandbox-timeout", "sandbox-crashed", "good", "b'made of raw bytes'"]
    assert seen == {"line": f"worked: {expected}"}


def test_children_that_are_confined_as_far_as_possible_are_so_here(raw: int) -> None:
    with (
        Pool(role=Role.MEDIA, workers=1, limits=ChildLimits(), prefer=True, command=HOSTILE) as pool,
        pool.lease() as child,
    ):
        reply = child.examine(raw, suffix=".try", limits=LIMITS, search=Search(), seconds=10)
    got = {finding.detail["what"]: finding.detail["got"] for finding in reply.findings}
    assert got["open a file"] == got["fork"] == got["an internet socket"] == "errno 1"


def test_markings_that_do_not_fit_are_misuse(make_pool: PoolMaker, raw: int) -> None:
    with pytest.raises(Misuse, match="markings"), make_pool().lease() as child:
        child.examine(raw, suffix="", limits=LIMITS, search=Search(marks=("x",) * 5000), seconds=1)


def test_no_descriptor_is_left_behind(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool()
    pids(pool, raw, 3)
    before = len(os.listdir("/proc/self/fd"))
    for deed in (".good", ".crash", ".garbage", ".good"):
        try:
            with pool.lease() as child:
                pid_of(child, raw, deed)
        except ChildFault:
            continue
    pids(pool, raw, 2)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_lease_and_a_request_cost_well_under_a_millisecond(make_pool: PoolMaker, raw: int) -> None:
    pool = make_pool(limits=ChildLimits(memory_bytes=256 << 20, files=10_000))
    pids(pool, raw, 20)
    times = []
    for _ in range(300):
        started = time.perf_counter()
        with pool.lease() as child:
            pid_of(child, raw)
        times.append(time.perf_counter() - started)
    assert sorted(times)[150] < 0.001


def test_only_one_writer_is_told_from_two(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    ours = os.open(path, os.O_RDWR)
    try:
        assert is_only_writer(ours)
        with handed_over(read=ours, write=ours):
            assert not is_only_writer(ours)
        assert is_only_writer(ours)
    finally:
        os.close(ours)
