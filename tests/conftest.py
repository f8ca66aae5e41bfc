"""For all tests: with TRANSFER_TESTS_SKIP_NOTHING=1, as in CI, a test that would be skipped fails with its reason.

No example of a property test has a time of its own: a busy machine is no defect. And no film that a test makes takes
the processors from everybody: as root, SVT-AV1 gives whoever encodes with it the real-time priority 99, which the
processes that a test starts inherit, so that a single one of them that spins stops the whole machine.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

_LINUX_CAPABILITY_VERSION_3 = 0x20080522
_CAP_SYS_NICE = 23


def _without_real_time() -> None:
    """Takes CAP_SYS_NICE from this thread, and so from those it starts; what they execute as root has it again."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_LINUX_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice, 32 capabilities each
    if libc.capget(header, sets) == 0:
        sets[0] &= ~(1 << _CAP_SYS_NICE)
        libc.capset(header, sets)


_without_real_time()

SKIP_NOTHING = os.environ.get("TRANSFER_TESTS_SKIP_NOTHING") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A skip becomes a failure (an expected failure stays one)."""
    report = yield
    return _unskipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """The same for whole modules that skip themselves."""
    report = yield
    return _unskipped(report)


def _unskipped(report):
    if SKIP_NOTHING and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped here (TRANSFER_TESTS_SKIP_NOTHING). {reason}"
    return report
