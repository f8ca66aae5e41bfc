"""Does the return guard of a release folder in OneDrive see all that it must, and lie the two folders as they must?

What enters: the release end as the settings have it. What leaves: checks, made by trying with the guard's identity,
which can look here and do nothing: its client knows no way to move or remove. Whether it could is tried by beginning
an upload in each of the two folders, which is cancelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transfer.checkup.check import Check
from transfer.checkup.drive_sessions import build_onlooker
from transfer.checkup.release_drive import FOLDERS, Shore, good, none_reached, wrong
from transfer.graph.faults import Denied, GraphFault, NotThere
from transfer.graph.feed import Resync
from transfer.graph.lister import Lister
from transfer.graph.prober import may_write
from transfer.graph.records import DriveItem, ItemKind
from transfer.graph.sharing import Permission
from transfer.return_guard.breaches import Breach, Place
from transfer.return_guard.onedrive_permissions import Device, Violation
from transfer.return_guard.onedrive_survey import survey

_DEEPEST = 64  # folders above each other
_FILES = 5  # a request for the permissions on one costs as much as five others
_PAGE = "(docs/onedrive.md)"


def check_guard_looks(shore: Shore) -> Iterator[Check]:
    """It is told what changes in the release folder, and the two folders lie apart. Raises GraphFault, Misuse."""
    with build_onlooker(shore.tenant, shore.guard.credential, clock=shore.clock) as session:
        release = Lister(session, drive=shore.release.drive, folder=shore.release.folder)
        try:
            release.changes(None)
            yield good("The return guard is told what changes in the release folder.")
            yield from _apart(shore, release)
        except Denied as denied:
            if denied.status != 403:
                raise
            yield wrong(
                "The return guard may not look into the release folder: without its eyes nothing is released (G5).",
                f"Grant its identity the role `fullcontrol` on the release site {_PAGE}.",
            )
        except NotThere:
            yield wrong(
                "[release.onedrive] names no folder that the return guard can look into.",
                f"`folder` is the id of the release folder, `drive` that of its drive {_PAGE}.",
            )


def check_guard_acts(shore: Shore) -> Iterator[Check]:
    """It may change both folders, for that is what moving takes, and no staging folder. Raises GraphFault, Misuse."""
    with shore.prober(shore.guard.credential) as session:
        for name, folder in (("the release folder", shore.release.folder), ("the folder aside", shore.guard.aside)):
            try:
                able = may_write(session, drive=shore.release.drive, folder=folder)
            except NotThere:
                continue  # said already
            if able:
                yield good(
                    f"The return guard may move things {'out of' if name == 'the release folder' else 'into'} {name}."
                )
            else:
                yield wrong(
                    f"The return guard may change nothing in {name}: what is not ours would stay where it is (G5).",
                    f"Grant its identity the role `fullcontrol` on the release site {_PAGE}.",
                )
        yield from none_reached(shore, session, "The return guard's identity")


def check_who_reaches(shore: Shore) -> Iterator[Check]:
    """The device may read the release folder and no more, and does not see the folder aside. Raises GraphFault."""
    guard = shore.guard
    device = Device(id=guard.device, addresses=guard.device_addresses)
    with build_onlooker(shore.tenant, guard.credential, clock=shore.clock) as session:
        release = Lister(session, drive=shore.release.drive, folder=shore.release.folder)
        found = survey(release, device=device, aside=guard.aside, items=_some_files(release), known=guard.known)
        for sentence, advice in dict.fromkeys((one.sentence, _advice(release, one)) for one in _topmost(found)):
            yield wrong(sentence, advice)
        if all(one.place is Place.ASIDE for one in found):
            yield good("The device's account may read the release folder and nothing more.")
        told = all(one.breach is not Breach.DEVICE_UNSEEN for one in found)  # else not all permissions were
        if told and not any(one.place is Place.ASIDE for one in found):
            yield good("Nothing says that the device's account can see the folder aside.")


def _apart(shore: Shore, lister: Lister) -> Iterator[Check]:
    """Both are folders of one drive, and neither lies in the other."""
    release, aside = lister.item(shore.release.folder), _item(lister, shore.guard.aside)
    if aside is None or aside.kind not in FOLDERS:
        yield wrong(
            "`aside` of [guard.onedrive] names no folder of the release folder's drive.",
            f"It is the id of a folder beside the release folder, in the same library {_PAGE}.",
        )
    elif release is not None and (_lies_in(lister, aside, release) or _lies_in(lister, release, aside)):
        yield wrong(
            "The release folder and the folder aside lie in one another: the device would see what was moved aside.",
            f"Give each a folder of its own, beside each other {_PAGE}.",
        )
    else:
        yield good("The folder aside lies in the same drive, apart from the release folder.")


def _item(lister: Lister, item: str) -> DriveItem | None:
    """None as well where it may not be seen."""
    try:
        return lister.item(item)
    except Denied as denied:
        if denied.status != 403:
            raise
        return None


def _lies_in(lister: Lister, item: DriveItem, folder: DriveItem) -> bool:
    """Whether the folder is the item itself, or one of those around it. Raises GraphFault."""
    here: DriveItem | None = item
    for _ in range(_DEEPEST):
        if here is None or here.id == folder.id:
            return here is not None
        if here.kind is ItemKind.ROOT or here.parent_id is None:
            return False
        here = lister.item(here.parent_id)
    raise GraphFault("OneDrive does not say what lies above the release folder.", code="no-root")


def _some_files(lister: Lister) -> list[str]:
    page = lister.changes(None)
    items = () if isinstance(page, Resync) else page.items
    mine = [one.id for one in items if one.kind is ItemKind.FILE and one.parent_id == lister.folder and not one.deleted]
    return mine[:_FILES]


def _topmost(found: Iterable[Violation]) -> list[Violation]:
    """Each once, where it has to be mended: what is granted above is told again of everything below."""
    kept: dict[tuple[Breach, str | None, bool], Violation] = {}
    for one in found:  # the release folder and those above it come first, from below upwards
        key = (one.breach, one.permission, one.place is Place.ASIDE)
        if key not in kept or one.place is Place.ABOVE:
            kept[key] = one
    return list(kept.values())


def _advice(lister: Lister, violation: Violation) -> str:
    """What mends it; for a group that nobody can look into, by which id the settings could vouch for it."""
    if violation.breach is not Breach.GROUP_UNKNOWN:
        return violation.advice
    found = (one for one in lister.permissions(violation.item) if one.id == violation.permission)
    return violation.advice + "".join(map(_vouchable, found))


def _vouchable(permission: Permission) -> str:
    """Ids that `known` would take; the administrator looks them up."""
    ids = dict.fromkeys(one.id for one in permission.grantees if one.id is not None and one.kind != "user")
    return f" Its id here is {' or '.join(ids)}." if ids else ""
