"""Growth: what a picture costs a gateway that has handled many items, beside one that has handled none."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from benchmarks.material import make_pictures
from benchmarks.place import Place
from benchmarks.results import FEWER, Budget, Result, Side
from transfer.model.chronicle import refused_event
from transfer.model.findings import Reason, Severity
from transfer.model.identifiers import CampaignId, Sha256, item_id_from_entropy
from transfer.model.names import safe_name
from transfer.model.states import Arrival, Arrived, Kind, Refused, State
from transfer.wiring import Site, open_site
from transfer.workspace import Workspace

_AT_ONCE = 1000
_BLOCK = 10
_WITHIN = 300


def measure(folder: Path, *, items: int, pictures: int) -> Result:
    """Two gateways, one of them with a past; blocks of pictures go to each in turn."""
    paths = make_pictures(folder / "growth-photos", pictures)
    new, old = Place(folder / "new"), Place(folder / "old")
    _age(old, items)
    took: dict[Place, list[float]] = {new: [], old: []}
    used: dict[Place, float] = {}
    with new, old:
        for place in (new, old):
            used[place] = place.cpu_seconds()
        for start in range(0, pictures, _BLOCK):
            block = paths[start : start + _BLOCK]
            for place in (new, old) if start // _BLOCK % 2 else (old, new):
                started = time.perf_counter()
                for path in block:
                    place.drop(path, path.name)
                took[place].append(place.wait_for([path.name for path in block], within=_WITHIN) - started)
        for place in (new, old):
            used[place] = place.cpu_seconds() - used[place]
    return Result(
        name="growth",
        what=f"a picture, in blocks of {_BLOCK}, with {items:,} items in the register and {items:,} entries in the log",
        ours=Side(what="with that past", value=1000 * sum(took[old]) / pictures, unit="ms"),
        beside=Side(what="with none", value=1000 * sum(took[new]) / pictures, unit="ms"),
        budget=Budget(kind=FEWER, value=1.25, of="ratio"),
        details={
            "pictures": pictures,
            "ours": took[old],
            "beside": took[new],
            "cpu_ms": 1000 * used[old] / pictures,
            "beside_cpu_ms": 1000 * used[new] / pictures,
        },
    )


def _age(place: Place, items: int) -> None:
    """Gives a workspace a past of refused files, through the same register and log."""
    site = open_site(Workspace(place.root))
    for start in range(0, items, _AT_ONCE):
        with site.db.write() as tx:
            for number in range(start, min(start + _AT_ONCE, items)):
                refused = _refused(site, number)
                site.register.enter(tx, refused, refused_event(refused))
                site.register.feedback_done(tx, refused.arrived.item, site.register.last_change(tx))
    site.db.close()


def _refused(site: Site, number: int) -> Refused:
    source = site.settings.sources[0]
    name = f"former-{number}.jpg"
    arrived = Arrived(
        item=item_id_from_entropy(number.to_bytes(5, "big")),
        arrival=Arrival(
            source=source.source_id,
            path=f"open-day/{name}".encode(),
            kind=Kind.FILE,
            device=1,
            inode=number + 1,
            size=700_000,
            mtime_ns=number,
            ctime_ns=number,
        ),
        name=safe_name(name.encode()),
        campaign=CampaignId("open-day"),
        post=None,
        submitter=source.submitter_id,
        at=site.clock.now(),
    )
    reason = Reason(
        rule="no-markings",
        clauses=("G6",),
        severity=Severity.REFUSE,
        message="It carries a marking.",
        advice="Ask whoever marked it.",
    )
    return Refused(
        arrived=arrived,
        reached=State.ARRIVED,
        sha256=Sha256(hashlib.sha256(name.encode()).hexdigest()),
        size=700_000,
        media=None,
        reasons=(reason,),
        policy_sha256=Sha256(site.policy.sha256),
    )
