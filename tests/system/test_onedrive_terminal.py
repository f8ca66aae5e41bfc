"""What the terminal says of a device's folder in OneDrive: no more than what holds there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.system.place import Place, running, wait_for
from tests.system.release_drive import ASIDE, RELEASE, Shore, shore


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Shore]:
    with shore(place, tmp_path / "tenant") as made:
        yield made


def test_it_claims_no_kernel_for_what_is_elsewhere_and_no_digest_that_nobody_took(site: Shore) -> None:
    place = site.place
    site.configure()
    with running(place) as gateway:
        wait_for(lambda: "one way" in gateway.said(), 40, "the greeting")
        site.device.put(f"{RELEASE}/back.jpg", samples.jpeg(64, 48))
        wait_for(lambda: "refused on the device's side" in gateway.said(), 60, "the news")
        told = gateway.said()
    assert "enforced by the kernel" not in told
    assert "closed lists of requests" in told
    (line,) = [line for line in told.splitlines() if "refused on the device's side" in line]
    assert line.endswith("bytes), moved aside [G5]")
    assert "sha256" not in line
    assert len(site.drive.names(ASIDE)) == 1
