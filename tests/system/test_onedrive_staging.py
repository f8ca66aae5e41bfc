"""The whole line from a folder in OneDrive to the device's folder, with real processes on both sides of the wire."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import samples
from tests.cli.test_formats import fits
from tests.graph.emulator.identities import application
from tests.system.drives import FOLDER, IPAD, SAM, Tenant, tenant
from tests.system.mixture import mixture
from tests.system.place import Place, end_family, running, wait_for


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


def test_nothing_is_lost_or_doubled_while_one_request_in_twenty_fails(site: Tenant) -> None:
    place, files = site.place, mixture(40)
    site.configure()
    site.world.switch(delta_duplicates=0.2, delta_shuffle=True, page_size=10)
    site.world.random_faults(0.05, seed=4)
    for dropped in files[:20]:
        site.drop(dropped.name, dropped.content, post=dropped.post)
    with running(place) as first:
        wait_for(lambda: len(place.rows()) >= 8, 90, "the first files")
        end_family(first.process.pid)
        first.process.wait()
        first.ended = True
    for dropped in files[20:]:
        site.drop(dropped.name, dropped.content, post=dropped.post)
    with running(place):
        wait_for(lambda: len(place.rows()) == len(files), 300, "all files")
        good = sum(dropped.good for dropped in files)
        wait_for(lambda: place.approve_all() + place.counts().get("released", 0) >= good, 120, "all verdicts")
        wait_for(lambda: place.counts().get("released") == good, 60, "all releases")
        assert set(place.counts()) <= {"released", "refused", "held"}
    assert sum(site.world.faults_met().values()) >= 5, "the faults were there"
    assert Counter(row.name.text for row in place.rows()).most_common(1)[0][1] == 1
    entered = Counter(entry["item"] for event in ("file.spooled", "file.refused") for entry in place.entries(event))
    assert len(entered) == len(files)
    place.check_release()
    place.verify()


def test_the_device_s_file_is_refused_logged_without_names_and_never_released(site: Tenant) -> None:
    place = site.place
    site.configure()
    site.drive.by(IPAD).put(f"{FOLDER}/open-day/back.jpg", samples.jpeg(64, 48))
    with running(place):
        wait_for(lambda: states(place).get("back.jpg") == "refused", 40, "the refusal")
        (entry,) = place.entries("file.refused")
        rules = {reason["rule"] for reason in entry["facts"]["reasons"]}
        assert "not-from-the-device" in rules
        assert {"written-by-device"} <= {finding["code"] for finding in entry["facts"]["findings"]}
        for private in (str(IPAD.email), str(IPAD.id), str(SAM.id), "back.jpg"):
            assert private not in str(entry)
        row = place.by_name("back.jpg")
        assert "device's own account" in " ".join(place.must("show", row.item).out.split())
        notes = [path.read_text() for path in place.workspace.feedback.rglob("*") if path.is_file()]
        assert any("device's own account" in " ".join(note.split()) for note in notes)
    place.verify()


def test_a_refused_right_is_waited_for_and_told_in_status(site: Tenant) -> None:
    place = site.place
    site.configure(token="nobody")
    with running(place) as gateway:
        wait_for(lambda: "source «staff» waits" in place.must("status").out, 60, "the wait in status")
        told = place.must("status", "--json").json
        fits("status", told)
        assert [(wait["who"], "401" in wait["why"], wait["until"]) for wait in told["waits"]] == [("staff", True, None)]
        assert "waiting" in gateway.complained()
        site.world.allow(site.world.sign_in("nobody", application("late")), "read", site.drive)
        site.drop("photo.jpg", samples.jpeg(64, 48))
        wait_for(lambda: states(place).get("photo.jpg") == "held", 60, "the verdict")
        wait_for(lambda: "source «staff» waits" not in place.must("status").out, 10, "the end of the wait")
        assert place.must("status", "--json").json["waits"] == []


def test_what_onedrive_asks_for_is_told_with_its_time_and_is_over_with_the_gateway(site: Tenant) -> None:
    place = site.place
    before = place.workspace.settings_file.read_text()
    site.configure()
    site.world.fault("throttle", path="delta", retry_after=300, times=1000)
    with running(place):
        wait_for(lambda: place.must("status", "--json").json["waits"], 60, "the wait in status")
        told = place.must("status", "--json").json
        fits("status", told)
        assert told["waits"][0]["until"] > told["waits"][0]["until"][:10]
        assert "Until" in place.must("status").out
    assert place.must("status", "--json").json["waits"] == []
    assert "waits" not in place.must("status").out
    place.close()
    place.workspace.settings_file.write_text(before)  # a source that is no more waits for nothing
    with running(place):
        place.drop("disk.jpg", samples.jpeg(64, 48))
        wait_for(lambda: states(place).get("disk.jpg") == "held", 40, "the verdict")
        assert place.must("status", "--json").json["waits"] == []


@pytest.mark.parametrize(
    ("fault", "path", "options"),
    [("throttle", "delta", {"retry_after": 30, "times": 1000}), ("slow", "/download/", {"seconds": 30})],
    ids=["it-asks-to-wait", "a-film-takes-long"],
)
def test_folders_do_not_wait_for_a_drive(site: Tenant, fault: str, path: str, options: dict[str, int]) -> None:
    place = site.place
    site.configure()
    with running(place) as gateway:
        place.drop("first.jpg", samples.jpeg(64, 48))
        wait_for(lambda: states(place).get("first.jpg") == "held", 40, "the first verdict")
        site.world.fault(fault, path=path, **options)
        site.drop("drive.jpg", samples.jpeg(320, 240))
        wait_for(lambda: site.world.faults_met().get(fault), 20, "what the drive makes us wait for")
        place.drop("disk.jpg", samples.jpeg(160, 120))
        took = wait_for(lambda: states(place).get("disk.jpg") == "held", 20, "the verdict on what lies in a folder")
        assert "drive.jpg" not in states(place)
        site.world.no_faults()
    assert "was closed" not in gateway.complained(), "what the stop itself ended is no news"
    print(f"{took:.1f} s while the drive had us wait for 30")


def onedrive_checks(place: Place) -> list[tuple[str, str]]:
    return [
        (check["status"], check["sentence"])
        for check in place.command("doctor", "--json").json["checks"]
        if check["name"] == "onedrive"
    ]


def test_doctor_tries_the_rights_of_the_reader_without_leaving_a_trace(site: Tenant) -> None:
    place = site.place
    assert onedrive_checks(place) == []
    site.configure()
    before = site.drive.names(FOLDER)
    assert [status for status, _ in onedrive_checks(place)] == ["ok", "ok"]
    site.world.allow("reader", "write", site.drive)
    standing = onedrive_checks(place)
    assert [status for status, _ in standing] == ["ok", "misconfigured"]
    assert "can also write" in standing[1][1]
    assert site.drive.names(FOLDER) == before
    settings = place.workspace.settings_file
    settings.write_text(settings.read_text().replace('token = "reader"', 'token = "nobody"'))
    assert [status for status, _ in onedrive_checks(place)] == ["unavailable", "unavailable"]
    unnamed = re.sub("device_accounts = .*", "device_accounts = []", settings.read_text())
    settings.write_text(unnamed)
    assert onedrive_checks(place)[0] == ("note", "No account of the device is named for «staff».")


@pytest.mark.slow
def test_ten_thousand_old_items_do_not_delay_the_first_decision(site: Tenant) -> None:
    place = site.place
    old = site.drive.by(SAM)
    with site.world.together():
        for number in range(10_000):
            old.put(f"{FOLDER}/open-day/old-{number % 100}/{number}.txt", b"An old caption.")
    site.configure(settle=0.5)
    began = time.monotonic()
    with running(place):
        wait_for(lambda: place.counts().keys() & {"held", "refused"}, 60, "the first decision")
        took = time.monotonic() - began
    print(f"first decision {took:.1f} s after the start of the process")
    assert took < 20, "10 s on a machine with nothing else to do"


def test_one_round_takes_what_is_there_and_says_what_could_not_be_asked(site: Tenant) -> None:
    place = site.place
    site.configure()
    site.drop("drive.jpg", samples.jpeg(640, 480))
    place.drop("disk.jpg", samples.jpeg(320, 240))
    place.must("run", "--once")
    assert states(place) == {"drive.jpg": "held", "disk.jpg": "held"}
    site.world.fault("status", path="delta", status=403, code="accessDenied", times=1000)
    place.drop("second.jpg", samples.jpeg(160, 120))
    answer = place.command("run", "--once")
    assert answer.code == 3
    assert "403" in answer.err
    assert states(place)["second.jpg"] == "held", "a drive that cannot be asked keeps nobody else waiting"
    site.world.no_faults()
    site.world.fault("slow", path="/download/", seconds=5)
    site.drop("third.jpg", samples.jpeg(64, 48))
    place.drop("fourth.jpg", samples.jpeg(48, 64))
    place.must("run", "--once")
    assert states(place)["third.jpg"] == states(place)["fourth.jpg"] == "held", "one round waits for what comes slowly"
