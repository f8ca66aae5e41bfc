"""What is told of the waits on the device's side, where that is a folder in OneDrive."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from transfer import device_side
from transfer.errors import Unavailable
from transfer.model.drive import Wait
from transfer.release.ends import ReleaseEnds, folder_ends
from transfer.release_ends import RELEASE_FOLDER, RETURN_GUARD, Waiter

BUSY = Wait(why="OneDrive asked the gateway to slow down.", until=datetime(2026, 1, 1, tzinfo=UTC))


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 1, 1, 12, 0, 37, 500, tzinfo=UTC)


class Guard:
    """The post, as far as it is asked here."""

    def __init__(self, *, alive: bool = True, waits: int = 0) -> None:
        self.alive, self.waits = alive, waits


class Access:
    def __init__(self, *, has_verdict: bool = True, breach: str = "") -> None:
        self.has_verdict, self._breach = has_verdict, breach

    def require_enclosed(self) -> None:
        if self._breach or not self.has_verdict:
            raise Unavailable(self._breach or "Nobody could see.", advice="Remove the link.")


class Somewhere:
    """A site with a release folder in OneDrive."""

    class settings:  # noqa: N801
        class release:  # noqa: N801
            onedrive: Any = object()

    clock = Clock()


@pytest.fixture
def ends(tmp_path: Path) -> ReleaseEnds:
    return replace(folder_ends(tmp_path, clock=Clock()), waiting=lambda: None)


def told(ends: ReleaseEnds, guard: Guard, access: Access | None) -> dict[str, Callable[[], Wait | None]]:
    found: list[Waiter] = device_side.waiters(Somewhere(), ends, guard, access)  # type: ignore[arg-type]
    return {one.id: one.waiting for one in found}


def test_the_folder_waits_for_whoever_mends_it_and_else_for_onedrive(ends: ReleaseEnds) -> None:
    assert told(ends, Guard(), Access())[RELEASE_FOLDER]() is None
    busy = replace(ends, waiting=lambda: BUSY)
    assert told(busy, Guard(), Access())[RELEASE_FOLDER]() == BUSY
    exposed = told(busy, Guard(), Access(breach="A link lets people change the release folder."))[RELEASE_FOLDER]()
    assert exposed == Wait(why="A link lets people change the release folder. Remove the link.", until=None)


def test_at_the_start_it_is_no_news_that_nobody_knows_yet(ends: ReleaseEnds, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    asked = told(ends, Guard(alive=False), Access(has_verdict=False))
    assert [asked[who]() for who in (RELEASE_FOLDER, RETURN_GUARD)] == [None, None]
    monkeypatch.setattr(device_side.time, "monotonic", lambda: now + 60)
    folder, guard = (asked[who]() for who in (RELEASE_FOLDER, RETURN_GUARD))
    assert folder is not None
    assert folder.why == "Nobody could see. Remove the link."
    assert guard is not None
    assert guard.why.startswith("It is not at work, or cannot see")


def test_the_guards_wait_is_told_in_steps(ends: ReleaseEnds) -> None:
    """Its seconds change with every beat; what is told changes a few times a minute."""
    waits = [told(ends, Guard(waits=seconds), Access())[RETURN_GUARD]() for seconds in (5, 9, 12)]
    ends_at = [wait.until for wait in waits if wait is not None]
    assert ends_at == [datetime(2026, 1, 1, 12, 0, 50, tzinfo=UTC)] * 3
    assert told(ends, Guard(), Access())[RETURN_GUARD]() is None


def test_a_folder_on_the_disk_waits_for_nothing(ends: ReleaseEnds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Somewhere.settings.release, "onedrive", None)
    assert told(ends, Guard(), None) == {}
