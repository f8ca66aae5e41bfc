"""What the records say: database, log, policy in force, device, and who runs.

What enters: an opened workspace. What leaves: checks. Nothing is changed; the log is verified as an auditor would.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from transfer.approvals.devices import usable_device
from transfer.approvals.pausing import pause_in_force
from transfer.audit.shards import family_of
from transfer.auditing import audit_site
from transfer.checkup.check import Check, Standing
from transfer.erasing import unfinished
from transfer.errors import Misuse, NotSo, Unavailable
from transfer.log_key import own_verifier
from transfer.model.clock import render_time
from transfer.settings import guard_socket
from transfer.store.adoption import POLICY, SETTINGS, adopted
from transfer.store.lock import who_holds
from transfer.store.restored import restored_from
from transfer.store.verified import verified_last
from transfer.wiring import Site

_UNIX_SOCKETS = Path("/proc/net/unix")
_CONNECTED = "03"


def check_database(site: Site) -> Iterator[Check]:
    """The file is whole, and what was restored may go on. Raises Tampered."""
    site.db.check()
    yield Check(name="database", standing=Standing.OK, sentence="Every page of the database fits together.")
    with site.db.read() as tx:
        restored = restored_from(tx)
    if restored is not None:
        yield Check(
            name="database",
            standing=Standing.MISCONFIGURED,
            sentence="This workspace was restored from a backup, and nobody has said that it goes on.",
            advice="`transfer audit adopt`, with --log DIR if its log was published further since.",
        )


def check_log(site: Site) -> Iterator[Check]:
    """Everything verifies: entries, tiles, signatures, approvals. Raises Tampered."""
    verifier = own_verifier(site)
    if family_of(verifier.name) != family_of(site.settings.gateway.origin):
        raise Misuse("The log cannot be verified under another name than its own.", advice="Undo the change of origin.")
    try:
        audit = audit_site(site, [verifier])
    except NotSo as error:
        yield Check(name="log", standing=Standing.NOTE, sentence=error.sentence, advice=error.advice)
        return
    size = audit.folder.size + (audit.database.unpublished if audit.database else 0)
    sentence = f"All {size:,} entries, and the approvals of {audit.covered.releases:,} releases, verify."
    yield Check(name="log", standing=Standing.OK, sentence=sentence)
    with site.db.read() as tx:
        last = verified_last(tx)
    if last is not None:
        own = f"The gateway itself last verified all of its {last.entries:,} entries at {render_time(last.at)}."
        yield Check(name="log", standing=Standing.OK, sentence=own)
    elif not site.settings.log.verify_hours:
        advice = "Set verify_hours under [log] in transfer.toml, or verify it by a timer: `transfer audit verify`."
        sentence = "The gateway does not verify its log by itself."
        yield Check(name="log", standing=Standing.NOTE, sentence=sentence, advice=advice)


def check_erasures(site: Site) -> Iterator[Check]:
    """Of erased people nothing is left here."""
    with site.db.read() as tx:
        left = unfinished(tx)
    for person in left:
        yield Check(
            name="erasures",
            standing=Standing.MISCONFIGURED,
            sentence=f"Something of {person}, who was erased, is still in the workspace.",
            advice=f"Finish it: `transfer people erase {person}`.",
        )


def check_policy(site: Site) -> Iterator[Check]:
    """What the files say is what the gateway goes by."""
    runs = who_holds(site.workspace.lock) is not None
    with site.db.read() as tx:
        in_force = {name: adopted(tx, name) for name in (POLICY, SETTINGS)}
    for name, file, digest in (
        (POLICY, site.workspace.policy_file, site.policy.sha256),
        (SETTINGS, site.workspace.settings_file, site.settings.sha256),
    ):
        if in_force[name] == digest:
            yield Check(name="policy", standing=Standing.OK, sentence=f"{file.name} is the one in force.")
        elif runs:
            yield Check(
                name="policy",
                standing=Standing.MISCONFIGURED,
                sentence=f"{file.name} was changed since the gateway started; it goes by the former one.",
                advice="Restart the gateway to adopt it, or undo the change.",
            )
        else:
            yield Check(
                name="policy",
                standing=Standing.NOTE,
                sentence=f"{file.name} was changed since the gateway last ran.",
                advice="The next start adopts it, with an entry; until then nothing can be approved or refused."
                if name == POLICY
                else "The next start adopts it, with an entry.",
            )


def check_device(site: Site) -> Iterator[Check]:
    """Things may be released to it. Raises Misuse."""
    device = site.settings.release.device_id
    try:
        with site.db.read() as tx:
            usable_device(tx, device, desk=site.desk)
    except NotSo as error:
        raise Misuse(error.sentence, advice=error.advice, clauses=error.clauses) from error
    yield Check(name="device", standing=Standing.OK, sentence=f"The device {device} is enrolled.")
    with site.db.read() as tx:
        pause = pause_in_force(tx, desk=site.desk)
    if pause is not None:
        sentence = f"Releasing is paused by {pause.by} since {render_time(pause.at)}."
        yield Check(name="device", standing=Standing.NOTE, sentence=sentence, advice="`transfer resume` ends that.")


def check_running(site: Site) -> Iterator[Check]:
    """Gateway and guard. Raises Unavailable if the one runs without the other."""
    holder = who_holds(site.workspace.lock)
    if holder is None:
        yield Check(
            name="running", standing=Standing.NOTE, sentence="No gateway runs on this workspace.",
            advice="Start it: `transfer run`.",
        )  # fmt: skip
        return
    since = f" since {render_time(holder.since)}" if holder.since else ""
    yield Check(name="running", standing=Standing.OK, sentence=f"The gateway runs as process {holder.pid}{since}.")
    met = _guard_is_there(holder.pid, guard_socket(site.settings, site.workspace).name)
    if met:
        yield Check(name="running", standing=Standing.OK, sentence="A guard is with it.")
    elif met is False:
        raise Unavailable(
            "No guard is with the gateway, so nothing is released.",
            advice="If it is a service of its own, start it; else look into the gateway's own output.",
        )


def _guard_is_there(gateway: int, name: str) -> bool | None:
    """Whether somebody is connected to the gateway's socket of this name; None if this system does not tell."""
    try:
        descriptors = f"/proc/{gateway}/fd"
        held = {os.readlink(f"{descriptors}/{number}") for number in os.listdir(descriptors)}
        lines = [line.split(maxsplit=7) for line in _UNIX_SOCKETS.read_text(errors="replace").splitlines()]
    except OSError:
        return None
    return any(
        len(line) == 8 and line[5] == _CONNECTED and line[7].endswith(f"/{name}") and f"socket:[{line[6]}]" in held
        for line in lines
    )
