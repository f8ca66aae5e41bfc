"""The line from the spool to the verdict: examine, rebuild, decide, each with its entry.

What enters: items in the states spooled, examined and rebuilt, and held ones whose wait may be over. What leaves: held
and refused items. Of a film examined is committed before the rebuild begins; rebuilt and the verdict, between which
nothing happens, are committed together, and so is all of a picture or text, which takes a moment. A crash before a
commit leaves the item in the last state that was committed, and `carry` goes on from there; nothing here is outside the
gateway but what the sandbox children were handed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

from transfer.disarm.rebuild import Unrebuilt, rebuild
from transfer.errors import Refusal, TransferError, Unavailable
from transfer.inspection.examine import Unexamined, examine
from transfer.inspection.scan import Scanners
from transfer.judging import Judge, Reviewed, Standing, nobody_reviewed
from transfer.model.chronicle import examined_event, failed_event, held_event, rebuilt_event, refused_event
from transfer.model.events import Event
from transfer.model.findings import Code, Finding, ScanAnswer, ScanResult, Verdict
from transfer.model.identifiers import ItemId, Sha256
from transfer.model.media import Family, MediaFacts
from transfer.model.states import Arrived, Examined, Held, RawBlob, Rebuilt, Refused, Spooled, State
from transfer.policy.rules import Policy
from transfer.sandbox.lease import LeasedChild
from transfer.sandbox.pool import Pool
from transfer.store.blobs import Blobs
from transfer.store.database import Database, Recorder
from transfer.store.fingerprints import Fingerprints
from transfer.store.items import spooled_of
from transfer.store.records import Record
from transfer.store.register import Register

_GONE = frozenset({State.REFUSED, State.EXPIRED})


@dataclass(frozen=True, kw_only=True)
class Line:
    """The stations between spool and verdict, with what each of them needs."""

    db: Database
    register: Register
    recorder: Recorder
    blobs: Blobs
    media: Pool
    residue: Pool
    scanner: Scanners
    policy: Policy
    standing: Standing
    reviewed: Reviewed = nobody_reviewed
    fingerprints: Fingerprints = field(default_factory=Fingerprints)

    @property
    def _judge(self) -> Judge:
        return Judge(
            db=self.db,
            register=self.register,
            policy=self.policy,
            standing=self.standing,
            reviewed=self.reviewed,
            fingerprints=self.fingerprints,
        )

    @cached_property
    def _sought(self) -> str:
        """What files are looked at for under this policy, in short: other words in a record, and it was for less."""
        policy = self.policy
        return hashlib.sha256(repr((policy.search, policy.limits, policy.comparison)).encode()).hexdigest()[:16]

    def carry(self, item: ItemId) -> State:
        """Takes an item as far as it can go without a person. Raises Unavailable: it then stays where it is."""
        with self.db.read() as tx:
            record, state = self.register.load_with_state(tx, item)
        if state not in {State.SPOOLED, State.EXAMINED, State.REBUILT, State.HELD}:
            return state
        try:
            return self._steps(record)
        except TransferError:
            raise
        except Exception as fault:  # noqa: BLE001 - a defect of ours costs this item its release and nothing else
            return self._fail_closed(record, fault)

    def _steps(self, record: Record) -> State:
        if isinstance(record, Held):
            return self._rejudge(record)
        if isinstance(record, Rebuilt):
            return self._decide(record, was=State.REBUILT)
        if isinstance(record, Spooled | Examined):
            return self._remake(record)
        return State.REFUSED

    def _remake(self, record: Spooled | Examined) -> State:
        """Examine and rebuild in one child, which may keep the picture it decoded for the first for the second."""
        was = State.EXAMINED
        with self.media.lease() as child:
            examined = self._examine(record, child) if isinstance(record, Spooled) else record
            if examined is None:
                return State.REFUSED
            if isinstance(record, Spooled):
                if examined.media.format.family is Family.VIDEO:
                    self._commit_examined(examined)
                else:
                    was = State.SPOOLED  # rebuilding takes no longer than looking on takes: committed together
            rebuilt = self._rebuild(examined, child)
            if isinstance(rebuilt, Unrebuilt) and was is State.SPOOLED:
                self._commit_examined(examined)
        if isinstance(rebuilt, Unrebuilt):
            verdict = self._verdict(examined, rebuilt.findings, examined.scans + rebuilt.scans)
            self._refuse_by(verdict, examined.spooled, State.EXAMINED, examined.media, rebuilt.findings)
            return State.REFUSED
        return self._decide(rebuilt, was=was)

    def _examine(self, spooled: Spooled, child: LeasedChild, *, was: State = State.SPOOLED) -> Examined | None:
        """What the file is, not committed yet; None if it is refused for that."""
        try:
            examined = examine(
                spooled,
                child=child,
                blobs=self.blobs,
                scanner=self.scanner,
                limits=self.policy.limits,
                search=self.policy.search,
                fingerprint=self.policy.comparison is not None and self.policy.comparison.compare,
            )
        except Refusal as fault:
            examined = Unexamined(findings=(Finding(code=Code(fault.code)),))
        if isinstance(examined, Unexamined):
            self._refuse(spooled, was, examined.findings)
            return None
        examined = self._judge.compared(replace(examined, tools={**examined.tools, "search": self._sought}))
        early = self._verdict(examined, (), examined.scans)
        if early.refused:
            self._refuse_by(early, spooled, was, examined.media, examined.findings)
            return None
        return examined

    def _commit_examined(self, examined: Examined) -> None:
        with self.db.write() as tx:
            self.register.advance(tx, examined, examined_event(examined), was=State.SPOOLED)

    def _rebuild(self, examined: Examined, child: LeasedChild) -> Rebuilt | Unrebuilt:
        try:
            return rebuild(
                examined,
                child=child,
                residue=self.residue,
                blobs=self.blobs,
                scanner=self.scanner,
                limits=self.policy.limits,
                recipe=self.policy.recipe,
            )
        except Refusal as fault:
            return Unrebuilt(findings=(Finding(code=Code(fault.code)),))

    def _steps_behind(self, rebuilt: Rebuilt, was: State) -> list[Event]:
        """The entries of the steps that were taken and not committed yet, whose clean blob is taken into use here."""
        steps = [examined_event(rebuilt.examined)] if was is State.SPOOLED else []
        if was in {State.SPOOLED, State.EXAMINED}:
            if not self.blobs.has_clean(rebuilt.clean.sha256):
                raise Unavailable("An equal file was let go a moment ago.", advice="It is rebuilt again by itself.")
            steps.append(rebuilt_event(rebuilt))
        return steps

    def _drop(self, rebuilt: Rebuilt) -> None:
        """Lets a refused item's clean blob go, unless another item has the same bytes."""
        sha256, item = rebuilt.clean.sha256, rebuilt.examined.spooled.arrived.item
        with self.db.write() as tx:  # a writer, so that nobody takes the blob into use between question and removal
            if not self.register.needed(tx, sha256, but=item, gone=_GONE):
                self.blobs.remove_clean(sha256)

    def _decide(self, rebuilt: Rebuilt, *, was: State, steps: tuple[Event, ...] = ()) -> State:
        """`was` is where the item stands, as it was committed last; `steps` are entries of what was done since."""
        clean = rebuilt.clean.sha256 if was is State.HELD else None
        verdict = self._verdict(rebuilt.examined, rebuilt.findings, rebuilt.examined.scans + rebuilt.scans, clean=clean)
        held = Held(rebuilt=rebuilt, verdict=verdict)
        with self.db.write() as tx:
            behind = self._steps_behind(rebuilt, was)
            if not verdict.refused:
                self.register.advance(tx, held, *steps, *behind, held_event(held, again=was is State.HELD), was=was)
                return State.HELD
            if behind:
                self.register.advance(tx, rebuilt, *behind, was=was)
                was = State.REBUILT
        self._refuse_by(verdict, rebuilt.examined.spooled, was, rebuilt.examined.media, rebuilt.findings)
        self._drop(rebuilt)
        return State.REFUSED

    def _rejudge(self, held: Held) -> State:
        """A held item again: judged anew, and looked at anew where it was looked at for less than is looked for now.

        Scanned anew where a scanner was missing or knows more now than then. Recorded if that changes the verdict, or
        if there is something new behind it.
        """
        rebuilt = held.rebuilt
        steps: tuple[Event, ...] = ()
        if self._saw_less(rebuilt.examined):
            with self.media.lease() as child:
                examined = self._examine(rebuilt.examined.spooled, child, was=State.HELD)
            if examined is None:
                self._drop(rebuilt)
                return State.REFUSED
            if examined.findings != rebuilt.examined.findings or self._sought != rebuilt.examined.tools.get("search"):
                rebuilt, steps = replace(rebuilt, examined=examined), (examined_event(examined),)
        if self.scanner.outdated(rebuilt.examined.scans) or self.scanner.outdated(rebuilt.scans):
            rebuilt = self._scan_again(rebuilt)
        scans = rebuilt.examined.scans + rebuilt.scans
        verdict = self._verdict(rebuilt.examined, rebuilt.findings, scans, clean=rebuilt.clean.sha256)
        if verdict == held.verdict and not steps and (rebuilt is held.rebuilt or not _all_clean(scans)):
            return State.HELD
        return self._decide(rebuilt, was=State.HELD, steps=steps)

    def _saw_less(self, examined: Examined) -> bool:
        """Whether it was examined under a policy that looked for something else, or with nothing that reads words."""
        unread = any(finding.code is Code.TEXT_UNREAD for finding in examined.findings)
        return unread or examined.tools.get("search") != self._sought

    def _scan_again(self, rebuilt: Rebuilt) -> Rebuilt:
        spooled = rebuilt.examined.spooled
        with self.blobs.open_raw(spooled.raw.sha256) as raw:
            raw_scans = self.scanner.scan(raw, spooled.raw.size)
        with self.blobs.open_clean(rebuilt.clean.sha256) as clean:
            clean_scans = self.scanner.scan(clean, rebuilt.clean.size)
        return replace(rebuilt, examined=replace(rebuilt.examined, scans=raw_scans), scans=clean_scans)

    def _verdict(
        self,
        examined: Examined,
        more: tuple[Finding, ...],
        scans: tuple[ScanResult, ...],
        *,
        clean: Sha256 | None = None,
    ) -> Verdict:
        arrived = examined.spooled.arrived
        return self._judge.verdict(arrived, examined.media, examined.findings + more, scans, clean=clean)

    def _refuse(self, spooled: Spooled, reached: State, findings: tuple[Finding, ...]) -> None:
        verdict = self._judge.verdict(spooled.arrived, None, findings, ())
        self._refuse_by(verdict, spooled, reached, None, findings)

    def _refuse_by(
        self,
        verdict: Verdict,
        spooled: Spooled,
        reached: State,
        media: MediaFacts | None,
        findings: tuple[Finding, ...],
    ) -> None:
        refused = _refused(spooled.arrived, spooled.raw, reached, verdict, findings, media=media)
        with self.db.write() as tx:
            self.register.advance(tx, refused, refused_event(refused), was=reached)

    def _fail_closed(self, record: Record, fault: Exception) -> State:
        """Recorded as ours, refused, and said so; the original stays in staging for the day the defect is mended."""
        spooled = spooled_of(record)
        if spooled is None:
            return State.REFUSED
        item, raw = spooled.arrived.item, spooled.raw
        finding = Finding(code=Code.INTERNAL_FAULT, detail={"fault": type(fault).__name__})
        verdict = self._judge.verdict(spooled.arrived, None, (finding,), ())
        with self.db.write() as tx:
            reached = self.register.row(tx, item).state  # a step before the fault may have been committed
            self.recorder.append(tx, failed_event(item, reached.value, type(fault).__name__))
            refused = _refused(spooled.arrived, raw, reached, verdict, (finding,))
            self.register.advance(tx, refused, refused_event(refused), was=reached)
        return State.REFUSED


def _all_clean(scans: tuple[ScanResult, ...]) -> bool:
    return all(scan.answer is ScanAnswer.CLEAN for scan in scans)


def _refused(
    arrived: Arrived,
    raw: RawBlob,
    reached: State,
    verdict: Verdict,
    findings: tuple[Finding, ...],
    *,
    media: MediaFacts | None = None,
) -> Refused:
    return Refused(
        arrived=arrived,
        reached=reached,
        sha256=raw.sha256,
        size=raw.size,
        media=media,
        reasons=verdict.reasons,
        policy_sha256=Sha256(verdict.policy_sha256),
        findings=findings,
    )
