"""Who may reach the release folder: each rule with its sentence, then the same asked of the emulated service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.emulator.identities import Identity, application, group, guest, person, site_group
from tests.graph.emulator.items import Item
from tests.return_guard.onedrive_rig import DEVICE, GUARD, IPAD, PAT, RELEASE, TOKEN, WRITER, Coast
from transfer.graph.faults import GraphFault, NotThere
from transfer.graph.sharing import Grantee, Link, Permission
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.onedrive_permissions import Auditor, Device, Seen, Violation
from transfer.return_guard.onedrive_survey import survey

TABLET = Device(id="aaaa-0001", addresses=("iPad@university.example",))
ME = Grantee(kind="user", id="AAAA-0001", email=None)
ME_BY_ADDRESS = Grantee(kind="user", id=None, email="ipad@University.example")
ME_ON_SITE = Grantee(kind="siteUser", id="7", email="i:0#.f|membership|ipad@university.example")
HELEN = Grantee(kind="user", id="bbbb-0002", email="helen@university.example")
STAFF = Grantee(kind="group", id="cccc-0003", email=None)
OWNERS = Grantee(kind="siteGroup", id="5", email=None)
EVERYONE = Grantee(kind="siteUser", id="4", email="c:0(.s|true")
APP = Grantee(kind="application", id="dddd-0004", email=None)
RELEASED = (Place.FOLDER, Place.ABOVE, Place.ITEM)
NOBODY: Mapping[str, tuple[Grantee, ...] | None] = {}


def permission(*roles: str, to: tuple[Grantee, ...] = (), link: Link | None = None) -> Permission:
    return Permission(id="p1", roles=roles, link=link, grantees=to, inherited=False)


READ_IT = permission("read", to=(ME,))


def breaches(
    *permissions: Permission,
    place: Place = Place.FOLDER,
    members: Mapping[str, tuple[Grantee, ...] | None] = NOBODY,
    known: tuple[str, ...] = (),
) -> set[Breach]:
    seen = [Seen(place=Place.FOLDER, item="01F", permissions=(READ_IT,))]
    seen.append(Seen(place=place, item="01X", permissions=permissions))
    if place is Place.FOLDER:
        seen = [Seen(place=place, item="01F", permissions=(READ_IT, *permissions))]
    return {one.breach for one in Auditor(device=TABLET, members=members, known=known).audit(seen)}


def link(kind: str | None, scope: str | None) -> Permission:
    return permission("write" if kind == "edit" else "read", link=Link(type=kind, scope=scope))


FINE = {
    "the device reads": permission("read", to=(ME,)),
    "by its address": permission("read", to=(ME_BY_ADDRESS,)),
    "on the site and in the directory": permission("read", to=(ME, ME_ON_SITE)),
    "somebody else owns it": permission("owner", to=(HELEN,)),
    "somebody else by both names": permission("write", to=(HELEN, Grantee(kind="siteUser", id="9", email=None))),
    "our applications": permission("write", to=(APP,)),
    "visitors of the site read": permission("read", to=(OWNERS,)),
    "everyone reads": permission("read", to=(EVERYONE,)),
    "the organisation may look": link("view", "organization"),
    "some may look": link("View", "Users"),
    "somebody was invited": permission("write", to=(Grantee(kind="invitation", id=None, email="x@elsewhere.example"),)),
}
WRONG = {
    "the device writes": (permission("write", to=(ME,)), Breach.DEVICE_MORE),
    "the device reads and writes": (permission("read", "write", to=(ME,)), Breach.DEVICE_MORE),
    "the device owns it": (permission("owner", to=(ME_BY_ADDRESS,)), Breach.DEVICE_MORE),
    "the device writes on the site": (permission("write", to=(ME_ON_SITE,)), Breach.DEVICE_MORE),
    "the device was invited to write": (
        permission("write", to=(Grantee(kind="invitation", id=None, email="IPAD@university.example"),)),
        Breach.DEVICE_MORE,
    ),
    "the device has a role of the site": (permission("sp.full control", to=(ME,)), Breach.DEVICE_MORE),
    "the device has no role": (permission(to=(ME,)), Breach.DEVICE_MORE),
    "a role of the site": (permission("sp.restricted view", to=(HELEN,)), Breach.ROLE_UNKNOWN),
    "no role": (permission(to=(HELEN,)), Breach.ROLE_UNKNOWN),
    "an edit link": (link("edit", "organization"), Breach.EDIT_LINK),
    "an edit link for some": (link("edit", "users"), Breach.EDIT_LINK),
    "a view link that lets write": (
        permission("write", link=Link(type="view", scope="organization")),
        Breach.EDIT_LINK,
    ),
    "an anonymous link": (link("view", "anonymous"), Breach.ANONYMOUS_LINK),
    "an embedded link": (link("embed", "organization"), Breach.LINK_UNKNOWN),
    "a link of no type": (link(None, "organization"), Breach.LINK_UNKNOWN),
    "a link of no scope": (link("view", None), Breach.LINK_UNKNOWN),
    "a link of a new scope": (link("view", "galaxy"), Breach.LINK_UNKNOWN),
    "a group that nobody can look into": (permission("read", to=(STAFF,)), Breach.GROUP_UNKNOWN),
    "a group without an id": (
        permission("read", to=(Grantee(kind="group", id=None, email=None),)),
        Breach.GROUP_UNKNOWN,
    ),
    "a group of the site that writes": (permission("write", to=(OWNERS,)), Breach.GROUP_UNKNOWN),
    "everyone writes": (permission("write", to=(EVERYONE,)), Breach.GROUP_UNKNOWN),
    "a member of the site without a name": (
        permission("write", to=(Grantee(kind="siteUser", id="9", email=None),)),
        Breach.GROUP_UNKNOWN,
    ),
    "a user without a name": (
        permission("write", to=(Grantee(kind="user", id=None, email=None),)),
        Breach.GROUP_UNKNOWN,
    ),
    "a device writes": (permission("write", to=(Grantee(kind="device", id="x", email=None),)), Breach.GROUP_UNKNOWN),
    "a kind that is new": (permission("write", to=(Grantee(kind="robot", id="x", email=None),)), Breach.GROUP_UNKNOWN),
    "nobody's": (permission("read"), Breach.NOBODY_NAMED),
}


@pytest.mark.parametrize("place", RELEASED)
@pytest.mark.parametrize("found", FINE.values(), ids=FINE)
def test_what_is_as_it_must_be(found: Permission, place: Place) -> None:
    assert breaches(found, place=place) == set()


@pytest.mark.parametrize("place", RELEASED)
@pytest.mark.parametrize(("found", "breach"), WRONG.values(), ids=WRONG)
def test_what_is_not_as_it_must_be(found: Permission, breach: Breach, place: Place) -> None:
    assert breach in breaches(found, place=place)


def test_a_group_is_judged_by_its_members() -> None:
    writes, reads = permission("write", to=(STAFF,)), permission("read", to=(STAFF,))
    with_us, without = {"cccc-0003": (HELEN, ME_BY_ADDRESS)}, {"cccc-0003": (HELEN,)}
    assert breaches(writes, members=with_us) == {Breach.GROUP_MORE}
    assert breaches(writes, members=without) == set()
    assert breaches(reads, members=with_us) == set()
    assert breaches(writes, members={"cccc-0003": None}) == {Breach.GROUP_UNKNOWN}
    assert breaches(writes, members={"cccc-0003": ()}) == set()


def test_what_the_settings_vouch_for_is_believed_but_for_the_device_itself() -> None:
    known = ("CCCC-0003", "5")
    assert breaches(permission("write", to=(OWNERS,)), permission("write", to=(STAFF,)), known=known) == set()
    assert breaches(permission("write", to=(OWNERS, ME)), known=known) == {Breach.DEVICE_MORE}


def test_the_device_must_be_seen_to_read_the_folder_itself() -> None:
    def said(*seen: Seen) -> set[Breach]:
        return {one.breach for one in Auditor(device=TABLET, members={"cccc-0003": (ME,)}).audit(seen)}

    owner = permission("owner", to=(HELEN,))
    assert said() == {Breach.DEVICE_UNSEEN}
    assert said(Seen(place=Place.FOLDER, item="01F", permissions=(owner,))) == {Breach.DEVICE_UNSEEN}
    elsewhere = Seen(place=Place.ABOVE, item="01P", permissions=(READ_IT,))
    assert said(Seen(place=Place.FOLDER, item="01F", permissions=()), elsewhere) == {Breach.DEVICE_UNSEEN}
    by_group = permission("read", to=(STAFF,))
    assert said(Seen(place=Place.FOLDER, item="01F", permissions=(by_group,))) == set()


def test_an_echo_of_a_group_under_its_display_name_is_no_person() -> None:
    """The service says `grantedTo.user` with a display name alone beside `grantedToV2.siteGroup`."""
    echo = Grantee(kind="user", id=None, email=None)
    assert breaches(permission("write", to=(echo, OWNERS)), known=("5",)) == set()
    assert breaches(permission("write", to=(echo, OWNERS))) == {Breach.GROUP_UNKNOWN}


@pytest.mark.parametrize("breach", Breach)
@pytest.mark.parametrize("place", Place)
def test_each_violation_is_a_sentence_with_advice_and_without_ids(breach: Breach, place: Place) -> None:
    violation = Violation(breach=breach, place=place, item="01ITEM", permission="p1")
    assert violation.sentence.endswith(".")
    assert place.value in violation.sentence
    assert violation.advice.endswith(".")
    assert not any(word in violation.sentence + violation.advice for word in ("01ITEM", "p1", "{"))


GRANTEES = st.builds(
    Grantee,
    kind=st.sampled_from(["user", "group", "application", "siteUser", "siteGroup", "device", "invitation", "robot"]),
    id=st.sampled_from([None, "5", "aaaa-0001", "bbbb-0002", "cccc-0003"]),
    email=st.sampled_from([None, "ipad@university.example", "helen@university.example", "c:0(.s|true"]),
)
PERMISSIONS = st.builds(
    Permission,
    id=st.just("p"),
    roles=st.lists(st.sampled_from(["read", "write", "owner", "sp.x", ""]), max_size=2).map(tuple),
    link=st.none()
    | st.builds(
        Link, type=st.sampled_from([None, "view", "edit", "embed"]), scope=st.sampled_from([None, "anonymous", "users"])
    ),
    grantees=st.lists(GRANTEES, max_size=3).map(tuple),
    inherited=st.booleans(),
)


@given(st.lists(PERMISSIONS, max_size=3))
def test_no_way_for_the_device_to_more_than_reading_passes(found: list[Permission]) -> None:
    said = breaches(*found, members={"cccc-0003": (HELEN, ME)})
    for one in found:
        more = one.roles != ("read",)
        meant = [grantee for grantee in one.grantees if TABLET.is_meant(grantee)]
        in_group = [grantee for grantee in one.grantees if (grantee.kind, grantee.id) == ("group", "cccc-0003")]
        if more and (meant or in_group or one.link is not None):
            assert said


# Asked of the service


@pytest.fixture
def shared(coast: Coast) -> Coast:
    """As it must be: the device reads, Pat owns, the applications write, a group of the site reads."""
    coast.drive.permit(coast.release, IPAD)
    coast.drive.permit(coast.drive.item(), PAT, roles=("owner",))
    coast.drive.permit(coast.drive.item(), WRITER, roles=("write",))
    coast.drive.permit(coast.drive.item(), GUARD, roles=("owner",))
    coast.drive.permit(coast.release, site_group("Visitors"))
    return coast


def asked(coast: Coast, *items: Item, known: tuple[str, ...] = ()) -> list[tuple[Breach, Place]]:
    ids = [item.id for item in items]
    found = survey(coast.lister, device=DEVICE, aside=coast.aside.id, items=ids, known=known)
    return [(one.breach, one.place) for one in found]


def test_a_folder_that_is_shared_as_it_must_be(shared: Coast) -> None:
    film = shared.writer.put(f"{RELEASE}/film.mp4", b"film")
    before = len(shared.world.asked())
    assert asked(shared, film) == []
    asked_for = len(shared.world.asked()) - before
    assert asked_for == 2 * 3 + 1 + 1, "two requests a folder up to the root, one a file, one for the folder aside"


WAYS: dict[str, tuple[Callable[[Coast, Item], object], Breach]] = {
    "the device writes": (lambda coast, at: coast.drive.permit(at, IPAD, roles=("write",)), Breach.DEVICE_MORE),
    "by its address": (
        lambda coast, at: coast.drive.permit(at, IPAD.without_id(), roles=("write",)),
        Breach.DEVICE_MORE,
    ),
    "a level of the site": (lambda coast, at: coast.drive.permit(at, PAT, roles=()), Breach.ROLE_UNKNOWN),
    "an edit link": (lambda coast, at: coast.drive.link(at, "edit", "organization"), Breach.EDIT_LINK),
    "an edit link for the device": (lambda coast, at: coast.drive.link(at, "edit", "users", IPAD), Breach.DEVICE_MORE),
    "an anonymous link": (
        lambda coast, at: coast.drive.link(at, "view", "anonymous", password=True),
        Breach.ANONYMOUS_LINK,
    ),
    "an unknown group": (lambda coast, at: coast.drive.permit(at, group("Unknown")), Breach.GROUP_UNKNOWN),
    "a group of the site": (
        lambda coast, at: coast.drive.permit(at, site_group("Members"), roles=("write",)),
        Breach.GROUP_UNKNOWN,
    ),
}


@pytest.mark.parametrize("place", RELEASED)
@pytest.mark.parametrize(("do", "breach"), WAYS.values(), ids=WAYS)
def test_whatever_is_granted_is_found_wherever_it_is(
    shared: Coast, do: Callable[[Coast, Item], object], breach: Breach, place: Place
) -> None:
    film = shared.writer.put(f"{RELEASE}/film.mp4", b"film")
    do(shared, {Place.FOLDER: shared.release, Place.ABOVE: shared.drive.item(), Place.ITEM: film}[place])
    assert (breach, place) in asked(shared, film)


SIGHTS: dict[str, tuple[Callable[[Coast, Item], object], Breach]] = {
    "the device": (lambda coast, at: coast.drive.permit(at, IPAD), Breach.DEVICE_SEES),
    "a link to look": (lambda coast, at: coast.drive.link(at, "view", "organization"), Breach.LINK_SEES),
    "a group of the site": (lambda coast, at: coast.drive.permit(at, site_group("Visitors")), Breach.GROUP_UNKNOWN),
}


@pytest.mark.parametrize(("do", "breach"), SIGHTS.values(), ids=SIGHTS)
def test_whoever_may_see_the_folder_aside_is_found(
    shared: Coast, do: Callable[[Coast, Item], object], breach: Breach
) -> None:
    do(shared, shared.aside)
    assert asked(shared) == [(breach, Place.ASIDE)]


def test_visitors_of_the_whole_site_may_look_at_all_but_the_folder_aside(shared: Coast) -> None:
    shared.drive.permit(shared.drive.item(), site_group("Visitors"))
    assert asked(shared) == [(Breach.GROUP_UNKNOWN, Place.ASIDE)]


def test_a_folder_aside_that_is_gone_is_seen_by_nobody(shared: Coast) -> None:
    shared.drive.by(PAT).remove(shared.aside)
    assert asked(shared) == []


def nested(coast: Coast, *members: Identity) -> Identity:
    """A group in a group, whose outer one may write."""
    outer, inner = group("Outer"), group("Inner")
    coast.world.member(outer, inner)
    coast.world.member(inner, *members)
    coast.drive.permit(coast.drive.item("TikTok"), outer, roles=("write",))
    return outer


def test_a_group_in_a_group_is_looked_into(shared: Coast) -> None:
    shared.world.switch(list_page_size=1)
    nested(shared, person("Quinn"), guest("Robin"), IPAD)
    assert set(asked(shared)) == {
        (Breach.GROUP_MORE, Place.ABOVE),
        (Breach.GROUP_MORE, Place.FOLDER),
        (Breach.GROUP_SEES, Place.ASIDE),
    }


def test_a_group_without_the_device_may_write(shared: Coast) -> None:
    nested(shared, person("Quinn"))
    assert asked(shared) == []


def test_a_group_that_the_guard_may_not_read_is_unknown_until_the_settings_vouch_for_it(shared: Coast) -> None:
    outer = nested(shared, person("Quinn"))
    shared.world.sign_in(TOKEN, GUARD, directory=False)
    assert set(asked(shared)) == {(Breach.GROUP_UNKNOWN, place) for place in (Place.ABOVE, Place.FOLDER, Place.ASIDE)}
    assert asked(shared, known=(str(outer.id),)) == []


def test_the_drive_of_the_device_itself_is_no_place_for_a_release(shared: Coast) -> None:
    shared.drive.permit(shared.drive.item(), IPAD, roles=("owner",))
    assert (Breach.DEVICE_MORE, Place.FOLDER) in asked(shared)


def test_an_identity_that_is_not_told_everything_does_not_pass(shared: Coast) -> None:
    """With `write` alone it is told of its own permissions only, and the device's are not among them."""
    shared.world.sign_in(TOKEN, application("Poor guard"))
    shared.world.database.run("UPDATE rights SET role = 'write' WHERE token = ?", TOKEN)
    assert asked(shared) == [(Breach.DEVICE_UNSEEN, Place.FOLDER)]


def test_where_not_all_can_be_seen_there_is_no_verdict(shared: Coast) -> None:
    shared.world.fault("status", path="/permissions", status=403, after=1)
    with pytest.raises(GraphFault):
        asked(shared)


def test_a_file_that_was_taken_back_meanwhile_is_no_harm_a_folder_that_is_gone_is(shared: Coast) -> None:
    film = shared.writer.put(f"{RELEASE}/film.mp4", b"film")
    shared.writer.remove(film)
    assert asked(shared, film) == []
    shared.drive.by(PAT).remove(shared.release)
    with pytest.raises(NotThere, match="is gone"):
        asked(shared)
