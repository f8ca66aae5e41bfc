"""What the gateway knows of who may reach a release folder in OneDrive: the guard's verdicts, and what follows.

What enters: verdicts of the guard. What leaves: an entry where a verdict differs from the last one in the log, and the
answer whether anything may go now. A verdict counts for so long; where the guard could not look, the last one grows old
until nothing goes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from transfer.errors import Unavailable
from transfer.model.events import Event, EventName, Json
from transfer.model.identifiers import Sha256
from transfer.return_guard.breaches import advice_of, sentence_of
from transfer.return_guard.messages import Audited
from transfer.store.access_verdict import keep_verdict, kept_verdict
from transfer.store.database import Database, Recorder

CLAUSE = "G5"  # nothing comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRule:
    """`stop`: nothing goes while somebody may do there what nobody must, or nobody has looked for `max_age` seconds."""

    stop: bool
    max_age: float


class Access:
    """Safe to use from any thread. `monotonic` is in seconds; `policy` the digest of the policy in force."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: Recorder,
        policy: Sha256,
        rule: AccessRule,
        monotonic: Callable[[], float],
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._policy = policy
        self._rule = rule
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last: tuple[float, Audited] | None = None

    def take(self, audited: Audited) -> None:
        """Takes in a verdict; what is new about it is in the log then. Raises Unavailable."""
        facts = _facts(audited)
        text = json.dumps(facts, sort_keys=True)
        with self._database.write() as tx:
            if kept_verdict(tx) != text:
                keep_verdict(tx, text)
                name = EventName.RELEASE_EXPOSED if audited.breaches else EventName.RELEASE_ENCLOSED
                self._recorder.append(tx, Event(name=name, policy=self._policy, facts=facts))
        with self._lock:
            self._last = (self._monotonic() - audited.age, audited)

    @property
    def has_verdict(self) -> bool:
        """Whether the guard ever told anything since this was made."""
        with self._lock:
            return self._last is not None

    def require_enclosed(self) -> None:
        """Raises Unavailable while nothing may go for it."""
        if not self._rule.stop:
            return
        with self._lock:
            last = self._last
        if last is None or self._monotonic() - last[0] > self._rule.max_age:
            raise Unavailable(
                "Nobody could see for some time who may reach the release folder in OneDrive; nothing is released.",
                advice="The guard asks again by itself; `transfer doctor` tells what is in its way.",
                clauses=(CLAUSE,),
            )
        if last[1].breaches:
            first = last[1].breaches[0]
            others = len(last[1].breaches) + last[1].more - 1
            more = f" There is more of the kind: {others}." if others else ""
            raise Unavailable(
                f"{sentence_of(first.breach, first.place)}{more} Nothing is released until that is mended.",
                advice=advice_of(first.breach),
                clauses=(CLAUSE,),
            )


def _facts(audited: Audited) -> dict[str, Json]:
    """Of a verdict without breaches nothing."""
    if not audited.breaches:
        return {}
    breaches: list[Json] = [
        {"breach": one.breach.value, "place": one.place.name.lower(), "permission": one.permission}
        for one in sorted(audited.breaches, key=lambda one: (one.place.name, one.breach.value, one.permission))
    ]
    return {"clauses": [CLAUSE], "breaches": breaches, "more": audited.more}
