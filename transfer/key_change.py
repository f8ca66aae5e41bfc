"""The keys of a rotation: the next one, where it comes from, and how it takes the place of the old one.

    in the workspace   the program makes keys/log-next.key; it takes the place of log.key, whose bytes are overwritten
    kept elsewhere     the operator made it, with `transfer audit new-key`, and names it; what becomes of the old file
                       is the operator's business, but for one that was in the workspace

What enters: a workspace that the caller holds, and perhaps the file of the next key. What leaves: signers. Every
refusal comes before the log is sealed, or leaves it as it is: then the same command goes on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from transfer.audit.keys import create_key, load_key
from transfer.audit.notes import Ed25519Signer
from transfer.audit.shards import may_follow, next_origin
from transfer.errors import Misuse
from transfer.log_key import keep_verifier, kept_verifier
from transfer.log_settings import KeyPlace, check_key_apart, key_place
from transfer.store.durable import remove_file, sync_folder, world_errors, write_all
from transfer.wiring import LOG_KEY, Site

NEXT_KEY = "log-next.key"
_DOING = "switching the log to its next shard"
_HOW = "`transfer audit new-key --out FILE` makes one; then `transfer audit rotate --next-key FILE`."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was made for the next shard, and the file it is in."""

    path: Path
    signer: Ed25519Signer


def new_key(site: Site, out: str, *, current: str, year: int | None = None) -> NewKey:
    """Makes the key of the shard after `current`, in a new file of mode 0600. Raises Misuse, Unavailable.

    `year`: of which year that shard is to be; the present one if it is not said.
    """
    place = named_place(site, out)
    now = site.clock.now().year
    origin = next_origin(current, now if year is None else year)
    if not may_follow(current, origin, now):
        raise Misuse(f"A shard of {year} cannot be prepared yet.", advice=f"Name {now} or {now + 1}.")
    path = place.require()
    return NewKey(path=path, signer=create_key(path, name=origin, entropy=secrets.token_bytes))


def named_place(site: Site, given: str) -> KeyPlace:
    """The place that an option names: a path, or `credential:NAME`; not in the workspace. Raises Misuse."""
    named = given if key_is_credential(given) else os.path.abspath(given)
    place = key_place(named, own=site.workspace.keys / LOG_KEY, environ=os.environ)
    sides = [("the workspace", site.workspace.root), *site.settings.release.named_folders]
    sides += [(f"the source «{source.id}»", source.folder) for source in site.settings.folder_sources]
    check_key_apart(place, given, folders=sides)
    return place


def key_is_credential(given: str) -> bool:
    """Whether an option names a credential and not a path."""
    return KeyPlace(named=given, path=None).is_credential


def upcoming_key(site: Site, current: str, given: KeyPlace | None) -> Ed25519Signer:
    """The key that a rotation now will announce. `current` is the running shard's name. Raises Misuse, Unavailable."""
    if given is None:
        if site.log_key.elsewhere:
            raise Misuse("The log's key is kept elsewhere, and so is the next one: say where it is.", advice=_HOW)
        return _made_here(site, next_origin(current, site.clock.now().year))
    signer = load_key(given.require())
    if not may_follow(current, signer.name, site.clock.now().year):
        raise Misuse(
            f"{given.told} holds a key for {signer.name}, which cannot follow {current}.",
            advice=_HOW,
        )
    return signer


def announced_key(site: Site, vkey: str, given: KeyPlace | None) -> Ed25519Signer:
    """The key that the log announced, from wherever it may be by now. Raises Misuse where it is nowhere."""
    made_here = site.workspace.keys / NEXT_KEY
    if given is not None:
        return _as_announced(load_key(given.require()), vkey, given.told)
    if made_here.exists():
        return _as_announced(load_key(made_here), vkey, str(made_here))
    place = site.log_key
    if place.path is not None and place.path.exists():  # the settings name the next one already
        signer = load_key(place.path)
        if signer.vkey == vkey:
            return signer
    raise Misuse(
        f"The log was sealed, the next key is to be {vkey}, and it is not here.",
        advice="If it is kept elsewhere: `transfer audit rotate --next-key FILE`. Otherwise put keys/log-next.key "
        "back, which is in no backup that was made before the rotation began.",
    )


def is_pending(site: Site, vkey: str) -> bool:
    """Whether the log goes on under this key, and the keys' folder does not show it yet."""
    made_here, kept = site.workspace.keys / NEXT_KEY, kept_verifier(site.workspace)
    return (kept is not None and kept.vkey != vkey) or (made_here.exists() and load_key(made_here).vkey == vkey)


def take_key(site: Site, upcoming: Ed25519Signer) -> None:
    """The next key, which is at hand, is the key from now on. Raises Misuse, Unavailable.

    A former one that was in the workspace is overwritten before it goes.
    """
    made_here, place = site.workspace.keys / NEXT_KEY, site.workspace.keys / LOG_KEY
    with world_errors(_DOING):
        if made_here.exists() and load_key(made_here) == upcoming:
            with _opened(place) as descriptor:
                os.rename(made_here, place)
                sync_folder(place.parent)
                # After a crash here the old key's bytes are still on the disk, under no name.
                _overwrite(descriptor)
        elif place.exists() and (_is_overwritten(place) or load_key(place) != upcoming):
            with _opened(place) as descriptor:
                _overwrite(descriptor)
            # After a crash here the file is empty of meaning; while log.vkey names the former key this is done again.
            remove_file(place)
    keep_verifier(site, upcoming.vkey)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _is_overwritten(path: Path) -> bool:
    return not path.read_bytes().strip(b"\0")


def _overwrite(descriptor: int) -> None:
    write_all(descriptor, bytes(os.fstat(descriptor).st_size))
    os.fsync(descriptor)


def _made_here(site: Site, origin: str) -> Ed25519Signer:
    path = site.workspace.keys / NEXT_KEY
    if path.exists():  # a crash left it before any entry named it
        left = load_key(path)
        if left.name == origin:
            return left
        with world_errors(_DOING):
            path.unlink()
    return create_key(path, name=origin, entropy=secrets.token_bytes)


def _as_announced(signer: Ed25519Signer, vkey: str, where: str) -> Ed25519Signer:
    if signer.vkey != vkey:
        raise Misuse(f"{where} is not the key that the log announced, {vkey}.", advice="Name or put back that one.")
    return signer
