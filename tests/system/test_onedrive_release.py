"""The whole line to a device's folder in OneDrive, with real processes on both sides of the wire."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.graph.emulator.identities import person
from tests.policy.files import WHOLE
from tests.system.drives import Tenant
from tests.system.place import Place, end_family, running, wait_for
from tests.system.release_drive import ASIDE, IPAD, MANIFEST, RELEASE, Shore, shore, staged


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Shore]:
    with shore(place, tmp_path / "tenant") as made:
        yield made


def states(place: Place) -> dict[str, str]:
    return {row.name.text: row.state.value for row in place.rows()}


def released(site: Shore, *names: str) -> None:
    """Each of them is held, approved, and released; the manifest says so."""
    place = site.place
    wait_for(lambda: {states(place).get(name) for name in names} <= {"held", "released"}, 60, "the verdicts")
    place.approve_all()
    wait_for(lambda: {states(place)[name] for name in names} == {"released"}, 60, "the releases")
    wait_for(lambda: site.listed() == place.counts()["released"], 30, "the manifest")


def test_from_a_folder_on_the_disk_into_onedrive(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        wait_for(lambda: place.by_name("photo.jpg").retired, 20, "the end of its original")
    with running(place):  # a restart: what stands there is still known as ours
        place.drop("second.jpg", samples.jpeg(320, 240))
        released(site, "photo.jpg", "second.jpg")
    site.check()
    place.verify()
    assert list(place.release.iterdir()) == [], "nothing is written to the folder on the disk any more"
    assert site.drive.names(ASIDE) == []
    assert place.entries("return.refused") == place.entries("release.removed") == []
    assert len(place.entries("release.verified")) == 2


def test_from_onedrive_into_onedrive(site: Shore) -> None:
    place = site.place
    staging: Tenant = staged(site)
    staging.configure()
    site.configure(tenant=False)
    staging.drop("photo.jpg", samples.jpeg(640, 480))
    staging.drop("caption.txt", b"The open day begins at ten.\n")
    with running(place):
        released(site, "photo.jpg", "caption.txt")
        site.check()
    place.verify()


def test_one_round_goes_the_whole_way(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    place.must("run", "--once")
    assert states(place) == {"photo.jpg": "held"}
    place.approve_all()
    place.must("run", "--once")
    assert states(place) == {"photo.jpg": "released"}
    site.check()
    place.verify()


def test_what_somebody_else_puts_there_is_moved_aside_and_in_the_log(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        site.device.put(f"{RELEASE}/back.jpg", b"what the device made")
        wait_for(lambda: place.entries("return.refused"), 30, "the refusal")
        wait_for(lambda: "back.jpg" not in site.drive.names(RELEASE), 10, "its end there")
        site.check()
    (entry,) = place.entries("return.refused")
    assert entry["facts"]["moved_aside"] is True
    assert entry["facts"]["clauses"] == ["G5"]
    assert "back.jpg" not in str(entry)
    assert len(site.drive.names(ASIDE)) == 1
    place.verify()


def test_what_somebody_changed_is_moved_aside_and_the_genuine_file_put_again(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        (name,) = site.there()
        site.drive.by(IPAD).replace(site.drive.item(f"{RELEASE}/{name}"), b"something else")
        wait_for(lambda: place.entries("release.restored"), 40, "the genuine file")
        site.check()
        site.drive.by(person("Pat")).replace(site.drive.item(f"{RELEASE}/{MANIFEST}"), b"no manifest")
        wait_for(lambda: len(place.entries("release.altered")) == 2, 30, "the manifest's entry")
        wait_for(lambda: site.listed() == 1, 20, "the manifest")
        site.check()
    assert len(site.drive.names(ASIDE)) == 2
    place.verify()


def test_what_is_withdrawn_goes_from_there(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        place.withdraw(place.by_name("photo.jpg").item)
        wait_for(lambda: states(place)["photo.jpg"] == "withdrawn", 30, "the withdrawal")
        assert site.there() == {}
        wait_for(lambda: site.listed() == 0, 20, "the manifest")
    (entry,) = place.entries("file.withdrawn")
    assert entry["facts"]["still_there"] is True
    assert place.entries("release.removed") == []
    assert site.drive.names(ASIDE) == []
    place.verify()


def test_what_the_device_removed_is_in_the_log(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        (name,) = site.there()
        site.device.remove(site.drive.item(f"{RELEASE}/{name}"))
        wait_for(lambda: place.entries("release.removed"), 40, "its entry")
        wait_for(lambda: site.listed() == 0, 20, "the manifest")
    place.verify()


def test_an_edit_link_stops_releasing_until_it_is_gone(site: Shore) -> None:
    place = site.place
    site.configure()
    with running(place):
        wait_for(lambda: place.entries("release.enclosed"), 40, "the first audit")
        link = site.drive.link(site.release, "edit", "organization")
        wait_for(lambda: place.entries("release.exposed"), 40, "the audit that finds it")
        place.drop("photo.jpg", samples.jpeg(640, 480))
        wait_for(lambda: states(place).get("photo.jpg") == "held", 40, "the verdict")
        place.approve_all()
        wait_for(lambda: place.must("status", "--json").json["waits"], 10, "the wait in status")
        said = " ".join(place.must("status").out.split())
        assert "The release folder waits: A link lets people change the release folder." in said
        assert "Remove the link." in said
        assert states(place)["photo.jpg"] == "approved"
        assert site.there() == {}
        site.drive.withdraw(link)
        wait_for(lambda: states(place)["photo.jpg"] == "released", 60, "the release")
        site.check()
    (exposed,) = place.entries("release.exposed")
    assert exposed["facts"]["clauses"] == ["G5"]
    assert {one["breach"] for one in exposed["facts"]["breaches"]} == {"edit-link"}
    assert len(place.entries("release.enclosed")) == 2
    place.verify()


def test_where_the_policy_says_so_an_edit_link_is_recorded_and_releasing_goes_on(site: Shore) -> None:
    place = site.place
    tolerant = WHOLE.replace("stop_when_exposed = true", "stop_when_exposed = false")  # no overlay may say that
    tolerant = tolerant.replace('scan = "required"', 'scan = "when-available"')
    place.workspace.policy_file.write_text(tolerant)
    site.configure()
    site.drive.link(site.release, "edit", "organization")
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        wait_for(lambda: place.entries("release.exposed"), 40, "the audit that finds it")
        released(site, "photo.jpg")
        site.check()
        told = " ".join(place.must("audit", "show", "--event", "release.exposed").out.split())
        assert "A link lets people change the release folder [G5]." in told
    place.verify()


def test_a_picture_that_the_library_rewrote_is_taken_back_by_itself(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        (name,) = site.there()
        site.drive.rewrite_jpeg(site.drive.item(f"{RELEASE}/{name}"))
        wait_for(lambda: states(place)["photo.jpg"] == "withdrawn", 60, "the withdrawal")
        assert site.there() == {}
    (entry,) = place.entries("file.withdrawn")
    assert entry["facts"]["echo"] == "service-modified"
    assert "OneDrive did not have what was sent" in place.must("show", place.by_name("photo.jpg").item).out
    place.verify()


def test_killed_at_any_moment_it_goes_on(site: Shore) -> None:
    place = site.place
    site.configure()
    for number in range(6):
        place.drop(f"photo-{number}.jpg", samples.jpeg(160 + number, 120))
    for seconds in (2.0, 3.0, 4.0):
        with running(place) as gateway:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                place.approve_all()
                time.sleep(0.1)
            end_family(gateway.process.pid)
            gateway.process.wait()
            gateway.ended = True
    with running(place):
        released(site, *(f"photo-{number}.jpg" for number in range(6)))
        site.check()
    assert site.drive.names(ASIDE) == []
    assert len(place.entries("file.released")) == 6
    place.verify()


def test_a_picture_that_the_library_rewrote_stays_where_the_settings_say_so(site: Shore) -> None:
    place = site.place
    site.configure(keep=True)
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        released(site, "photo.jpg")
        (name,) = site.there()
        site.drive.rewrite_jpeg(site.drive.item(f"{RELEASE}/{name}"))
        wait_for(lambda: place.entries("release.rewritten"), 30, "its entry")
        place.drop("second.jpg", samples.jpeg(320, 240))
        released(site, "photo.jpg", "second.jpg")
    assert len(site.there()) == 2
    assert site.drive.names(ASIDE) == []
    assert place.entries("release.altered") == place.entries("return.refused") == []
    place.verify()


def test_a_workspace_moves_from_the_disk_into_onedrive(site: Shore) -> None:
    """What stands in the old folder is not there for the device any more, which is an entry; nothing is sent twice."""
    place = site.place
    place.drop("photo.jpg", samples.jpeg(640, 480))
    place.must("run", "--once")
    place.approve_all()
    place.must("run", "--once")
    place.check_release()
    site.configure()
    place.drop("second.jpg", samples.jpeg(320, 240))
    with running(place):
        wait_for(lambda: states(place).get("second.jpg") == "held", 40, "the verdict")
        place.approve_all()
        wait_for(lambda: states(place)["second.jpg"] == "released", 40, "the release")
        wait_for(lambda: place.entries("release.removed"), 90, "the entry about the first")
        wait_for(lambda: site.listed() == 1, 30, "the manifest")
    assert list(site.there()) == ["second.jpg"]
    assert site.drive.names(ASIDE) == []
    place.verify()


def test_a_writer_that_has_to_wait_says_so(site: Shore) -> None:
    place = site.place
    site.configure()
    place.drop("photo.jpg", samples.jpeg(640, 480))
    with running(place):
        wait_for(lambda: site.listed() == 0, 40, "the first manifest")
        wait_for(lambda: states(place).get("photo.jpg") == "held", 40, "the verdict")
        site.world.switch(retry_after=25)
        site.world.fault("throttle", token="writer", times=1)
        place.approve_all()
        wait_for(lambda: "The release folder waits" in " ".join(place.must("status").out.split()), 20, "the wait")
        (wait,) = [one for one in place.must("status", "--json").json["waits"] if one["who"] == "release folder"]
        assert "slow down" in wait["why"]
        assert wait["until"]
        wait_for(lambda: states(place)["photo.jpg"] == "released", 60, "the release")
        wait_for(lambda: "release folder" not in place.must("status").out, 10, "the end of the wait")
    site.check()
    assert site.world.counted("impatient", token="writer") == 0
