"""Whether the device's account may read the release folder in OneDrive and do nothing else there. Pure.

What enters: the permissions on the folder, on the folders above it and on items in it, as the service lists them; who
is in the groups they name; the device's account. What leaves: violations, each a sentence; none means that all of it
was seen and is as it must be. What cannot be understood is a violation: a role of the site's own, a link of an unknown
type, a group whose members nobody tells.

The service tells permissions whole only to who has full control; others see their own. That is why the device's right
to read must be seen on the release folder: where it is not, the rest was not seen either.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from transfer.graph.sharing import Grantee, Permission
from transfer.return_guard.breaches import Breach, Place, advice_of, sentence_of

CLAUSE = "G5"  # nothing comes back
READ = ("read",)
KNOWN_ROLES = frozenset({"read", "write", "owner", "fullcontrol"})
PERSONS = frozenset({"user", "siteUser", "invitation"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing that is not as it must be. `permission` is its id at the service, for whoever mends it."""

    breach: Breach
    place: Place
    item: str
    permission: str | None

    @property
    def sentence(self) -> str:
        """What is wrong; without names, addresses or ids."""
        return sentence_of(self.breach, self.place)

    @property
    def advice(self) -> str:
        """What mends it."""
        return advice_of(self.breach)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The permissions on one item."""

    place: Place
    item: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The device's account: the id of the directory and every address that it goes by."""

    id: str
    addresses: tuple[str, ...]

    def is_meant(self, grantee: Grantee) -> bool:
        """Whether this names the device's account, by id or by address."""
        address = _address(grantee)
        same_id = grantee.id is not None and grantee.id.casefold() == self.id.casefold()
        return same_id or (address is not None and address in {known.casefold() for known in self.addresses})


class Auditor:
    """Judges what was seen. `members` are those of each group by its id, None where they cannot be told; `known` are
    ids of site groups and groups that the settings name as ones without the device."""

    def __init__(
        self, *, device: Device, members: Mapping[str, tuple[Grantee, ...] | None], known: Iterable[str] = ()
    ) -> None:
        self._device = device
        self._members = members
        self._known = frozenset(one.casefold() for one in known)

    def audit(self, seen: Iterable[Seen]) -> tuple[Violation, ...]:
        """All that is wrong, in the order in which it was seen."""
        found: list[Violation] = []
        may_read = False
        folder = ""
        for one in seen:
            if one.place is Place.FOLDER:
                folder = one.item
                may_read = any(self._lets_read(permission) for permission in one.permissions)
            for permission in one.permissions:
                found += [
                    Violation(breach=breach, place=one.place, item=one.item, permission=permission.id)
                    for breach in dict.fromkeys(self._breaches(permission))
                ]
        if not may_read:
            found.append(Violation(breach=Breach.DEVICE_UNSEEN, place=Place.FOLDER, item=folder, permission=None))
        return tuple(found)

    def _lets_read(self, permission: Permission) -> bool:
        """Whether it names the device's account, or a group that it is in."""
        return any(self._reaches(grantee) for grantee in permission.grantees)

    def _reaches(self, grantee: Grantee) -> bool:
        members = self._members.get(grantee.id or "") if grantee.kind == "group" else None
        return self._device.is_meant(grantee) or any(map(self._device.is_meant, members or ()))

    def _breaches(self, permission: Permission) -> Iterator[Breach]:
        roles = tuple(role.casefold() for role in permission.roles)
        if not roles or not set(roles) <= KNOWN_ROLES:
            yield Breach.ROLE_UNKNOWN
        if permission.link is not None:
            yield from _of_link(permission)
        elif not permission.grantees:
            yield Breach.NOBODY_NAMED
        for grantee in permission.grantees:
            yield from self._of_grantee(grantee, permission, reads_only=roles == READ)

    def _of_grantee(self, grantee: Grantee, permission: Permission, *, reads_only: bool) -> Iterator[Breach]:
        if self._device.is_meant(grantee):
            if not reads_only:
                yield Breach.DEVICE_MORE
        elif grantee.kind == "group":
            yield from self._of_group(grantee, reads_only=reads_only)
        elif grantee.kind == "application" or (grantee.kind in PERSONS and is_named(grantee, permission)):
            return  # somebody else; the staff of the site may have any right
        elif not reads_only and (grantee.id or "").casefold() not in self._known:
            yield Breach.GROUP_UNKNOWN  # a group of the site, everybody, or a kind that is new to us

    def _of_group(self, group: Grantee, *, reads_only: bool) -> Iterator[Breach]:
        if group.id is not None and group.id.casefold() in self._known:
            return
        members = self._members.get(group.id or "")
        if members is None:
            yield Breach.GROUP_UNKNOWN
        elif not reads_only and any(map(self._device.is_meant, members)):
            yield Breach.GROUP_MORE


def groups_in(seen: Iterable[Seen]) -> tuple[str, ...]:
    """The groups of the directory whose members have to be known."""
    grantees = (grantee for one in seen for permission in one.permissions for grantee in permission.grantees)
    return tuple(dict.fromkeys(one.id for one in grantees if one.kind == "group" and one.id is not None))


def _of_link(permission: Permission) -> Iterator[Breach]:
    """What is wrong with a link. One that lets the organisation look is no harm: what lies there is public."""
    link = permission.link
    kind, scope = (link.type or "", link.scope or "") if link is not None else ("", "")
    if kind.casefold() == "edit" or tuple(role.casefold() for role in permission.roles) != READ:
        yield Breach.EDIT_LINK
    elif kind.casefold() != "view":
        yield Breach.LINK_UNKNOWN
    if scope.casefold() == "anonymous":
        yield Breach.ANONYMOUS_LINK
    elif scope.casefold() not in {"organization", "users", "existingaccess"}:
        yield Breach.LINK_UNKNOWN


def is_named(grantee: Grantee, permission: Permission) -> bool:
    """Whether this is one person: by an id of the directory, or by an address.

    The service names the same one several times, in old properties and new ones: a `user` with a display name alone
    echoes a group or a member of the site, a `siteUser` with a number of the site echoes a `user`. Where there are more
    such echoes than grantees that are named, somebody is not. A claim such as «everyone» is no address.
    """
    if _address(grantee) is not None:
        return True
    if grantee.email is not None:
        return False
    if grantee.kind == "user" and grantee.id is not None:
        return True
    alike = sum(one.kind == grantee.kind and not _address(one) for one in permission.grantees)
    if grantee.kind == "user":
        return alike <= sum(one.kind in {"group", "siteGroup", "siteUser"} for one in permission.grantees)
    people = sum(one.kind == "user" and bool(one.id) for one in permission.grantees)
    return grantee.kind == "siteUser" and alike <= people


def _address(grantee: Grantee) -> str | None:
    """The address in `i:0#.f|membership|sam@university.example`, or in the address alone; None for other claims."""
    text = (grantee.email or "").casefold()
    claim, bar, rest = text.rpartition("|")
    if bar and not claim.startswith("i:"):
        return None
    return rest if "@" in rest else None
