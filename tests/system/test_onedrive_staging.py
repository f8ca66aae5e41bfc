"""The whole line from a folder in OneDrive to the device's folder, with real processes on both sides of the wire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.system.drives import FOLDER, IPAD, SAM, Tenant, tenant
from tests.system.mixture import mixture
from tests.system.place import Place, end_family, running, start, stop, wait_for


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Tenant]:
    with tenant(place, tmp_path / "tenant") as made:
        yield made


def states(place: Place) -> dict[str, str]:
    return {row.name.text: row.state.value for row in place.rows()}


def test_what_is_dropped_in_onedrive_is_released_in_the_folder(site: Tenant) -> None:
    place = site.place
    site.configure()
    with running(place):
        site.drop("photo.jpg", samples.jpeg(640, 480))
        wait_for(lambda: states(place).get("photo.jpg") == "held", 40, "the verdict")
        row = place.by_name("photo.jpg")
        assert row.submitter == place.site.settings.sources[0].submitter_id
        assert row.campaign == "open-day"
    with running(place):  # a restart between verdict and approval
        place.approve_all()
        wait_for(lambda: states(place)["photo.jpg"] == "released", 40, "the release")
        wait_for(lambda: place.by_name("photo.jpg").retired, 20, "the end of its original")
        site.drop("second.jpg", samples.jpeg(320, 240))
        wait_for(lambda: states(place).get("second.jpg") == "held", 40, "the second verdict")
    assert [entry["facts"]["removed"] for entry in place.entries("original.retired")] == [False]
    assert site.drive.names(f"{FOLDER}/open-day") == ["photo.jpg", "second.jpg"], "the reader removes nothing"
    assert len(place.rows()) == 2, "what stays in the drive is not taken up again"
    place.check_release()
    place.verify()
    shown = place.must("show", row.item).out + place.must("status", "--all").out
    assert "photo.jpg" in shown
