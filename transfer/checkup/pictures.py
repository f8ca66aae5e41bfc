"""Can words in pictures be read, where the policy has them read?

What enters: an opened workspace. What leaves: a check, made by trying in a process of its own: the reader is heavy,
starts threads, and belongs into no process of the gateway's.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from transfer.checkup.check import Check, Standing
from transfer.wiring import Site

_SECONDS = 120
_TRY = "from transfer.inspection.ocr import load; load()"


def check_pictures(site: Site) -> Iterator[Check]:
    """Nothing where the policy does not ask for it."""
    if not site.policy.read_pictures:
        return
    try:
        tried = subprocess.run([sys.executable, "-P", "-c", _TRY], capture_output=True, timeout=_SECONDS, check=False)
        reads = tried.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        reads = False
    if reads:
        yield Check(name="pictures", standing=Standing.OK, sentence="Words in pictures can be read.")
        return
    yield Check(
        name="pictures",
        standing=Standing.UNAVAILABLE,
        sentence="The policy has words in pictures read, and what reads them cannot be loaded: they wait.",
        advice="Install the extra: pip install 'oneway-transfer[ocr]'.",
    )
