"""What surrounds a workspace: kernel, scanner, keys, folders, disk, clock.

What enters: an opened workspace. What leaves: checks. Nothing is changed: the kernel is tried on unnamed files
in processes that confine themselves first, and the scanner is shown its test file.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from transfer.audit.shards import family_of
from transfer.checkup.check import Check, Standing, fault
from transfer.errors import Misuse, Unavailable
from transfer.inspection.scan import NoScanner
from transfer.log_key import OVERDUE_ADVICE, is_overdue, load_signer, overdue_sentence, own_verifier
from transfer.model.clock import parse_time, render_time
from transfer.policy.rules import ScanDemand
from transfer.return_guard.link import find_account
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.trials import GUARDS_KEY, Trial, try_child, try_valve
from transfer.scanner_settings import ScannerKind
from transfer.settings import ValveMode
from transfer.store import journal
from transfer.wiring import LOG_KEY, Site, build_scanners, drive_guard_paths, gateway_paths, guard_paths

_BACK = timedelta(seconds=5)


def check_kernel(site: Site | None) -> list[Check]:
    """What the kernel enforces, by trying; without a workspace only what a sandbox child may do. It forks."""
    support = kernel_support()
    missing = [] if site is None else [folder for folder in _sides(site) if not folder.is_dir()]
    trials: list[Trial] = []
    guarded = site is None or _is_ours(site.settings.guard.user)
    preferred = site is not None and site.settings.valve.mode is ValveMode.PREFER
    if support.complete and (site is None or missing):
        trials = try_child()
    elif support.complete and site is not None:
        try:
            drive = site.settings.release.onedrive is not None
            guard = drive_guard_paths(site.settings) if drive else guard_paths(site.settings)
            trials = try_valve(gateway_paths(site), guard if guarded else None)
        except Misuse as error:  # one side lies within the other
            return [fault("kernel valve", error)]
    broken = Standing.NOTE if preferred else Standing.UNAVAILABLE
    checks = [
        Check(name="kernel valve", standing=broken, sentence=problem, advice=_KERNEL_ADVICE)
        for problem in support.problems
    ]
    failed = [trial for trial in trials if trial.holds is False]
    checks += [_broken(trial) for trial in failed]
    if trials and not failed:
        whom = "gateway, guard and sandbox child" if guarded else "gateway and sandbox child"
        if site is None or missing:
            whom = "a sandbox child"
        tried = sum(trial.holds is True for trial in trials)
        sentence = f"Landlock {support.landlock} and seccomp hold {whom}: {tried} things tried, all went as they must."
        checks.append(Check(name="kernel valve", standing=Standing.OK, sentence=sentence))
    checks += [
        Check(
            name="kernel valve",
            standing=Standing.NOTE,
            sentence=f"The limits of gateway and guard are tried once {folder} is there.",
            advice="Mount it, or correct its path in transfer.toml.",
        )
        for folder in missing
    ]
    if site is not None and not guarded:
        sentence = f"The guard's limits are its own user's, {site.settings.guard.user}, and are not tried by another."
        advice = "The guard tries them at each start, and does not run without."
        checks.append(Check(name="kernel valve", standing=Standing.NOTE, sentence=sentence, advice=advice))
    return checks


def _is_ours(guard: str) -> bool:
    """Whether the guard runs as the user who asks now."""
    try:
        return not guard or find_account(guard).uid == os.geteuid()
    except Misuse:  # there is none of this name, which another check says
        return False


def _sides(site: Site) -> list[Path]:
    return [*(source.folder for source in site.settings.folder_sources), *site.settings.release.folders]


_KERNEL_ADVICE = (
    'Use Linux 5.19 or newer with Landlock and seccomp on. Where that cannot be, mode = "prefer" under [valve] starts '
    "all the same; one-wayness then rests on the program alone."
)


def _broken(trial: Trial) -> Check:
    if trial.what == "confine itself":
        sentence = f"The {trial.who} cannot limit itself: {trial.observed}"
        return Check(name="kernel valve", standing=Standing.UNAVAILABLE, sentence=sentence, advice=_KERNEL_ADVICE)
    must = "must work" if trial.must_work else "must be refused"
    sentence = f"«{trial.what}» by the {trial.who} {must}, but it ended with: {trial.observed}."
    advice = (
        "Look at the folder's owner and mode." if trial.must_work else "Do not run a gateway here: tell its makers."
    )
    if trial.what.startswith(GUARDS_KEY):
        advice = (
            "Put it into a folder of which the gateway reads nothing, such as /etc/oneway-transfer (docs/onedrive.md)."
        )
    return Check(name="kernel valve", standing=Standing.UNAVAILABLE, sentence=sentence, advice=advice)


def check_keys(site: Site) -> Iterator[Check]:
    """Nobody else can read the keys, and the log's is the one of this log. Raises Misuse."""
    place = site.log_key
    verifier = own_verifier(site) if place.path is None else load_signer(site).verifier
    if family_of(verifier.name) != family_of(site.settings.gateway.origin):
        raise Misuse(
            f"The log key is for {verifier.name}, and transfer.toml says origin = {site.settings.gateway.origin}.",
            advice="Undo the change of the origin: a log keeps its name for ever.",
        )
    if place.path is None:
        yield Check(
            name="keys",
            standing=Standing.NOTE,
            sentence=f"The log's key is {place.named}, which only the service is handed; it was not looked at.",
            advice="The service looks at it at each start.",
        )
    where = f", at {place.told}" if place.elsewhere else ""
    sentence = f"Nobody else can read the keys; the log's is {verifier.vkey}{where}."
    yield Check(name="keys", standing=Standing.OK, sentence=sentence)
    left = site.workspace.keys / LOG_KEY
    if place.elsewhere and left.exists():
        sentence = f"The log's key is kept at {place.told}, and there is a key at {left} all the same."
        advice = "Remove it, and every copy of it, such as in backups; or rotate the log (docs/keys.md)."
        yield Check(name="keys", standing=Standing.NOTE, sentence=sentence, advice=advice)
    if is_overdue(site, verifier):
        yield Check(name="keys", standing=Standing.NOTE, sentence=overdue_sentence(verifier), advice=OVERDUE_ADVICE)


def check_scanner(site: Site) -> Iterator[Check]:
    """It answers, is current, and finds the test file."""
    required = site.policy.malware.scan is ScanDemand.REQUIRED
    if site.settings.scanner.kind is ScannerKind.NONE:
        sentence = "No malware scanner is set up; " + (
            "the policy requires one, so every item waits." if required else "every item is marked as not scanned."
        )
        advice = "Install clamd and name its socket under [scanner] in transfer.toml (docs/operating.md)."
        yield Check(
            name="scanner", standing=Standing.MISCONFIGURED if required else Standing.NOTE, sentence=sentence,
            advice=advice,
        )  # fmt: skip
    if site.settings.scanner.kind is not ScannerKind.NONE or site.settings.scanner.yara:
        yield from _try_scanners(site, required=required)


def _try_scanners(site: Site, *, required: bool) -> Iterator[Check]:
    with build_scanners(site) as scanners:
        tests = [test for test in scanners.self_tests() if test.scanner != NoScanner.name]
    for test in tests:
        standing = Standing.UNAVAILABLE if required and not test.passed else Standing.NOTE
        standing = Standing.OK if test.passed and not test.advice else standing
        sentence = f"{test.sentence} ({test.signatures})" if test.signatures else test.sentence
        yield Check(name="scanner", standing=standing, sentence=sentence, advice=test.advice)
    settings, largest = site.settings.scanner, site.policy.limits.any_bytes
    for whom, takes, how in (
        ("clamd", settings.max_bytes, "Raise StreamMaxLength, MaxFileSize and MaxScanSize in clamd.conf and max_bytes"),
        ("yara", settings.yara_max_bytes, "Raise yara_max_bytes, which is memory for each worker,"),
    ):
        if takes < largest and any(test.scanner == whom for test in tests):
            yield Check(
                name="scanner",
                standing=Standing.NOTE,
                sentence=f"{whom} is shown files of up to {takes:,} bytes; the policy lets in up to {largest:,}.",
                advice=f"Larger ones are refused as not scannable. {how} under [scanner] in transfer.toml.",
            )


def check_folders(site: Site) -> Iterator[Check]:
    """Both sides are there and within reach. Raises Misuse."""
    release = site.settings.release
    for source in site.settings.folder_sources:
        yield _folder(f"the staging folder {source.folder}", source.folder, os.R_OK | os.X_OK)
    if release.onedrive is None:
        yield _folder(f"the release folder {release.folder}", release.folder, os.W_OK | os.X_OK)
        yield _folder(f"the folder aside {release.aside_folder}", release.aside_folder, os.F_OK)
    yield _folder(f"the feedback folder {site.workspace.feedback}", site.workspace.feedback, os.W_OK | os.X_OK)
    receipts = site.workspace.receipts
    if os.path.lexists(receipts):
        yield _folder(f"the receipts folder {receipts}", receipts, os.W_OK | os.X_OK)
    else:
        yield Check(
            name="folders",
            standing=Standing.NOTE,
            sentence=f"The receipts folder {receipts} is not there.",
            advice="The next start of the gateway makes it, and every receipt anew.",
        )
    both = [folder.stat().st_dev for folder in release.folders if folder.is_dir()]
    if len(set(both)) > 1:
        raise Misuse(
            "The release folder and the folder aside are on two file systems, so nothing can be moved aside.",
            advice="Put both on one.",
        )


def _folder(what: str, path: Path, access: int) -> Check:
    try:
        found = path.is_dir() and os.access(path, access)
    except OSError:
        found = False
    if found:
        return Check(name="folders", standing=Standing.OK, sentence=f"{what[0].upper()}{what[1:]} is within reach.")
    why = "may not be used by this account" if path.exists() else "is not there"
    return Check(
        name="folders", standing=Standing.UNAVAILABLE, sentence=f"{what[0].upper()}{what[1:]} {why}.",
        advice="Mount it, or correct its path in transfer.toml, or its owner and mode.",
    )  # fmt: skip


def check_disk(site: Site) -> Iterator[Check]:
    """There is room. Raises Unavailable."""
    try:
        free = shutil.disk_usage(site.workspace.state).free
    except OSError as error:
        raise Unavailable(f"The disk of {site.workspace.state} cannot be examined ({error.strerror}).") from error
    least = site.settings.intake.min_free_bytes
    if free < least:
        raise Unavailable(
            f"Only {free:,} bytes are free; below {least:,} nothing new is taken in.", advice="Free some space."
        )
    yield Check(name="disk", standing=Standing.OK, sentence=f"{free:,} bytes are free; intake stops below {least:,}.")


def check_clock(site: Site) -> Iterator[Check]:
    """It is not behind the log. Raises Misuse."""
    with site.db.read() as tx:
        newest = parse_time(journal.head(tx).at)
    now = site.clock.now()
    if now < newest - _BACK:
        raise Misuse(
            f"The clock says {render_time(now)}, but the log's newest entry was made at {render_time(newest)}.",
            advice="Set the clock, and keep it set with systemd-timesyncd or chrony. Entries keep the later time.",
        )
    yield Check(name="clock", standing=Standing.OK, sentence=f"The clock says {render_time(now)}, after every entry.")
