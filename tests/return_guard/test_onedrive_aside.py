"""Who can see the folder aside: the device must be named nowhere, and what cannot be understood is a complaint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.return_guard.test_onedrive_permissions import (
    APP,
    EVERYONE,
    HELEN,
    ME,
    ME_BY_ADDRESS,
    ME_ON_SITE,
    OWNERS,
    PERMISSIONS,
    STAFF,
    TABLET,
    link,
    permission,
)
from transfer.graph.sharing import Grantee, Permission
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.onedrive_aside import audit_aside
from transfer.return_guard.onedrive_permissions import Seen

NOBODY = Grantee(kind="siteUser", id="9", email=None)
FOUND = {
    "somebody else owns it": (permission("owner", to=(HELEN,)), set()),
    "our applications": (permission("write", to=(APP,)), set()),
    "the device reads": (permission("read", to=(ME,)), {Breach.DEVICE_SEES}),
    "by its address": (permission("read", to=(ME_BY_ADDRESS,)), {Breach.DEVICE_SEES}),
    "on the site": (permission("sp.restricted view", to=(ME_ON_SITE,)), {Breach.DEVICE_SEES}),
    "a group that nobody can look into": (permission("read", to=(STAFF,)), {Breach.GROUP_UNKNOWN}),
    "a group of the site reads": (permission("read", to=(OWNERS,)), {Breach.GROUP_UNKNOWN}),
    "everyone reads": (permission("read", to=(EVERYONE,)), {Breach.GROUP_UNKNOWN}),
    "somebody without a name": (permission("read", to=(NOBODY,)), {Breach.GROUP_UNKNOWN}),
    "any link": (link("view", "organization"), {Breach.LINK_SEES}),
    "nobody's": (permission("read"), {Breach.NOBODY_NAMED}),
}


def seen(*permissions: Permission) -> Seen:
    return Seen(place=Place.ASIDE, item="01A", permissions=permissions)


@pytest.mark.parametrize(("one", "expected"), FOUND.values(), ids=FOUND)
def test_whoever_could_be_the_device_is_a_complaint(one: Permission, expected: set[Breach]) -> None:
    found = audit_aside(seen(one), device=TABLET, members={})
    assert {violation.breach for violation in found} == expected
    assert {(violation.place, violation.permission) for violation in found} <= {(Place.ASIDE, "p1")}


def test_groups_are_judged_by_their_members_or_vouched_for() -> None:
    reads = seen(permission("read", to=(STAFF, OWNERS)))
    with_us, without = {"cccc-0003": (HELEN, ME_BY_ADDRESS)}, {"cccc-0003": (HELEN,)}
    found = audit_aside(reads, device=TABLET, members=with_us, known=("5",))
    assert [one.breach for one in found] == [Breach.GROUP_SEES]
    assert audit_aside(reads, device=TABLET, members=without, known=("5",)) == ()
    assert audit_aside(reads, device=TABLET, members={"cccc-0003": None}, known=("5", "CCCC-0003")) == ()


@given(st.lists(PERMISSIONS, max_size=3), st.sets(st.sampled_from(["5", "aaaa-0001", "cccc-0003"])))
def test_the_device_is_never_passed_over_whatever_is_vouched_for(found: list[Permission], known: set[str]) -> None:
    said = audit_aside(seen(*found), device=TABLET, members={"cccc-0003": (HELEN, ME)}, known=known)
    for one in found:
        named = any(map(TABLET.is_meant, one.grantees))
        in_group = any((grantee.kind, grantee.id) == ("group", "cccc-0003") for grantee in one.grantees)
        if named or one.link is not None or (in_group and "cccc-0003" not in known):
            assert said
