"""The workspace: which folder it is, where everything in it lies, and that nobody else can read the private parts.

What enters: the `--workspace` option, the environment and the current folder. What leaves: paths. Nothing here is
read but names and modes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from transfer.errors import Misuse

SETTINGS_NAME = "transfer.toml"
POLICY_NAME = "policy.toml"
VARIABLE = "TRANSFER_WORKSPACE"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_PUBLIC_SUFFIXES = {".vkey", ".pub"}  # verifier keys are meant to be read


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one workspace (DESIGN section 6). `staging`, `release` and `release_aside` are where `transfer
    init` puts them; where they really are is in the settings."""

    root: Path

    @property
    def settings_file(self) -> Path:
        """`transfer.toml`."""
        return self.root / SETTINGS_NAME

    @property
    def policy_file(self) -> Path:
        """`policy.toml`, the policy in force."""
        return self.root / POLICY_NAME

    @property
    def staging(self) -> Path:
        """Where staff drop."""
        return self.root / "staging"

    @property
    def release(self) -> Path:
        """The device's side."""
        return self.root / "release"

    @property
    def release_aside(self) -> Path:
        """What the guard took out of `release`; never read by the gateway."""
        return self.root / "release-aside"

    @property
    def feedback(self) -> Path:
        """What became of each file, for staff."""
        return self.root / "feedback"

    @property
    def receipts(self) -> Path:
        """The proof of each release and refusal, for whoever asks; no personal data."""
        return self.root / "receipts"

    @property
    def state(self) -> Path:
        """Private: database, blobs, sockets."""
        return self.root / "state"

    @property
    def db(self) -> Path:
        """The folder of the database; SQLite makes files beside it."""
        return self.state / "db"

    @property
    def database(self) -> Path:
        """The database file."""
        return self.db / "transfer.sqlite"

    @property
    def raw(self) -> Path:
        """The spool: files as they came, by SHA-256."""
        return self.state / "raw"

    @property
    def clean(self) -> Path:
        """Rebuilt files, by SHA-256."""
        return self.state / "clean"

    @property
    def run(self) -> Path:
        """Sockets and the lock of the running gateway."""
        return self.state / "run"

    @property
    def guard_socket(self) -> Path:
        """Where the guard and the gateway meet."""
        return self.run / "guard.sock"

    @property
    def lock(self) -> Path:
        """Held by the one gateway of this workspace."""
        return self.run / "gateway.lock"

    @property
    def records_lock(self) -> Path:
        """Held by whoever copies, switches or prunes the records; a gateway may run meanwhile."""
        return self.run / "records.lock"

    @property
    def log(self) -> Path:
        """The public log, readable by auditors."""
        return self.root / "log"

    @property
    def keys(self) -> Path:
        """The gateway's own keys."""
        return self.root / "keys"

    @property
    def log_verifier(self) -> Path:
        """The verifier key of the running log, for whoever verifies here without the private one."""
        return self.keys / "log.vkey"

    @property
    def demo(self) -> Path:
        """Only with `transfer init --demo`."""
        return self.root / "demo"

    def owner(self) -> int:
        """The number of the user whose the records are: the gateway's. Raises Misuse if there are none."""
        try:
            return self.state.stat().st_uid
        except OSError as error:
            raise Misuse(
                f"{self.state} cannot be examined ({error.strerror}).", advice="Check that this is a whole workspace."
            ) from error

    def check_modes(self) -> None:
        """Raises Misuse, with the command that mends it, if others may enter `state/` or `keys/` or read a key."""
        for folder in (self.state, self.keys):
            _private(folder, "700", "may be entered by others")
        for key in _regular_files(self.keys):
            if key.suffix not in _PUBLIC_SUFFIXES:
                _private(key, "600", "is a key file that others may read")


def find_workspace(explicit: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The workspace's folder: `explicit`, else $TRANSFER_WORKSPACE, else the nearest one upwards. Raises Misuse."""
    if explicit is not None:
        return _must_be_workspace(cwd / explicit, "was given with --workspace")
    if named := environ.get(VARIABLE):
        return _must_be_workspace(cwd / named, f"is named by ${VARIABLE}")
    for folder in (cwd, *cwd.parents):
        if (folder / SETTINGS_NAME).is_file():
            return folder
    raise Misuse(
        f"There is no {SETTINGS_NAME} in {cwd} or in any folder above it.",
        advice="Name the workspace with --workspace DIR, or make one with `transfer init DIR`.",
    )


def _must_be_workspace(folder: Path, how: str) -> Path:
    folder = Path(os.path.normpath(folder))
    if not (folder / SETTINGS_NAME).is_file():
        said = f"has no {SETTINGS_NAME}" if folder.is_dir() else "is not a folder"
        raise Misuse(f"{folder} {how}, but it {said}.", advice=f"Make a workspace with `transfer init {folder}`.")
    return folder


def _regular_files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        yield from (Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=True))


def _private(path: Path, mode: str, said: str) -> None:
    try:
        found = path.stat()
    except OSError as error:
        raise Misuse(
            f"{path} cannot be examined ({error.strerror}).",
            advice="Check that this is a whole workspace and that you are the user who runs the gateway.",
        ) from error
    if stat.S_IMODE(found.st_mode) & _OTHERS:
        raise Misuse(
            f"{path} {said} (its mode is {stat.S_IMODE(found.st_mode):o}).", advice=f"Run: chmod {mode} {path}"
        )
