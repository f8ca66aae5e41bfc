"""Whether the device's account can see the folder aside in OneDrive, where what is not ours is kept. Pure.

What enters: the permissions on that folder, as the service lists them; who is in the groups they name; the device's
account. What leaves: violations, each a sentence; none means that nothing there names the device. For the release
folder reading is no harm; here it is: what came from the device would be shown, altered or taken away as evidence.
What cannot be understood is a violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from transfer.graph.sharing import Grantee, Permission
from transfer.return_guard.onedrive_permissions import PERSONS, Device, is_named


class Glimpse(StrEnum):
    """What is wrong."""

    DEVICE = "device"
    GROUP = "group"
    GROUP_UNKNOWN = "group-unknown"
    LINK = "link"
    NOBODY_NAMED = "nobody-named"


_SAYS = {
    Glimpse.DEVICE: "The device's account has a right on the folder aside.",
    Glimpse.GROUP: "A group that the device's account is in has a right on the folder aside.",
    Glimpse.GROUP_UNKNOWN: "Nobody can say whether the device's account is in a group with rights on the folder aside.",
    Glimpse.LINK: "There is a link to the folder aside.",
    Glimpse.NOBODY_NAMED: "A permission on the folder aside does not say whose it is.",
}
_APART = "Let it inherit nothing that the device has, or name another folder as `aside`."
_ADVICE = {
    Glimpse.DEVICE: f"Share the release folder with that account, and not the library or the site. {_APART}",
    Glimpse.GROUP: f"Take the account out of that group, or the group's right away. {_APART}",
    Glimpse.GROUP_UNKNOWN: "Take its right on the folder aside away, or vouch for it in `known` of [guard.onedrive].",
    Glimpse.LINK: "Remove the link.",
    Glimpse.NOBODY_NAMED: "Remove the permission.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One thing that is not as it must be. `permission` is its id at the service."""

    glimpse: Glimpse
    permission: str

    @property
    def sentence(self) -> str:
        """What is wrong; without names, addresses or ids."""
        return _SAYS[self.glimpse]

    @property
    def advice(self) -> str:
        """What mends it."""
        return _ADVICE[self.glimpse]


def sights(
    permissions: Iterable[Permission],
    *,
    device: Device,
    members: Mapping[str, tuple[Grantee, ...] | None],
    known: Iterable[str] = (),
) -> tuple[Sight, ...]:
    """All that is wrong, each thing once for a permission. `members` are those of each group by its id, None where
    they cannot be told; `known` are groups that the settings name as ones without the device."""
    vouched = frozenset(one.casefold() for one in known)
    return tuple(
        Sight(glimpse=glimpse, permission=permission.id)
        for permission in permissions
        for glimpse in dict.fromkeys(_glimpses(permission, device, members, vouched))
    )


def _glimpses(
    permission: Permission, device: Device, members: Mapping[str, tuple[Grantee, ...] | None], known: frozenset[str]
) -> Iterator[Glimpse]:
    if permission.link is not None:
        yield Glimpse.LINK
    elif not permission.grantees:
        yield Glimpse.NOBODY_NAMED
    for grantee in permission.grantees:
        inside = members.get(grantee.id or "") if grantee.kind == "group" else None
        if device.is_meant(grantee):
            yield Glimpse.DEVICE
        elif (grantee.id or "").casefold() in known or grantee.kind == "application":
            continue
        elif grantee.kind == "group" and inside is not None:
            if any(map(device.is_meant, inside)):
                yield Glimpse.GROUP
        elif grantee.kind not in PERSONS or not is_named(grantee, permission):
            yield Glimpse.GROUP_UNKNOWN
