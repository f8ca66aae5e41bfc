"""Has each identity at a release folder in OneDrive the rights that it needs there, and none that it must not have?

What enters: an opened workspace. What leaves: checks, made by trying: what should work, and what must be refused. No
file's content is asked for; an upload is begun to be cancelled, so that nothing ever shows in a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from transfer.checkup.check import Check, Standing, fault
from transfer.checkup.drive_sessions import build_prober
from transfer.device_settings import GuardDriveSettings, ReleaseDriveSettings
from transfer.errors import TransferError
from transfer.graph.faults import Denied, NotThere, Unreached
from transfer.graph.prober import facts_about, may_see, may_write
from transfer.graph.records import ItemKind
from transfer.graph.session import UploadingSession
from transfer.graph_settings import CredentialSettings, OneDriveSettings, StagingSettings
from transfer.model.clock import Clock
from transfer.settings import Settings

NAME = "onedrive"
FOLDERS = frozenset({ItemKind.FOLDER, ItemKind.ROOT})
_PAGE = "(docs/onedrive.md)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shore:
    """A release folder in OneDrive with everybody who comes near it. `stagings` by the ids of their sources."""

    tenant: OneDriveSettings
    release: ReleaseDriveSettings
    guard: GuardDriveSettings
    stagings: tuple[tuple[str, StagingSettings], ...]
    clock: Clock

    def prober(self, credential: CredentialSettings) -> UploadingSession:
        """One identity, trying what it can see and write. Raises Misuse."""
        return build_prober(self.tenant, credential, clock=self.clock)


Tries = Callable[[Shore], Iterator[Check]]


def shore_of(settings: Settings, clock: Clock) -> Shore | None:
    """None where the release folder is on a disk."""
    tenant, release, guard = settings.onedrive, settings.release.onedrive, settings.guard.onedrive
    if tenant is None or release is None or guard is None:
        return None
    stagings = tuple((source.id, source.onedrive) for source in settings.sources if source.onedrive is not None)
    return Shore(tenant=tenant, release=release, guard=guard, stagings=stagings, clock=clock)


def check_each(shore: Shore, *tries: Tries) -> Iterator[Check]:
    """One after the other; what one cannot find out does not keep the others from being made.

    Raises Unreached where there is nobody to ask: the others would have to wait for the same.
    """
    for one in tries:
        try:
            yield from one(shore)
        except Unreached:
            raise
        except TransferError as error:
            yield fault(NAME, error)


def good(sentence: str) -> Check:
    """What is as it must be."""
    return Check(name=NAME, standing=Standing.OK, sentence=sentence)


def wrong(sentence: str, advice: str) -> Check:
    """What somebody has to mend, in the settings or in the tenant."""
    return Check(name=NAME, standing=Standing.MISCONFIGURED, sentence=sentence, advice=advice)


def check_writer(shore: Shore) -> Iterator[Check]:
    """It sees the release folder and can begin an upload there. Raises GraphFault, Misuse."""
    release = shore.release
    with shore.prober(release.credential) as session:
        try:
            facts = facts_about(session, drive=release.drive, folder=release.folder)
        except NotThere:
            facts = None
        except Denied as denied:
            if denied.status != 403:
                raise
            yield wrong(
                "The identity that writes the release folder may not even see it.",
                f"Grant it the role `write` on the release site; it can take minutes until that is in force {_PAGE}.",
            )
            return
        if facts is None or facts.kind not in FOLDERS:
            yield wrong(
                "[release.onedrive] names no folder of the drive.",
                f"`folder` is the id of the release folder, `drive` that of its drive {_PAGE}.",
            )
        elif may_write(session, drive=release.drive, folder=release.folder):
            yield good("The release folder can be written to: an upload was begun and cancelled, and nothing showed.")
        else:
            yield wrong(
                "The identity that writes the release folder may see it, and put nothing there.",
                f"Grant it the role `write` on the release site {_PAGE}.",
            )


def check_writer_strays(shore: Shore) -> Iterator[Check]:
    """It reaches no staging folder. Raises GraphFault, Misuse."""
    with shore.prober(shore.release.credential) as session:
        yield from none_reached(shore, session, "The identity that writes the release folder")


def check_readers_stray(shore: Shore) -> Iterator[Check]:
    """No reader reaches the release folder, nor what lies aside. Raises GraphFault, Misuse."""
    for source, staging in shore.stagings:
        with shore.prober(staging.credential) as session:
            reached = [
                name
                for name, folder in (
                    ("the release folder", shore.release.folder),
                    ("the folder aside", shore.guard.aside),
                )
                if may_see(session, drive=shore.release.drive, folder=folder)
            ]
        who = f"The identity that reads «{source}»"
        if reached:
            yield wrong(
                f"{who} can reach {' and '.join(reached)}: what lies there could come back (G5).",
                f"Grant it the role `read` on the staging site and nothing elsewhere; two sites are needed {_PAGE}.",
            )
        else:
            yield good(f"{who} reaches neither the release folder nor the folder aside.")


def none_reached(shore: Shore, session: UploadingSession, who: str) -> Iterator[Check]:
    """Whether an identity reaches a staging folder. Raises GraphFault."""
    if not shore.stagings:
        return
    reached = [
        source for source, staging in shore.stagings if may_see(session, drive=staging.drive, folder=staging.folder)
    ]
    for source in reached:
        yield wrong(
            f"{who} can reach the staging folder of «{source}», whose files nobody has looked at yet (G5).",
            f"Take that grant back: it needs a right on the release site and on no other {_PAGE}.",
        )
    if not reached:
        yield good(f"{who} reaches no staging folder.")
