"""`transfer doctor` with the device's folder in OneDrive: all is tried, nothing shows there, what is wrong is said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.place import Place
from tests.system.release_drive import ASIDE, IPAD, RELEASE, Shore, shore, staged

REACHES = "can reach the staging folder of «staff», whose files nobody has looked at yet (G5)."


@pytest.fixture
def site(place: Place, tmp_path: Path) -> Iterator[Shore]:
    with shore(place, tmp_path / "tenant") as made:
        yield made


def checks(place: Place, *names: str) -> list[tuple[str, str]]:
    answer = place.command("doctor", "--json")
    return [(check["status"], check["sentence"]) for check in answer.json["checks"] if check["name"] in names]


def test_doctor_tries_every_right_at_both_ends_and_leaves_no_trace(site: Shore) -> None:
    place = site.place
    staged(site).configure()
    site.configure(tenant=False)
    found = checks(place, "onedrive")
    assert {status for status, _ in found} == {"ok"}, found
    assert len(found) == 12  # two of the reader, ten of the release end
    settings = place.workspace.settings_file
    configured = settings.read_text()
    settings.write_text(
        configured.replace(f'device_accounts = ["{IPAD.email}"]', 'device_accounts = ["other@x.example"]')
    )
    said = "The account of [guard.onedrive] is not among those of the device that «staff» names."
    assert checks(place, "onedrive")[0] == ("note", said)
    settings.write_text(configured)
    assert {status for status, _ in checks(place, "kernel valve", "folders", "device")} <= {"ok", "note"}
    site.drive.link(site.drive.item(RELEASE), "edit", "organization")
    site.world.allow("writer", "read", site.world.drive("staging"))
    site.drive.permit(site.drive.item(ASIDE), IPAD)
    said = {sentence for status, sentence in checks(place, "onedrive") if status == "misconfigured"}
    assert said == {
        "A link lets people change the release folder.",
        "The device's account has a right on the folder aside.",
        f"The identity that writes the release folder {REACHES}",
    }
    assert place.command("doctor").code == 2
    assert site.drive.names(RELEASE) == site.drive.names(ASIDE) == []
    assert site.downloads() == 0


def test_a_guard_s_key_among_the_gateway_s_is_said_with_what_to_do(site: Shore) -> None:
    place = site.place
    site.configure()
    key = place.workspace.keys / "guard.pem"
    key.touch(0o600)
    settings = place.workspace.settings_file
    with_key = f'kind = "certificate"\nclient = "guard-app"\ncertificate = "{key}"'
    settings.write_text(settings.read_text().replace('kind = "token"\ntoken = "guard"', with_key))
    said = "«read the return guard's guard.pem» by the gateway must be refused, but it ended with: worked."
    assert ("unavailable", said) in checks(place, "kernel valve")
    answer = place.command("doctor")
    assert "of which the gateway reads nothing" in " ".join(answer.out.split())


def test_a_service_that_cannot_be_reached_is_waited_for_once(site: Shore) -> None:
    place = site.place
    staged(site).configure()
    site.configure(tenant=False)
    site.emulator.kill()
    began = time.monotonic()
    found = checks(place, "onedrive")
    assert time.monotonic() - began < 40, "one patience of 15 s, and not ten"
    assert [status for status, _ in found] == ["unavailable"], found
    site.emulator.start()
