"""A guard under a user of its own: does this user reach what it must, and nothing that it must not?

What enters: an opened workspace whose settings name such a user. What leaves: checks, each with the command that mends
it. Found by owner, group and mode, for whoever runs this cannot try as another user; access lists are not looked at.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transfer.checkup.check import Check, Standing
from transfer.return_guard.link import Account, find_account
from transfer.settings import Settings, guard_socket
from transfer.wiring import Site

_READ, _WRITE, _ENTER = 4, 2, 1
_ALL = _READ | _WRITE | _ENTER


@dataclass(frozen=True, slots=True)
class _Visitor:
    account: Account
    groups: frozenset[int]

    def may(self, path: Path, wanted: int) -> bool:
        """Whether the mode of this file or folder gives all of `wanted`, and all folders above let through."""
        return self._given(path, wanted) and all(self._given(above, _ENTER) for above in path.parents)

    def may_any(self, path: Path, wanted: int) -> bool:
        """Whether it gives any of `wanted`, whatever stands above."""
        return any(self._given(path, bit) for bit in (_READ, _WRITE, _ENTER) if bit & wanted)

    def _given(self, path: Path, wanted: int) -> bool:
        if self.account.uid == 0:
            return True
        try:
            found = path.stat()
        except OSError:
            return False
        if found.st_uid == self.account.uid:
            shift = 6
        elif found.st_gid in self.groups:
            shift = 3
        else:
            shift = 0
        return (stat.S_IMODE(found.st_mode) >> shift) & wanted == wanted


def check_guard_user(site: Site) -> Iterator[Check]:
    """Nothing where the guard runs as the gateway's user. Raises Misuse if there is no user of that name."""
    name = site.settings.guard.user
    if not name:
        return
    account = find_account(name)
    if account.uid == site.workspace.owner():
        return
    visitor = _visitor(account)
    faults = [*_missing(site, visitor), *_too_much(site, visitor)]
    faults += check_certificates(site.settings, guard=account, gateway=_account(site.workspace.owner()))
    yield from faults
    if not faults:
        sentence = f"The guard's user {name} reaches the device's side and the socket, and nothing of the gateway's."
        yield Check(name="guard", standing=Standing.OK, sentence=sentence)


def _missing(site: Site, visitor: _Visitor) -> Iterator[Check]:
    guest, group = visitor.account.name, _group(visitor.account.gid)
    owner = _user(site.workspace.owner())
    meeting = guard_socket(site.settings, site.workspace).parent
    for path, wanted, what, advice in (
        (site.workspace.root, _ENTER, "enter", f"chmod o+x {site.workspace.root}, and the same for each folder above"),
        (site.workspace.settings_file, _READ, "read", f"chmod o+r {site.workspace.settings_file}"),
        *_wanted_folders(site, guest, group),
        (meeting, _ENTER, "enter", f"install -d -m 2750 -o {owner} -g {group} {meeting}"),
    ):
        if not visitor.may(path, wanted):
            yield _fault(f"The guard's user {guest} cannot {what} {path}.", f"As root: {advice}")
        elif wanted == _ALL and _is_sticky_for(visitor.account, path):
            sentence = f"The guard's user {guest} cannot move what others made out of {path}: its sticky bit is set."
            yield _fault(sentence, f"As root: chmod -t {path}")


def _wanted_folders(site: Site, guest: str, group: str) -> Iterator[tuple[Path, int, str, str]]:
    """The device's side on a disk; in OneDrive the guard needs no folder."""
    if site.settings.release.onedrive is not None:
        return
    release, aside = site.settings.release.folder, site.settings.release.aside_folder
    owner = _user(site.workspace.owner())
    mode = 0o2770 | (stat.S_IMODE(release.stat().st_mode) & 0o5 if release.is_dir() else 0)
    yield release, _ALL, "list, read and empty", f"install -d -m {mode:o} -o {owner} -g {group} {release}"
    yield aside, _ALL, "list, read and fill", f"install -d -m 0700 -o {guest} -g {group} {aside}"


def _too_much(site: Site, visitor: _Visitor) -> Iterator[Check]:
    guest, workspace = visitor.account.name, site.workspace
    for path in (workspace.state, workspace.keys, *(source.folder for source in site.settings.folder_sources)):
        if visitor.may_any(path, _ALL):
            yield _fault(f"The guard's user {guest} can get into {path}.", f"As root: chmod o-rwx {path}")
    meeting = guard_socket(site.settings, workspace).parent
    if visitor.may_any(meeting, _WRITE):
        sentence = f"The guard's user {guest} could put a socket of its own into {meeting}."
        yield _fault(sentence, f"As root: chmod go-w {meeting}")


def check_certificates(settings: Settings, *, guard: Account, gateway: Account) -> Iterator[Check]:
    """With a release folder in OneDrive: each of the two users reads its own keys there, and not the other's."""
    if settings.guard.onedrive is None or settings.release.onedrive is None:
        return
    guest, host = _visitor(guard), _visitor(gateway)
    own = settings.guard.onedrive.credential.certificate_path
    if own is not None:
        mend = f"As root: chown {guard.name} {own} && chmod 600 {own}"
        if not guest.may(own, _READ):
            yield _fault(f"The guard's user {guard.name} cannot read its certificate {own}.", mend)
        if gateway.uid != 0 and host.may(own, _READ):
            yield _fault(f"The gateway's user {gateway.name} can read the return guard's certificate {own}.", mend)
    readers = (source.onedrive.credential for source in settings.sources if source.onedrive is not None)
    theirs = (credential.certificate_path for credential in (settings.release.onedrive.credential, *readers))
    for path in dict.fromkeys(path for path in theirs if path is not None):
        if guest.may(path, _READ):
            sentence = f"The guard's user {guard.name} can read the gateway's certificate {path}."
            yield _fault(sentence, f"As root: chown {gateway.name} {path} && chmod 600 {path}")


def _account(uid: int) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Account(str(uid), uid, uid)
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def _visitor(account: Account) -> _Visitor:
    return _Visitor(account, frozenset(os.getgrouplist(account.name, account.gid)))


def _is_sticky_for(account: Account, path: Path) -> bool:
    found = path.stat()
    return bool(found.st_mode & stat.S_ISVTX) and found.st_uid != account.uid


def _fault(sentence: str, advice: str) -> Check:
    return Check(name="guard", standing=Standing.MISCONFIGURED, sentence=sentence, advice=advice)


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
