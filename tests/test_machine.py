"""What making test material must not do to the machine."""

from __future__ import annotations

import os

from tests import samples


def test_encoding_a_film_leaves_the_priority_alone() -> None:
    """SVT-AV1 asks for SCHED_FIFO 99 as root; a spinning process with that stops everything else on the machine."""
    samples.mp4(0.2, width=64, height=48, codec="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    assert all(os.sched_getscheduler(int(thread)) == os.SCHED_OTHER for thread in os.listdir("/proc/self/task"))
