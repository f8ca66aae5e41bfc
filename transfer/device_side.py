"""Puts the device's side of the running gateway together: what releases and takes back, and its talk with the guard.

What enters: a site whose process has confined itself already. What leaves: the post, the end of the line, and who may
have to wait for OneDrive.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import partial

from transfer.audit.notes import Ed25519Signer
from transfer.departures import Departures, stands_now
from transfer.loops import Bell
from transfer.model.identifiers import ItemId, Sha256
from transfer.release.dispatch import Dispatch
from transfer.release.ends import ReleaseEnds
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.renew import ManifestKeeper
from transfer.release_ends import RELEASE_FOLDER, Waiter
from transfer.return_guard.link import find_account
from transfer.return_guard.post import Post
from transfer.return_guard.refuse import ReturnDesk
from transfer.settings import guard_socket
from transfer.sources import build_retirers
from transfer.store.manifests import Reports
from transfer.wiring import Site


def build_post(site: Site, bell: Bell, ends: ReleaseEnds) -> Post:
    """The gateway's end of its talk with the guard; `bell` is rung when a report is recorded."""
    desk = ReturnDesk(
        database=site.db,
        recorder=site.log,
        releases=site.releases,
        manifests=site.manifests,
        reports=Reports(),
        manifest_name=MANIFEST_NAME,
        policy=Sha256(site.policy.sha256),
        aside_days=site.policy.retention.aside_days,
        marks=ends.marks,
    )
    return Post(
        path=guard_socket(site.settings, site.workspace),
        listing=desk.listing,
        record=desk.record,
        recorded=bell.ring,
        monotonic=time.monotonic,
        aside_days=site.policy.retention.aside_days,
        guest=find_account(site.settings.guard.user) if site.settings.guard.user else None,
    )


def build_departures(
    site: Site, ends: ReleaseEnds, post: Post, signer: Ed25519Signer, *, lapsed: Callable[[ItemId], None]
) -> Departures:
    """The end of the line; `lapsed` is told of an item whose approval stands no longer."""
    device = site.settings.release.device_id
    dispatch = Dispatch(
        database=site.db,
        register=site.register,
        releases=site.releases,
        blobs=site.blobs,
        sink=ends.sink,
        recaller=ends.recaller,
        lookout=post,
        clock=site.clock,
        entropy=secrets.token_bytes,
        fitting=ends.fitting,
        stands=partial(stands_now, desk=site.desk, policy=site.policy, device=device),
        hashed=ends.hashed,
        marks=ends.marks,
        sink_knows=ends.sink_knows,
    )
    keeper = ManifestKeeper(
        database=site.db,
        releases=site.releases,
        manifests=site.manifests,
        board=ends.board,
        lookout=post,
        signer=signer,
        origin=signer.name,
        clock=site.clock,
        entropy=secrets.token_bytes,
        marks=ends.marks,
    )
    return Departures(
        dispatch=dispatch,
        manifest=keeper,
        desk=site.desk,
        policy=site.policy,
        device=device,
        retirers=build_retirers(site),
        lapsed=lapsed,
        recheck=(lambda: False) if ends.recheck is None else ends.recheck(dispatch),
    )


def waiters(site: Site, ends: ReleaseEnds) -> list[Waiter]:
    """Who may have to wait for OneDrive on the device's side."""
    if site.settings.release.onedrive is None:
        return []
    return [Waiter(id=RELEASE_FOLDER, asked=ends.waiting, closed=ends.close)]
