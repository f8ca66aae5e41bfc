"""`transfer process gateway` and `transfer process guard`: the two processes that the supervisor runs.

Each can be a systemd unit of its own instead. They limit themselves before they start a thread.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from transfer.cli.options import WorkspaceOption, open_site
from transfer.cli.output import hint

if TYPE_CHECKING:
    from transfer.audit.notes import Ed25519Verifier
    from transfer.gateway import Gateway
    from transfer.sandbox.profiles import Support
    from transfer.settings import Settings
    from transfer.wiring import Site
    from transfer.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Adds the commands, out of sight: staff and approvers never need them."""
    group = typer.Typer(help="The processes of a running gateway, one by one.", no_args_is_help=True)
    group.command("gateway")(gateway)
    group.command("guard")(guard)
    app.add_typer(group, name="process", hidden=True)


def gateway(
    context: typer.Context,
    workspace: WorkspaceOption = None,
    once: Annotated[bool, typer.Option("--once", help="One round, then end.")] = False,
    show: Annotated[bool, typer.Option("--live", help="Show in the terminal what happens.")] = False,
) -> None:
    """The gateway: everything but the device's side."""
    _die_with_parent()
    from transfer.assembly import build_gateway
    from transfer.audit.receipt_files import prepare_folder
    from transfer.cli.live import Live
    from transfer.footing import Footing
    from transfer.log_key import learn_verifier, load_signer
    from transfer.program_log import configure
    from transfer.retention import prune_old
    from transfer.rotation import settle
    from transfer.selfcheck import SelfCheck
    from transfer.store.lock import hold_workspace

    configure()
    site = open_site(context, workspace)
    with hold_workspace(site.workspace.lock, clock=site.clock):
        _tell_begun()
        settle(
            site, hint
        )  # a new year's shard of the log, and what a crash left of one; a confined process writes no key
        verifier = load_signer(site).verifier  # refuses before anything is started
        learn_verifier(site)
        _prune(site)
        live = Live(site, quiet=not show)  # looks for the demo's key, which a confined process cannot
        folders = [source.folder for source in site.settings.folder_sources] + [*site.settings.release.folders[:1]]
        prepare_folder(site.workspace.receipts, site.db)
        folders += [site.workspace.log, site.workspace.feedback, site.workspace.receipts]
        footing = Footing(folders, records=site.workspace.database)
        support = _confine_gateway(site)
        built = build_gateway(site, support=support, announce=live.announce, tell=live.tell, footing=footing)
        built.upkeep.prune_shards = partial(prune_old, site, built.publisher)
        built.selfcheck = SelfCheck(site=site, verifier=verifier, wait=built.condition.stopping.wait).round
        with built.running():
            live.greet(support)
            _tell_overdue(site, verifier)
            _run(built, once=once)


def guard(context: typer.Context, workspace: WorkspaceOption = None) -> None:
    """The guard: the device's side and nothing else."""
    _die_with_parent()
    from transfer.cli.options import workspace_path
    from transfer.program_log import configure
    from transfer.settings import load_settings
    from transfer.wiring import root_of
    from transfer.workspace import Workspace

    configure()
    place = Workspace(root_of(workspace_path(context, workspace)))
    settings = load_settings(place.root)
    if settings.guard.onedrive is None:
        _guard_folder(place, settings)
    else:
        _guard_drive(place, settings)


def _guard_folder(place: Workspace, settings: Settings) -> None:
    import secrets
    import time

    from transfer.footing import Footing
    from transfer.return_guard.watch import run_guard
    from transfer.sandbox.profiles import confine_guard
    from transfer.settings import guard_socket
    from transfer.wiring import SystemClock, guard_paths

    paths = guard_paths(settings)
    Footing([paths.release, paths.aside])
    run_guard(
        release=paths.release,
        aside=paths.aside,
        socket_path=guard_socket(settings, place),
        host=place.owner(),
        confine=lambda: _confine_guard(settings, lambda: confine_guard(paths)),
        clock=SystemClock(),
        monotonic=time.monotonic,
        entropy=secrets.token_bytes,
    )


def _guard_drive(place: Workspace, settings: Settings) -> None:
    import secrets
    import time

    from transfer.onedrive_guard import build_watched
    from transfer.return_guard.onedrive_watch import run_drive_guard
    from transfer.sandbox.profiles import confine_drive_guard
    from transfer.settings import guard_socket
    from transfer.wiring import SystemClock, drive_guard_paths

    host = place.owner()
    paths = drive_guard_paths(settings)
    _confine_guard(settings, lambda: confine_drive_guard(paths))
    run_drive_guard(
        build_watched(settings, clock=SystemClock()),  # its session starts a thread: after the process is confined
        socket_path=guard_socket(settings, place),
        host=host,
        clock=SystemClock(),
        monotonic=time.monotonic,
        entropy=secrets.token_bytes,
    )


def _confine_guard(settings: Settings, confine: Callable[[], object]) -> None:
    from transfer.errors import Unavailable
    from transfer.settings import ValveMode

    try:
        confine()
    except Unavailable:
        if settings.valve.mode is not ValveMode.PREFER:
            raise
    _tell_ready()


def _confine_gateway(site: Site) -> Support:
    from transfer.errors import Unavailable
    from transfer.sandbox.profiles import confine_gateway, kernel_support
    from transfer.settings import ValveMode
    from transfer.wiring import gateway_paths

    try:
        return confine_gateway(gateway_paths(site))
    except Unavailable:
        if site.settings.valve.mode is not ValveMode.PREFER:
            raise
        return kernel_support()


def _prune(site: Site) -> None:
    """At a start; where a backup is being made, the hourly upkeep does it later."""
    from transfer.errors import Unavailable
    from transfer.retention import prune_old

    try:
        prune_old(site)
    except Unavailable as error:
        hint(error.sentence)


def _tell_overdue(site: Site, verifier: Ed25519Verifier) -> None:
    from transfer.log_key import OVERDUE_ADVICE, is_overdue, overdue_sentence

    if is_overdue(site, verifier):
        hint(f"{overdue_sentence(verifier)} {OVERDUE_ADVICE}")


def _run(built: Gateway, *, once: bool) -> None:
    def stop(_number: int, _frame: object) -> None:
        built.condition.stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if once:
        _tell_ready()
        built.once()
    else:
        built.serve(_tell_ready)


def _tell_begun() -> None:
    """To the supervisor: this is the gateway of this workspace, and the guard may come."""
    from transfer.supervisor import BEGUN, READY_VARIABLE

    descriptor = os.environ.get(READY_VARIABLE)
    if descriptor is not None:
        os.write(int(descriptor), BEGUN)


def _tell_ready() -> None:
    """To the supervisor: a later end may be mended by another start."""
    from transfer.supervisor import READY, READY_VARIABLE

    descriptor = os.environ.pop(READY_VARIABLE, None)
    if descriptor is not None:
        os.write(int(descriptor), READY)
        os.close(int(descriptor))


def _die_with_parent() -> None:
    """An orphan would hold the workspace; under systemd there is no supervisor, and PID 1 does not die."""
    from transfer.sandbox.confine import die_with_parent
    from transfer.supervisor import PARENT_VARIABLE

    # The supervisor's own number: it may be dead already, and another process our parent.
    die_with_parent(int(os.environ.pop(PARENT_VARIABLE, 0)) or os.getppid())
