"""What `transfer doctor` tries at a release folder in OneDrive: with the right grants, and with each wrong one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, group, person, site_group
from tests.graph.emulator.items import Item
from tests.graph.test_session_limits import walk
from transfer.checkup.check import Check, Standing
from transfer.checkup.drive_sessions import build_onlooker
from transfer.checkup.drives import GATEWAY_TRIES, GUARD_TRIES
from transfer.checkup.release_drive import Shore, check_each, shore_of
from transfer.device_settings import GuardDriveSettings, ReleaseDriveSettings
from transfer.graph_settings import CredentialKind, CredentialSettings, OneDriveSettings, StagingSettings
from transfer.settings import Settings
from transfer.wiring import SystemClock

IPAD, PAT, SAM = person("iPad"), person("Pat"), person("Sam")
WRITER, GUARD, READER = application("Writer"), application("Guard"), application("Reader")
REACHES = "can reach the staging folder of «staff», whose files nobody has looked at yet (G5)."
BACK = "what lies there could come back (G5)."


def token(name: str, client: str | None = None) -> CredentialSettings:
    return CredentialSettings(kind=CredentialKind.TOKEN, token=name, client=client or "")


class Coast:
    """Two sites as they must be: the writer writes, the guard has full control, the device reads one folder."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator, self.world = emulator, emulator.world
        self.site: Drive = self.world.drive("Release")
        self.staging: Drive = self.world.drive("Staging")
        self.release = self.site.by(PAT).folder("Gateway/Release")
        self.aside = self.site.by(PAT).folder("Gateway/Release-aside")
        self.drop = self.staging.by(PAT).folder("Gateway/Drop")
        self.known: tuple[str, ...] = ()
        for name, who, role, drive in (
            ("writer", WRITER, "write", self.site),
            ("guard", GUARD, "fullcontrol", self.site),
            ("reader", READER, "read", self.staging),
        ):
            self.world.allow(self.world.sign_in(name, who, directory=name == "guard"), role, drive)
        self.site.permit(self.release, IPAD)
        self.site.permit(self.site.item(), PAT, roles=("owner",))
        self.site.by(WRITER).put("Gateway/Release/film.mp4", b"film")

    def shore(self, *, folder: Item | str | None = None, aside: Item | str | None = None) -> Shore:
        """What the settings would say."""
        base = self.emulator.base_url
        return Shore(
            tenant=OneDriveSettings(tenant="university.example", base_url=base),
            release=ReleaseDriveSettings(
                drive=self.site.id, folder=_id(folder or self.release), credential=token("writer", str(WRITER.id))
            ),
            guard=GuardDriveSettings(
                aside=_id(aside or self.aside),
                device=str(IPAD.id),
                device_addresses=(str(IPAD.email),),
                known=self.known,
                credential=token("guard"),
            ),
            stagings=(
                (
                    "staff",
                    StagingSettings(
                        drive=self.staging.id,
                        folder=self.drop.id,
                        credential=token("reader"),
                        staff={str(SAM.id): "u_" + "1" * 32},
                    ),
                ),
            ),
            clock=SystemClock(),
        )

    def checks(self, **other: Item | str) -> list[Check]:
        return list(check_each(self.shore(**other), *GATEWAY_TRIES, *GUARD_TRIES))

    def wrong(self, **other: Item | str) -> list[str]:
        """The sentences of what is not as it must be; each with what to do."""
        found = [check for check in self.checks(**other) if check.standing is not Standing.OK]
        assert all(check.advice.endswith(".") for check in found)
        return [check.sentence for check in found]

    def reduce(self, name: str, role: str | None) -> None:
        """Another role for a token, everywhere; none at all."""
        self.world.database.run("DELETE FROM rights WHERE token = ?", name)
        if role is not None:
            self.world.allow(name, role, self.staging if name == "reader" else self.site)


def _id(item: Item | str) -> str:
    return item if isinstance(item, str) else item.id


@pytest.fixture
def coast(tmp_path: Path) -> Iterator[Coast]:
    with Emulator(tmp_path / "tenant") as emulator:
        made = Coast(emulator)
        yield made
        assert emulator.world.counted("errors") == 0, "the emulator failed"
        assert emulator.world.counted("content_bytes") + emulator.world.counted("content_requests") == 0
        assert made.site.names("Gateway/Release") == ["film.mp4"], "nothing was to show"
        assert made.site.names("Gateway/Release-aside") == []
        uploads = emulator.world.database.all("SELECT id FROM sessions")
        assert list(uploads) == [], "every upload was cancelled"


def test_two_sites_as_they_must_be(coast: Coast) -> None:
    found = coast.checks()
    assert {check.standing for check in found} == {Standing.OK}, found
    assert [check.sentence for check in found] == [
        "The release folder can be written to: an upload was begun and cancelled, and nothing showed.",
        "The identity that writes the release folder reaches no staging folder.",
        "The identity that reads «staff» reaches neither the release folder nor the folder aside.",
        "The return guard is told what changes in the release folder.",
        "The folder aside lies in the same drive, apart from the release folder.",
        "The return guard may move things out of the release folder.",
        "The return guard may move things into the folder aside.",
        "The return guard's identity reaches no staging folder.",
        "The device's account may read the release folder and nothing more.",
        "Nothing says that the device's account can see the folder aside.",
    ]
    assert {asked.method for asked in coast.world.asked(token="guard")} == {"GET", "POST"}, "nothing was moved"


def site_read(coast: Coast) -> None:
    coast.site.permit(coast.site.item(), IPAD)


def readers_group(coast: Coast) -> None:
    readers = group("Readers")
    coast.world.member(readers, IPAD)
    coast.site.permit(coast.aside, readers)


def unknown_group(coast: Coast) -> None:
    coast.site.permit(coast.aside, group("Nobody knows"))


GRANTS: dict[str, tuple[Callable[[Coast], object], str]] = {
    "writer: no right": (
        lambda coast: coast.reduce("writer", None),
        "The identity that writes the release folder may not even see it.",
    ),
    "writer: read": (
        lambda coast: coast.reduce("writer", "read"),
        "The identity that writes the release folder may see it, and put nothing there.",
    ),
    "writer: staging too": (
        lambda coast: coast.world.allow("writer", "read", coast.staging),
        f"The identity that writes the release folder {REACHES}",
    ),
    "reader: release too": (
        lambda coast: coast.world.allow("reader", "read", coast.site),
        f"The identity that reads «staff» can reach the release folder and the folder aside: {BACK}",
    ),
    "reader: aside too": (
        lambda coast: coast.world.allow("reader", "read", coast.site, "Gateway/Release-aside"),
        f"The identity that reads «staff» can reach the folder aside: {BACK}",
    ),
    "guard: no right": (
        lambda coast: coast.reduce("guard", None),
        "The return guard may not look into the release folder: without its eyes nothing is released (G5).",
    ),
    "guard: read": (
        lambda coast: coast.reduce("guard", "read"),
        "The return guard may change nothing in the release folder: what is not ours would stay where it is (G5).",
    ),
    "guard: write, and so not told who may what": (
        lambda coast: coast.reduce("guard", "write"),
        "No permission on the release folder says that the device's account may read it.",
    ),
    "guard: staging too": (
        lambda coast: coast.world.allow("guard", "read", coast.staging),
        f"The return guard's identity {REACHES}",
    ),
    "device: write": (
        lambda coast: coast.site.permit(coast.release, IPAD, roles=("write",)),
        "The device's account has more than the right to read the release folder.",
    ),
    "device: write on a file": (
        lambda coast: coast.site.permit(coast.site.item("Gateway/Release/film.mp4"), IPAD, roles=("write",)),
        "The device's account has more than the right to read a file in the release folder.",
    ),
    "device: owner above": (
        lambda coast: coast.site.permit(coast.site.item(), IPAD, roles=("owner",)),
        "The device's account has more than the right to read a folder above the release folder.",
    ),
    "device: whole site": (site_read, "The device's account has a right on the folder aside."),
    "device: a level of the site": (
        lambda coast: coast.site.permit(coast.release, IPAD, roles=()),
        "A permission on the release folder has no role, or one that cannot be judged.",
    ),
    "edit link": (
        lambda coast: coast.site.link(coast.release, "edit", "organization"),
        "A link lets people change the release folder.",
    ),
    "anonymous link": (
        lambda coast: coast.site.link(coast.release, "view", "anonymous"),
        "A link lets anybody in the world open the release folder.",
    ),
    "embedding": (
        lambda coast: coast.site.link(coast.release, "embed", "organization"),
        "There is a link of an unknown kind to the release folder.",
    ),
    "group on the release folder": (
        lambda coast: coast.site.permit(coast.release, group("Nobody knows")),
        "Nobody can say whether the device's account is in a group with rights on the release folder.",
    ),
    "link to aside": (
        lambda coast: coast.site.link(coast.aside, "view", "organization"),
        "There is a link to the folder aside.",
    ),
    "device in a group on aside": (
        readers_group,
        "A group that the device's account is in has a right on the folder aside.",
    ),
    "unknown group on aside": (
        unknown_group,
        "Nobody can say whether the device's account is in a group with rights on the folder aside.",
    ),
    "visitors of the site on aside": (
        lambda coast: coast.site.permit(coast.aside, site_group("Visitors")),
        "Nobody can say whether the device's account is in a group with rights on the folder aside.",
    ),
}


@pytest.mark.parametrize(("grant", "sentence"), GRANTS.values(), ids=GRANTS)
def test_each_wrong_grant_is_found(coast: Coast, grant: Callable[[Coast], object], sentence: str) -> None:
    grant(coast)
    assert sentence in coast.wrong()


def test_where_permissions_are_not_told_nothing_is_said_of_the_folder_aside(coast: Coast) -> None:
    coast.reduce("guard", "write")
    assert not any("can see the folder aside" in check.sentence for check in coast.checks())


def test_a_group_can_be_vouched_for_and_doctor_says_by_which_id(coast: Coast) -> None:
    members = site_group("Members")
    coast.site.permit(coast.site.item(), members, roles=("write",))
    found = [check for check in coast.checks() if check.standing is not Standing.OK]
    assert [check.sentence.rpartition(" on ")[2] for check in found] == [
        "a folder above the release folder.",
        "the folder aside.",
    ], "once where it was granted, although it is told of everything below"
    assert all(f"Its id here is {members.id}." in check.advice for check in found)
    coast.known = (str(members.id),)
    assert coast.wrong() == []


FOLDERS: dict[str, tuple[Callable[[Coast], dict[str, Item | str]], str]] = {
    "no such folder": (lambda coast: {"folder": "01NOBODY"}, "[release.onedrive] names no folder of the drive."),
    "a file": (
        lambda coast: {"folder": coast.site.item("Gateway/Release/film.mp4")},
        "[release.onedrive] names no folder of the drive.",
    ),
    "aside in another drive": (
        lambda coast: {"aside": coast.staging.by(PAT).folder("Aside")},
        "`aside` of [guard.onedrive] names no folder of the release folder's drive.",
    ),
    "aside is a file": (
        lambda coast: {"aside": coast.site.item("Gateway/Release/film.mp4")},
        "`aside` of [guard.onedrive] names no folder of the release folder's drive.",
    ),
    "aside in the release folder": (
        lambda coast: {"folder": coast.site.item("Gateway"), "aside": coast.aside},
        "The release folder and the folder aside lie in one another: the device would see what was moved aside.",
    ),
    "release folder in aside": (
        lambda coast: {"aside": coast.site.item("Gateway")},
        "The release folder and the folder aside lie in one another: the device would see what was moved aside.",
    ),
    "the root as release folder": (
        lambda _coast: {"folder": "root"},
        "The release folder and the folder aside lie in one another: the device would see what was moved aside.",
    ),
}


@pytest.mark.parametrize(("named", "sentence"), FOLDERS.values(), ids=FOLDERS)
def test_each_wrong_folder_is_found(
    coast: Coast, named: Callable[[Coast], dict[str, Item | str]], sentence: str
) -> None:
    assert sentence in coast.wrong(**named(coast))


def test_what_cannot_be_found_out_is_said_and_keeps_nothing_else_from_being_tried(coast: Coast) -> None:
    coast.world.fault("status", token="writer", status=401, times=1000)
    found = coast.checks()
    assert [check.standing for check in found[:2]] == [Standing.UNAVAILABLE] * 2
    assert "401" in found[0].sentence
    assert len([check for check in found if check.standing is Standing.OK]) == 8


def test_a_link_that_the_service_makes_for_the_device_alone_is_a_share_like_any_other(coast: Coast) -> None:
    coast.world.database.run("DELETE FROM permissions WHERE item = ?", coast.release.id)
    assert "No permission on the release folder says that the device's account may read it." in coast.wrong()
    coast.site.link(coast.release, "view", "users", IPAD)
    assert coast.wrong() == []


def test_nothing_that_its_clients_are_made_of_leads_to_content(coast: Coast) -> None:
    shore = coast.shore()
    words = ("download", "content", "thumbnail", "preview", "copy", "stream", "versions", "open", "readinto")
    for opened in (
        shore.prober(shore.release.credential),
        build_onlooker(shore.tenant, shore.guard.credential, clock=shore.clock),
    ):
        with opened:
            reached = list(walk(opened))
            assert len(reached) > 30
            for path, thing in reached:
                last = path.rpartition(".")[2].lower()
                allowed = {"downloaded", "content"} if not callable(thing) else set()
                assert last in allowed or not any(word in last for word in words), path


@pytest.mark.parametrize("seed", range(3))
def test_with_requests_failing_at_random_each_check_is_a_sentence_and_none_says_what_is_not_so(
    coast: Coast, seed: int
) -> None:
    coast.world.random_faults(0.2, seed=seed, kinds=["status", "broken", "garbage", "throttle"])
    found = coast.checks()
    coast.world.no_faults()
    assert all(check.sentence.endswith(".") for check in found)
    assert {check.standing for check in found} <= {Standing.OK, Standing.UNAVAILABLE}, found
    coast.world.database.run("DELETE FROM sessions")  # the cancelling of one may have failed; it ends by itself


def test_a_folder_on_a_disk_has_nothing_to_try(coast: Coast) -> None:
    settings = Settings.model_validate(
        {
            "gateway": {"origin": "gateway.example.org/audit"},
            "source": [{"id": "staff", "path": "staging", "submitter": "u_" + "1" * 32}],
            "release": {"device": "ipad"},
        }
    )
    assert shore_of(settings, SystemClock()) is None
