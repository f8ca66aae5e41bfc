"""The line's last stretch to OneDrive whole, over a service that fails at random: nothing lost, doubled or unlogged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.release.onedrive_rig import PLACE, Shore
from tests.release.rig import DEVICE, SIGNER, item_id
from tests.release.test_onedrive import placed, sessions
from tests.release.test_onedrive_recheck import MINUTE, Line
from transfer.errors import NotSo, Unavailable
from transfer.model.states import State
from transfer.release.manifest import open_manifest
from transfer.release.renew import ManifestKeeper
from transfer.release.send import send
from transfer.release.withdraw import withdraw
from transfer.store.manifests import Manifests
from transfer.store.onedrive_placements import Echo

FILES = 12
ONCE = ("file.releasing", "file.released", "release.verified")


@pytest.fixture
def line(shore: Shore, tmp_path: Path) -> Iterator[Line]:
    line = Line(shore, tmp_path)
    yield line
    line.end.close()
    line.side.close()


def until_done(deed: Callable[[], object]) -> None:
    for _ in range(30):
        try:
            deed()
        except Unavailable:
            continue
        except NotSo:  # done by the attempt before, whose last answer was lost
            return
        return
    pytest.fail("it was never done")


def keeper(line: Line) -> ManifestKeeper:
    return ManifestKeeper(
        database=line.side.database,
        releases=line.side.releases,
        manifests=Manifests(),
        board=line.end.board,
        lookout=line.dispatch.lookout,
        signer=SIGNER,
        origin="gateway.example/demo",
        clock=line.clock,
        entropy=line.dispatch.entropy,
    )


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_with_faults_at_random_everything_happens_once_and_is_in_the_log(line: Line, share: float) -> None:
    line.shore.world.switch(retry_after=0)
    line.shore.world.random_faults(share, seed=int(share * 100))
    manifest, recheck = keeper(line), line.recheck()
    for number in range(1, FILES + 1):
        approved = line.side.approved(number, b"photo %d" % number)
        until_done(lambda: send(approved, dispatch=line.dispatch, device=DEVICE))  # noqa: B023
        if number % 4 == 0:
            until_done(manifest.renew)
    for number in range(1, FILES + 1, 3):
        until_done(lambda: withdraw(item_id(number), dispatch=line.dispatch))  # noqa: B023
    line.clock.by += MINUTE
    until_done(recheck.round)
    until_done(manifest.renew)
    line.shore.world.no_faults()
    left = {f"photo-{n}.jpg": b"photo %d" % n for n in range(1, FILES + 1) if n % 3 != 1}
    found = line.shore.everything()
    note = open_manifest(found.pop("manifest.note"), [SIGNER.verifier])
    assert found == left
    assert {entry.name.text for entry in note.entries} == set(left)
    for event in ONCE:
        assert Counter(entry["item"] for entry in line.side.entries(event)) == {
            item_id(n): 1 for n in range(1, FILES + 1)
        }
    assert len(line.side.entries("file.withdrawn")) == FILES - len(left)
    assert line.side.entries("release.mismatch") == line.side.entries("release.rewritten") == []
    for number in range(1, FILES + 1):
        known = placed(line.end, f"photo-{number}.jpg")
        assert (known is None) == (number % 3 == 1)
        assert known is None or known.echo is Echo.VERIFIED
        expected = State.WITHDRAWN if known is None else State.RELEASED
        assert line.side.state(item_id(number)) is expected
    assert len(line.shore.drive.names(PLACE)) == len(left) + 1
    assert sum(line.shore.world.faults_met().values()) > 0
    assert sessions(line.shore) <= line.shore.world.faults_met().get("cut_after", 0)  # whose address never came
