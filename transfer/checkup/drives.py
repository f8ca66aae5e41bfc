"""Has each identity in OneDrive the rights it needs, and none that it must not have?

What enters: an opened workspace. What leaves: checks, made by trying: what should work, and what must be refused. Those
of the reader of a staging folder are here, those of a release folder's writer and guard in `release_drive` and
`drive_guard`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from transfer.approvals.people import listing
from transfer.approvals.statement import Role
from transfer.checkup.check import Check, Standing, fault
from transfer.checkup.drive_guard import check_guard_acts, check_guard_looks, check_who_reaches
from transfer.checkup.drive_sessions import build_prober, patient
from transfer.checkup.release_drive import check_each, check_readers_stray, check_writer, check_writer_strays, shore_of
from transfer.errors import TransferError
from transfer.graph.faults import Unreached
from transfer.settings import Settings, SourceSettings
from transfer.wiring import Site

if TYPE_CHECKING:
    from transfer.graph_settings import OneDriveSettings, StagingSettings

_NAME = "onedrive"
GATEWAY_TRIES = (check_writer, check_writer_strays, check_readers_stray)
GUARD_TRIES = (check_guard_looks, check_guard_acts, check_who_reaches)


def check_drives(site: Site) -> Iterator[Check]:
    """Nothing where neither a source nor the release folder is in OneDrive."""
    try:
        yield from _each(site)
    except Unreached as error:  # it was waited for once; whatever comes after would wait for the same
        yield fault(_NAME, error)


def _each(site: Site) -> Iterator[Check]:
    tenant = site.settings.onedrive
    for source in site.settings.sources:
        if tenant is None or source.onedrive is None:
            continue
        yield from _people(site, source)
        for tries in (_reads, _writes):
            try:
                yield tries(site, tenant, source.id, source.onedrive)
            except Unreached:
                raise
            except TransferError as error:
                yield fault(_NAME, error)
    shore = shore_of(site.settings, site.clock)
    if shore is not None:
        yield from check_each(shore, *GATEWAY_TRIES)
        closed = _closed(site.settings)
        yield from [closed] if closed is not None else check_each(shore, *GUARD_TRIES)


def _closed(settings: Settings) -> Check | None:
    """Where the guard has a user of its own, nobody else can sign in with its certificate, as it must be."""
    guard = settings.guard
    path = None if guard.onedrive is None else guard.onedrive.credential.certificate_path
    if not guard.user or path is None or not path.exists() or os.access(path, os.R_OK):
        return None
    return Check(
        name=_NAME,
        standing=Standing.NOTE,
        sentence=f"The return guard's certificate is its own user's, {guard.user}: nobody else tries its rights.",
        advice="The guard looks who may reach the release folder at each start; `transfer status` says what it found.",
    )


def _reads(site: Site, tenant: OneDriveSettings, source: str, staging: StagingSettings) -> Check:
    """Its folder is there, and its changes are told."""
    from transfer.graph.records import ItemKind
    from transfer.onedrive_ends import build_reader

    with closing(build_reader(tenant, staging, throttle=patient(site.clock))) as reader:
        item = reader.item(staging.folder)
        if item is None or item.kind not in {ItemKind.FOLDER, ItemKind.ROOT}:
            return Check(
                name=_NAME,
                standing=Standing.MISCONFIGURED,
                sentence=f"The source «{source}» names no folder of the drive.",
                advice="`folder` is the id of the staging folder, `drive` that of its drive (docs/onedrive.md).",
            )
        reader.changes(None)
    sentence = f"The staging folder of «{source}» can be read, and tells of its changes."
    return Check(name=_NAME, standing=Standing.OK, sentence=sentence)


def _writes(site: Site, tenant: OneDriveSettings, source: str, staging: StagingSettings) -> Check:
    """Nothing can be put there with the reader's identity."""
    from transfer.graph.prober import may_write

    with build_prober(tenant, staging.credential, clock=site.clock) as session:
        wrong = may_write(session, drive=staging.drive, folder=staging.folder)
    if wrong:
        return Check(
            name=_NAME,
            standing=Standing.MISCONFIGURED,
            sentence=f"The identity that reads «{source}» can also write there.",
            advice="It needs the role `read` on the staging site and no other; take the grant back (docs/onedrive.md).",
        )
    return Check(name=_NAME, standing=Standing.OK, sentence=f"The identity that reads «{source}» may not write there.")


def _people(site: Site, source: SourceSettings) -> Iterator[Check]:
    """Everybody on the list of staff is a submitter here, and the device is known by name."""
    with site.db.read() as tx:
        people = listing(tx, desk=site.desk)
    known = {each.person for each in people if Role.SUBMITTER.value in each.roles and not each.disabled}
    strangers = source.submitters - known
    if strangers:
        yield Check(
            name=_NAME,
            standing=Standing.MISCONFIGURED,
            sentence=f"{len(strangers)} on the list of staff of «{source.id}» is no submitter here.",
            advice="`transfer people list` shows the pseudonyms; `transfer people add` enrols somebody.",
        )
    if source.onedrive is not None and not _names_device(site.settings, source.onedrive):
        yield Check(
            name=_NAME,
            standing=Standing.NOTE,
            sentence=f"The account of [guard.onedrive] is not among those of the device that «{source.id}» names."
            if source.onedrive.device_accounts
            else f"No account of the device is named for «{source.id}».",
            advice="What it wrote would be refused as a stranger's, and not told apart: fill in `device_accounts`.",
        )


def _names_device(settings: Settings, staging: StagingSettings) -> bool:
    """Whether `device_accounts` has anybody, and the account that the guard of a release folder goes by."""
    named = {name.casefold() for name in staging.device_accounts}
    guard = settings.guard.onedrive
    meant = named if guard is None else {name.casefold() for name in (guard.device, *guard.device_addresses)}
    return bool(named & meant)
