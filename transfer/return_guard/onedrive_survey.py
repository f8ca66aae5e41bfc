"""Who may reach the release folder in OneDrive, all above it, files in it and the folder aside, asked of the service.

What enters: ids. What leaves: the permissions on each with the members of every group they name, and the verdict on
them. A request for permissions costs five units where others cost one or two, so files are looked at a few at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transfer.graph.faults import Denied, GraphFault, NotThere
from transfer.graph.lister import Lister
from transfer.graph.records import ItemKind
from transfer.graph.sharing import Grantee
from transfer.return_guard.breaches import Place
from transfer.return_guard.onedrive_aside import audit_aside
from transfer.return_guard.onedrive_permissions import Auditor, Device, Seen, Violation, groups_in

_DEEPEST = 64  # folders above each other


def survey(
    lister: Lister, *, device: Device, aside: str, items: Sequence[str] = (), known: Iterable[str] = ()
) -> tuple[Violation, ...]:
    """What is wrong now, the folder aside last. `aside` is its id, `items` are files in the release folder, `known`
    groups that the settings vouch for.

    Raises GraphFault where not all could be seen: there is no verdict then. Nobody sees a folder aside that is gone.
    """
    seen = [*_folders(lister), *_items(lister, items, Place.ITEM)]
    apart = _items(lister, (aside,), Place.ASIDE)
    members = {group: _members(lister, group) for group in groups_in((*seen, *apart))}
    found = Auditor(device=device, members=members, known=known).audit(seen)
    for one in apart:
        found += audit_aside(one, device=device, members=members, known=known)
    return found


def _folders(lister: Lister) -> list[Seen]:
    """The release folder and everything above it up to the drive's root."""
    found: list[Seen] = []
    here = lister.folder
    for _ in range(_DEEPEST):
        place = Place.ABOVE if found else Place.FOLDER
        item = lister.item(here)
        if item is None:
            raise NotThere("The release folder in OneDrive, or a folder above it, is gone.", status=404)
        found.append(Seen(place=place, item=here, permissions=lister.permissions(here)))
        if item.kind is ItemKind.ROOT:
            return found
        if item.parent_id is None:
            break
        here = item.parent_id
    raise GraphFault("OneDrive does not say what lies above the release folder.", code="no-root")


def _items(lister: Lister, items: Sequence[str], place: Place) -> list[Seen]:
    found = []
    for item in items:
        try:
            found.append(Seen(place=place, item=item, permissions=lister.permissions(item)))
        except NotThere:  # taken back meanwhile, or taken away
            continue
    return found


def _members(lister: Lister, group: str) -> tuple[Grantee, ...] | None:
    try:
        return lister.members(group)
    except (NotThere, Denied):  # no group of the directory, or one that this identity may not read
        return None
