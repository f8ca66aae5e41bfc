"""For all tests: with TRANSFER_TESTS_SKIP_NOTHING=1, as in CI, a test that would be skipped fails with its reason.

No example of a property test has a time of its own: a busy machine is no defect.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

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
