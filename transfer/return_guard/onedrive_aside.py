"""Whether the device's account can see the folder aside in OneDrive, where what is not ours is kept. Pure.

What enters: the permissions on that folder, as the service lists them; who is in the groups they name; the device's
account. What leaves: violations, each a sentence; none means that nothing there names the device. For the release
folder reading is no harm; here it is: what came from the device would be shown, altered or taken away as evidence.
What cannot be understood is a violation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from transfer.graph.sharing import Grantee, Permission
from transfer.return_guard.breaches import Breach
from transfer.return_guard.onedrive_permissions import PERSONS, Device, Seen, Violation, is_named


def audit_aside(
    seen: Seen, *, device: Device, members: Mapping[str, tuple[Grantee, ...] | None], known: Iterable[str] = ()
) -> tuple[Violation, ...]:
    """All that is wrong, each thing once for a permission. `members` are those of each group by its id, None where
    they cannot be told; `known` are groups that the settings name as ones without the device."""
    vouched = frozenset(one.casefold() for one in known)
    return tuple(
        Violation(breach=breach, place=seen.place, item=seen.item, permission=permission.id)
        for permission in seen.permissions
        for breach in dict.fromkeys(_breaches(permission, device, members, vouched))
    )


def _breaches(
    permission: Permission, device: Device, members: Mapping[str, tuple[Grantee, ...] | None], known: frozenset[str]
) -> Iterator[Breach]:
    if permission.link is not None:
        yield Breach.LINK_SEES
    elif not permission.grantees:
        yield Breach.NOBODY_NAMED
    for grantee in permission.grantees:
        inside = members.get(grantee.id or "") if grantee.kind == "group" else None
        if device.is_meant(grantee):
            yield Breach.DEVICE_SEES
        elif (grantee.id or "").casefold() in known or grantee.kind == "application":
            continue
        elif grantee.kind == "group" and inside is not None:
            if any(map(device.is_meant, inside)):
                yield Breach.GROUP_SEES
        elif grantee.kind not in PERSONS or not is_named(grantee, permission):
            yield Breach.GROUP_UNKNOWN
