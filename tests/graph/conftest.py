"""For the tests of what talks to Graph: an emulator of it, in the test's own process, and sessions of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.graph.asking import session
from tests.graph.emulated import emulator as emulator  # noqa: PLC0414 - a fixture
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application
from transfer.graph import verbs
from transfer.graph.session import DownloadingSession, Session, UploadingSession


@pytest.fixture
def staging(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("staging")
    emulator.world.allow(emulator.world.sign_in("reader", application("reader")), "read", drive)
    return drive


@pytest.fixture
def release(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("release")
    for token in ("writer", "lister"):
        emulator.world.allow(emulator.world.sign_in(token, application(token)), "write", drive)
    return drive


@pytest.fixture
def reader(emulator: Emulator, staging: Drive) -> Iterator[DownloadingSession]:
    with session(DownloadingSession, verbs.READER, emulator, "reader") as opened:
        yield opened


@pytest.fixture
def writer(emulator: Emulator, release: Drive) -> Iterator[UploadingSession]:
    with session(UploadingSession, verbs.WRITER, emulator, "writer") as opened:
        yield opened


@pytest.fixture
def lister(emulator: Emulator, release: Drive) -> Iterator[Session]:
    with session(Session, verbs.LISTER, emulator, "lister") as opened:
        yield opened


@pytest.fixture
def onlooker(emulator: Emulator, release: Drive) -> Iterator[Session]:
    with session(Session, verbs.ONLOOKER, emulator, "lister") as opened:
        yield opened
