"""Puts the device's side of the running gateway together: what releases and takes back, and its talk with the guard.

What enters: a site whose process has confined itself already. What leaves: the post, the end of the line, and who may
have to wait for OneDrive.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from transfer.audit.notes import Ed25519Signer
from transfer.departures import Departures, stands_now
from transfer.errors import Unavailable
from transfer.loops import Bell
from transfer.model.clock import Clock
from transfer.model.drive import Wait
from transfer.model.identifiers import ItemId, Sha256
from transfer.release.dispatch import Dispatch, not_asked
from transfer.release.ends import ReleaseEnds
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.renew import ManifestKeeper
from transfer.release_ends import RELEASE_FOLDER, RETURN_GUARD, Waiter
from transfer.return_guard.access import Access, AccessRule
from transfer.return_guard.link import find_account
from transfer.return_guard.post import Post
from transfer.return_guard.refuse import ReturnDesk
from transfer.settings import guard_socket
from transfer.sources import build_retirers
from transfer.store.manifests import Reports
from transfer.wiring import Site

_AUDITS = 2  # a verdict on who may reach the folder counts until two more should have come
_AUDIT_PATIENCE_SECONDS = 300.0
_STEP_SECONDS = 10
_BEGINNING_SECONDS = 30.0  # after the start: guard and verdict are on their way


def build_access(site: Site) -> Access | None:
    """Who may reach a release folder in OneDrive, as the guard tells it; None for a folder on a disk."""
    guard = site.settings.guard.onedrive
    if guard is None:
        return None
    return Access(
        database=site.db,
        recorder=site.log,
        policy=Sha256(site.policy.sha256),
        rule=AccessRule(
            stop=site.policy.stop_when_exposed, max_age=_AUDITS * guard.audit_seconds + _AUDIT_PATIENCE_SECONDS
        ),
        monotonic=time.monotonic,
    )


def build_post(site: Site, bell: Bell, ends: ReleaseEnds, access: Access | None) -> Post:
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
        audited=None if access is None else access.take,
        aside_days=site.policy.retention.aside_days,
        guest=find_account(site.settings.guard.user) if site.settings.guard.user else None,
    )


def build_departures(
    site: Site,
    ends: ReleaseEnds,
    post: Post,
    signer: Ed25519Signer,
    *,
    access: Access | None,
    lapsed: Callable[[ItemId], None],
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
        enclosed=not_asked if access is None else access.require_enclosed,
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


def waiters(site: Site, ends: ReleaseEnds, post: Post, access: Access | None) -> list[Waiter]:
    """Who may have to wait for OneDrive on the device's side."""
    if site.settings.release.onedrive is None:
        return []
    news = time.monotonic() + _BEGINNING_SECONDS
    return [
        Waiter(id=RELEASE_FOLDER, asked=partial(_folder_waits, ends, access, news), closed=ends.close),
        Waiter(id=RETURN_GUARD, asked=partial(_guard_waits, post, site.clock, news)),
    ]


def _folder_waits(ends: ReleaseEnds, access: Access | None, news: float) -> Wait | None:
    """For OneDrive, or until it is mended who may reach the folder. Before `news` it is none that nobody knows."""
    if access is not None and (access.has_verdict or time.monotonic() > news):
        try:
            access.require_enclosed()
        except Unavailable as stopped:
            return Wait(why=f"{stopped.sentence} {stopped.advice}".strip(), until=None)
    return ends.waiting()


def _guard_waits(post: Post, clock: Clock, news: float) -> Wait | None:
    """In steps of some seconds, so that a wait is told of once and not with every beat. It does not beat while it sees
    nothing, which before `news` is none."""
    seconds = post.waits
    if seconds == 0 and not post.alive and time.monotonic() > news:
        return Wait(
            why="It is not at work, or cannot see the release folder in OneDrive; nothing is released without it. "
            "`transfer doctor` tries what it may there.",
            until=None,
        )
    if seconds == 0:
        return None
    until = clock.now() + timedelta(seconds=seconds)
    whole = until.replace(second=until.second - until.second % _STEP_SECONDS, microsecond=0)
    return Wait(why="OneDrive makes the return guard wait.", until=whole + timedelta(seconds=_STEP_SECONDS))
