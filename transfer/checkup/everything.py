"""All checks, one after the other; what one cannot find out does not keep the others from being made.

What enters: a workspace's folder. What leaves: checks, with what to do where something does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from transfer.checkup import drives, guard_user, pictures, records, surroundings
from transfer.checkup.check import Check, fault
from transfer.errors import TransferError
from transfer.wiring import Site, open_site
from transfer.workspace import Workspace

_CHECKS: Mapping[str, Callable[[Site], Iterator[Check]]] = {
    "keys": surroundings.check_keys,
    "scanner": surroundings.check_scanner,
    "folders": surroundings.check_folders,
    "guard": guard_user.check_guard_user,
    "onedrive": drives.check_drives,
    "pictures": pictures.check_pictures,
    "disk": surroundings.check_disk,
    "clock": surroundings.check_clock,
    "database": records.check_database,
    "log": records.check_log,
    "erasures": records.check_erasures,
    "policy": records.check_policy,
    "device": records.check_device,
    "running": records.check_running,
}


def check_machine() -> list[Check]:
    """Without a workspace: what the kernel can do. Start no thread before: it forks."""
    return surroundings.check_kernel(None)


def check_workspace(root: Path) -> list[Check]:
    """Everything. Start no thread before: the kernel's limits are tried in forks."""
    try:
        site = open_site(Workspace(root))
    except TransferError as error:
        return [*surroundings.check_kernel(None), fault("workspace", error)]
    checks = surroundings.check_kernel(site)
    for name, tries in _CHECKS.items():
        try:
            checks += tries(site)
        except TransferError as error:
            checks.append(fault(name, error))
    return checks
