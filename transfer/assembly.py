"""Puts the running gateway together, out of a site whose process has confined itself already."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from transfer import __version__
from transfer.approvals.campaigns import standing
from transfer.approvals.reviews import cleared
from transfer.audit.publish import Publisher
from transfer.audit.receipt_files import ReceiptFiles
from transfer.audit.shards import is_over, verifiers_of
from transfer.audit.show import ShownEntry
from transfer.device_side import build_access, build_departures, build_post, waiters
from transfer.drive_watch import DriveWatch
from transfer.footing import Footing
from transfer.gateway import Gateway
from transfer.housekeeping import Housekeeping
from transfer.judging import Standing
from transfer.log_key import load_signer
from transfer.looking_back import LookingBack
from transfer.loops import Bell
from transfer.model.events import Json
from transfer.model.identifiers import CampaignId, Sha256
from transfer.notices import Notices
from transfer.pipeline import Line
from transfer.policy.rules import CampaignStanding
from transfer.release_ends import build_release_ends
from transfer.sandbox.profiles import Support
from transfer.scanner_watch import ScannerWatch
from transfer.sources import build_doors, build_drives
from transfer.store.apart import is_busy
from transfer.store.database import ReadTx
from transfer.store.noticeboard import Noticeboard
from transfer.store.register import ItemRow
from transfer.store.schema import SCHEMA_VERSION
from transfer.upkeep import Upkeep
from transfer.wiring import Site, build_pools, build_scanners, line_count
from transfer.worklist import Worklist

_STANDING_SECONDS = 1.0
_MOST_REMEMBERED = 1000


def build_gateway(
    site: Site,
    *,
    support: Support,
    footing: Footing,
    announce: Callable[[ItemRow], None],
    tell: Callable[[ShownEntry], None],
) -> Gateway:
    """Every part of the gateway, wired. Starts the sandbox's zygotes and nothing else."""
    arrivals_bell, departures_bell, worklist = Bell(), Bell(), Worklist()
    line = _line(site)
    signer = load_signer(site)
    ends = build_release_ends(site)
    access = build_access(site)
    post = build_post(site, departures_bell, ends, access)
    drives = build_drives(site)
    return Gateway(
        line=line,
        footing=footing,
        doors=build_doors(site, arrivals_bell, worklist, drives),
        departures=build_departures(site, ends, post, signer, access=access, lapsed=lambda item: worklist.add([item])),
        notices=Notices(
            db=site.db,
            register=site.register,
            recorder=site.log,
            board=Noticeboard(site.workspace.feedback),
            clock=site.clock,
            days=site.policy.retention.feedback_days,
            announce=announce,
            tell=tell,
        ),
        upkeep=_upkeep(site, line),
        watch=_watch(site, line),
        publisher=Publisher(
            db=site.db, log_dir=site.workspace.log, signer=signer, origin=signer.name, clock=site.clock
        ),
        receipts=ReceiptFiles(
            db=site.db, folder=site.workspace.receipts, verifiers=verifiers_of(site.workspace.log, signer.verifier)
        ),
        post=post,
        worklist=worklist,
        workers=line_count(site.settings),
        publish_seconds=site.settings.log.publish_seconds,
        settings_sha256=Sha256(site.settings.sha256),
        valve_complete=support.complete,
        facts=_facts(site, support),
        year_is_over=partial(_is_to_rotate, site, signer.name),
        monotonic=time.monotonic,
        arrivals_bell=arrivals_bell,
        departures_bell=departures_bell,
        drives=DriveWatch(db=site.db, drives=[*drives, *waiters(site, ends, post, access)]),
    )


def _is_to_rotate(site: Site, origin: str) -> bool:
    """Whether the next start would open the shard of another year: not with a key elsewhere, nor during a backup."""
    over = is_over(origin, site.clock.now().year) and not site.log_key.elsewhere
    return over and not is_busy(site.workspace.records_lock)


def standing_of(site: Site) -> Standing:
    """How a campaign stands, by the signed statements; asked anew every second, for a signature takes time to check.

    What is judged here is judged again, without memory, when it is approved and once more when it is released.
    """
    remembered: dict[CampaignId | None, tuple[float, CampaignStanding]] = {}

    def look(tx: ReadTx, campaign: CampaignId | None) -> CampaignStanding:
        now = time.monotonic()
        asked, answer = remembered.get(campaign, (0.0, None))
        if answer is None or now - asked > _STANDING_SECONDS:
            answer = standing(tx, campaign, desk=site.desk)
            if len(remembered) > _MOST_REMEMBERED:  # a sender chooses folder names
                remembered.clear()
            remembered[campaign] = (now, answer)
        return answer

    return look


def _line(site: Site) -> Line:
    media, residue = build_pools(site.settings, reading=site.policy.read_pictures)
    return Line(
        db=site.db,
        register=site.register,
        recorder=site.log,
        blobs=site.blobs,
        media=media,
        residue=residue,
        scanner=build_scanners(site),
        policy=site.policy,
        standing=standing_of(site),
        reviewed=partial(cleared, desk=site.desk, policy=site.policy),
    )


def _upkeep(site: Site, line: Line) -> Upkeep:
    return Upkeep(
        db=site.db,
        recorder=site.log,
        standing=line.standing,
        housekeeping=Housekeeping(
            db=site.db,
            register=site.register,
            recorder=site.log,
            blobs=site.blobs,
            policy=site.policy,
            clock=site.clock,
        ),
        clock=site.clock,
        monotonic=time.monotonic,
        look_back=LookingBack(
            db=site.db, register=site.register, blobs=site.blobs, media=line.media, policy=site.policy
        ).round,
    )


def _watch(site: Site, line: Line) -> ScannerWatch:
    return ScannerWatch(
        db=site.db,
        register=site.register,
        scanners=line.scanner,
        monotonic=time.monotonic,
    )


def _facts(site: Site, support: Support) -> dict[str, Json]:
    return {
        "version": __version__,
        "schema": SCHEMA_VERSION,
        "landlock": support.landlock,
        "seccomp": support.seccomp,
        "scanner": _scanners(site),
        "policy": site.policy.sha256,
    }


def _scanners(site: Site) -> str:
    """In a word for each: `clamd`, `clamd+yara`, `none`."""
    return site.settings.scanner.kind.value + ("+yara" if site.settings.scanner.yara else "")
