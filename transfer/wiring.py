"""The composition root: builds a workspace's records, ends, keys and clocks out of its settings.

What enters: a workspace's folder. What leaves: a `Site`, with which every command works, and the gateway's parts.
Nothing is started here.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from transfer.approvals.authority import Root, parse_root
from transfer.approvals.desk import Desk
from transfer.audit.halted import HaltedLog
from transfer.audit.log import Log
from transfer.errors import Misuse
from transfer.graph.places import Reach, reachable
from transfer.graph_settings import CredentialKind, CredentialSettings, OneDriveSettings
from transfer.log_settings import KeyPlace, key_place
from transfer.model.clock import Clock
from transfer.policy.rulebook import load_policy
from transfer.policy.rules import Policy
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import DriveGuardPaths, GatewayPaths, GuardPaths
from transfer.sandbox.requests import Role
from transfer.scanner_settings import ScannerKind
from transfer.settings import Settings, ValveMode, guard_socket, load_settings
from transfer.store.adoption import POLICY, adopted
from transfer.store.blobs import Blobs
from transfer.store.database import Database
from transfer.store.manifests import Manifests
from transfer.store.register import Register
from transfer.store.releases import Releases
from transfer.store.restored import restored_from
from transfer.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from transfer.inspection.scan import Scanner, Scanners

LOG_KEY = "log.key"
ROOT_FILE = "first-approver.vkey"


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant."""
        return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Site:
    """One opened workspace."""

    workspace: Workspace
    settings: Settings
    policy: Policy
    db: Database
    log: Log
    register: Register
    releases: Releases
    manifests: Manifests
    desk: Desk
    blobs: Blobs
    clock: Clock

    @property
    def log_key(self) -> KeyPlace:
        """Where the log's private key is."""
        return key_place(self.settings.log.key, own=self.workspace.keys / LOG_KEY, environ=os.environ)

    def require_policy_in_force(self) -> None:
        """Raises Misuse if `policy.toml` is not the one the gateway judges by: a decision names its digest."""
        with self.db.read() as tx:
            in_force = adopted(tx, POLICY)
        if in_force != self.policy.sha256:
            raise Misuse(
                f"{self.workspace.policy_file} was changed since the gateway last started.",
                advice="A decision names its policy: restart the gateway to adopt this one, or undo the change.",
                clauses=("G10",),
            )


def root_of(explicit: Path | None) -> Path:
    """The workspace's folder meant by an option, the environment or the current folder. Raises Misuse."""
    return find_workspace(explicit, os.environ, Path.cwd())


def find_site(explicit: Path | None) -> Site:
    """That workspace, opened. Raises Misuse, Tampered, Unavailable."""
    return open_site(Workspace(root_of(explicit)))


def open_site(workspace: Workspace, *, going_on: bool = False) -> Site:
    """Opens a workspace's records. Raises Misuse, Tampered, Unavailable.

    A restored workspace can be read; its log takes entries again after `going_on`, and only that asks for it.
    """
    settings = load_settings(workspace.root)
    workspace.check_modes()
    policy = load_policy(workspace.policy_file)
    root = read_root(workspace)
    db = Database.open(workspace.database, lock=workspace.lock)
    return assemble(workspace, settings, policy, db, root, going_on=going_on)


def assemble(
    workspace: Workspace, settings: Settings, policy: Policy, db: Database, root: Root, *, going_on: bool = False
) -> Site:
    """Puts the records together over an open database."""
    clock = SystemClock()
    log = Log(origin=settings.gateway.origin, clock=clock, entropy=secrets.token_bytes)
    with db.read() as tx:
        restored = restored_from(tx)
    if restored is not None and not going_on:
        log = HaltedLog(log, restored)
    register = Register(log, clock=clock)
    return Site(
        workspace=workspace,
        settings=settings,
        policy=policy,
        db=db,
        log=log,
        register=register,
        releases=Releases(log),
        manifests=Manifests(),
        desk=Desk(register=register, recorder=log, clock=clock, entropy=secrets.token_bytes, root=root),
        blobs=Blobs(workspace.state),
        clock=clock,
    )


def read_root(workspace: Workspace) -> Root:
    """The first approver, where every chain of signatures ends; kept outside the database."""
    path = workspace.keys / ROOT_FILE
    try:
        return parse_root(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise Misuse(
            f"The first approver's verifier key {path} cannot be read.",
            advice="It is made by `transfer init` and never changes; restore it from the backup.",
            clauses=("G1",),
        ) from error


def build_scanners(site: Site) -> Scanners:
    """The malware scanners of the settings; signatures older than the policy allows count as none (G9).

    To be closed. Raises Misuse with file, line and reason if YARA rules are wrong, Unavailable.
    """
    from transfer.inspection.scan import Scanners

    first = _first_scanner(site)
    settings = site.settings.scanner
    if not settings.yara:
        return Scanners(first)
    from transfer.inspection.yara_scan import YaraScanner

    rules = YaraScanner(
        folder=Path(settings.yara),
        make_pool=partial(_rules_pool, site.settings),
        timeout=settings.timeout_seconds,
        size_limit=settings.yara_max_bytes,
    )
    return Scanners(first, rules.start())


def _first_scanner(site: Site) -> Scanner:
    from transfer.inspection.scan import NoScanner

    settings = site.settings.scanner
    if settings.kind is ScannerKind.NONE:
        return NoScanner()
    from transfer.inspection.clamd import ClamdScanner
    from transfer.inspection.clamd_talk import Address

    return ClamdScanner(
        address=Address(path=Path(settings.socket))
        if settings.socket
        else Address(host=settings.host, port=settings.port),
        clock=site.clock,
        timeout=settings.timeout_seconds,
        size_limit=settings.max_bytes,
        max_age=timedelta(days=site.policy.malware.max_signature_age_days),
    )


def gateway_paths(site: Site) -> GatewayPaths:
    """What the kernel is to let the gateway reach."""
    workspace, settings = site.workspace, site.settings
    meeting = guard_socket(settings, workspace).parent
    meets_outside = (meeting,) if meeting != workspace.run else ()
    key = site.log_key
    at_hand = key.elsewhere and key.path is not None and os.path.isfile(key.path)
    key_outside = (key.path,) if at_hand and key.path is not None else ()  # that file, and nothing beside it
    rules = (Path(settings.scanner.yara),) if settings.scanner.yara else ()
    graph = _graph_reach(settings)
    return GatewayPaths(
        staging=tuple(source.folder for source in settings.folder_sources),
        readable=(workspace.keys, *key_outside, *rules, *graph.readable),
        owned=(workspace.state, workspace.log, workspace.feedback, workspace.receipts, *meets_outside),
        release=None if settings.release.onedrive else settings.release.folder,
        connect_tcp=(*((settings.scanner.port,) if settings.scanner.host else ()), *graph.ports),
    )


def _graph_reach(settings: Settings) -> Reach:
    """What the gateway's own ends in OneDrive take."""
    found = Reach()
    if settings.onedrive is None:
        return found
    credentials = [source.onedrive.credential for source in settings.sources if source.onedrive is not None]
    if settings.release.onedrive is not None:
        credentials.append(settings.release.onedrive.credential)
    for credential in credentials:
        found += graph_reach(settings.onedrive, credential)
    return found


def graph_reach(tenant: OneDriveSettings, credential: CredentialSettings) -> Reach:
    """What one identity's way to OneDrive takes."""
    return reachable(
        tenant.base_url,
        certificate=credential.certificate_path,
        managed=credential.kind is CredentialKind.MANAGED_IDENTITY,
    )


def guard_paths(settings: Settings) -> GuardPaths:
    """What the kernel is to let the guard of a folder on a disk reach. Raises Misuse where there is none."""
    if settings.release.onedrive is not None:
        raise Misuse("The release folder is in OneDrive: there is no folder on the disk to guard.", clauses=("G5",))
    return GuardPaths(release=settings.release.folder, aside=settings.release.aside_folder)


def drive_guard_paths(settings: Settings) -> DriveGuardPaths:
    """What the kernel is to let the guard of a folder in OneDrive reach. Raises Misuse where there is none."""
    if settings.onedrive is None or settings.guard.onedrive is None:
        raise Misuse("The settings name no release folder in OneDrive to guard.", clauses=("G5",))
    reach = graph_reach(settings.onedrive, settings.guard.onedrive.credential)
    return DriveGuardPaths(readable=reach.readable, connect_tcp=reach.ports)


def _rules_pool(settings: Settings, material: int) -> Pool:
    """The children that look at whole files with the YARA rules behind this descriptor."""
    from transfer.inspection.yara_scan import HEADROOM

    return Pool(
        role=Role.RULES,
        workers=worker_count(settings),
        limits=ChildLimits(
            memory_bytes=settings.scanner.yara_max_bytes + HEADROOM, request_seconds=settings.scanner.timeout_seconds
        ),
        strict=settings.sandbox.strict,
        prefer=settings.valve.mode is ValveMode.PREFER,
        material=material,
    )


def build_pools(settings: Settings, *, reading: bool = False) -> tuple[Pool, Pool]:
    """The sandbox children: those that see raw bytes, and those that never do. `reading`: words in pictures too."""
    sandbox = settings.sandbox
    prefer = settings.valve.mode is ValveMode.PREFER
    limits = ChildLimits(
        memory_bytes=sandbox.memory_mb * 1024 * 1024,
        request_seconds=sandbox.seconds,
        cpu_seconds=max(ChildLimits().cpu_seconds, 6 * sandbox.seconds),  # a film that is encoded anew uses them
    )
    media = Pool(
        role=Role.READING if reading else Role.MEDIA,
        workers=line_count(settings),
        limits=limits,
        strict=sandbox.strict,
        prefer=prefer,
    )
    residue = Pool(
        role=Role.RESIDUE, workers=worker_count(settings), limits=limits, strict=sandbox.strict, prefer=prefer
    )
    return media, residue


def worker_count(settings: Settings) -> int:
    """How many cores are to work on files."""
    return settings.sandbox.workers or len(os.sched_getaffinity(0))


def line_count(settings: Settings) -> int:
    """How many files are on the line at a time, each with a decoding child of its own from examination to rebuild.

    One more than cores work: while one waits for the disk, the others keep the cores busy.
    """
    return worker_count(settings) + 1
