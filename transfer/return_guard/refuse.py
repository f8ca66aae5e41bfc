"""Whatever appears on the device's side that we did not put there is refused, and recorded as such.

What enters: the guard's reports, untrusted but well formed. What leaves: an entry for each, durable before the report
is acknowledged, and the decision whether it was ours. Nothing is carried out here: a release found altered gets that
state, and whoever runs the line puts the clean blob under its recorded name again.
"""

from __future__ import annotations

from transfer.errors import NotSo
from transfer.model.clock import render_time
from transfer.model.ends import Expectation
from transfer.model.events import Event, EventName, FileFact, Json
from transfer.model.identifiers import Sha256
from transfer.model.names import SafeName, parse_safe_name
from transfer.return_guard.messages import Expected, Report, Stage, Verdict, What, as_expected
from transfer.return_guard.recognise import name_digest
from transfer.store.database import Database, ReadTx, Recorder, WriteTx
from transfer.store.manifests import ManifestRow, Manifests, Reports
from transfer.store.onedrive_placements import look_again
from transfer.store.release_marks import ReleaseMarks
from transfer.store.releases import ReleaseRow, Releases, ReleaseState

CLAUSE = "G5"  # nothing comes back

_STAGES = {
    ReleaseState.INTENDED: Stage.COMING,
    ReleaseState.PRESENT: Stage.PLACED,
    ReleaseState.ALTERED: Stage.COMING,
    ReleaseState.LEAVING: Stage.LEAVING,
}


class ReturnDesk:
    """Takes in reports and says what is ours. `policy` is the digest of the policy in force; by that policy what was
    moved aside is kept for `aside_days`, 0: for ever. `marks` is for a release folder in OneDrive."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: Recorder,
        releases: Releases,
        manifests: Manifests,
        reports: Reports,
        manifest_name: SafeName,
        policy: Sha256,
        aside_days: int = 0,
        marks: ReleaseMarks | None = None,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._releases = releases
        self._manifests = manifests
        self._reports = reports
        self._manifest_name = manifest_name
        self._manifest_digest = name_digest(manifest_name.text.encode())
        self._policy = policy
        self._aside_days = aside_days
        self._marks = marks

    def listing(self) -> list[Expected]:
        """All that the guard must let stand now. Raises Unavailable."""
        with self._database.read() as tx:
            rows = self._releases.current(tx)
            marks = [None] * len(rows) if self._marks is None else self._marks.of_all(tx, rows)
            manifests = [self._expected_manifest(tx, row) for row in self._manifests.current(tx)]
        return [
            as_expected(
                Expectation(name=row.name, temporary=row.temporary, sha256=row.sha256, size=row.size, mark=mark),
                _STAGES[row.state],
            )
            for row, mark in zip(rows, marks, strict=True)
        ] + manifests

    def record(self, report: Report) -> Verdict:
        """Ours or foreign; its entry is durable then, and is one however often the report comes. Raises Unavailable."""
        with self._database.write() as tx:
            if report.what is What.EXPIRED:
                return self._expired(tx, report)
            if report.what is What.REWRITTEN:  # whoever put it there asks what it has become, and records that
                look_again(tx, report.presence.name_sha256, report.presence.seen_at)
                return Verdict.KNOWN
            if not self._reports.first_time(tx, report.id):
                return self._again(tx, report)
            return self._first(tx, report)

    def _first(self, tx: WriteTx, report: Report) -> Verdict:
        if report.presence.name_sha256 == self._manifest_digest:
            return self._manifest(tx, report)
        row = self._releases.by_name_digest(tx, report.presence.name_sha256)
        if report.what is What.MISSING:
            return self._missing(tx, report, row)
        if row is not None and _was_ours(row, report):
            return self._altered(tx, report, row)
        return self._refuse(tx, report)

    def _expired(self, tx: WriteTx, report: Report) -> Verdict:
        """Evidence whose days are over. It has the number it was moved under; the entry is one, and comes first."""
        if self._aside_days == 0:
            return Verdict.KNOWN  # not by our policy: it stays
        if self._reports.first_time(tx, f"{report.id}.expired"):
            seen = report.presence
            facts: dict[str, Json] = {
                "days": self._aside_days,
                "kind": seen.kind.value,
                "size": seen.size,
                "name_sha256": seen.name_sha256,
                "report": report.id,
                "seen_at": render_time(seen.seen_at),
            }
            self._append(tx, EventName.EVIDENCE_EXPIRED, report, facts)
        return Verdict.LET_GO

    def _again(self, tx: WriteTx, report: Report) -> Verdict:
        """A report that came before, its answer lost: it is answered by how things stand now."""
        row = self._releases.by_name_digest(tx, report.presence.name_sha256)
        altered = row is not None and row.state is ReleaseState.ALTERED
        return Verdict.ALTERED if altered else Verdict.KNOWN

    def _refuse(self, tx: WriteTx, report: Report) -> Verdict:
        facts = _facts(report)
        if report.presence.sha256 is not None:
            released_as = self._releases.by_bytes(tx, report.presence.sha256)
            if released_as is not None:
                facts["same_bytes_as"] = released_as
        self._append(tx, EventName.RETURN_REFUSED, report, facts)
        return Verdict.FOREIGN

    def _altered(self, tx: WriteTx, report: Report, row: ReleaseRow) -> Verdict:
        event = Event(
            name=EventName.RELEASE_ALTERED,
            item=row.item,
            file=_file(report),
            policy=self._policy,
            facts={**_facts(report), "number": row.number, "released": row.sha256},
        )
        if row.state is ReleaseState.LEAVING:  # it is being taken back: recorded, not put again
            self._recorder.append(tx, event)
            return Verdict.KNOWN
        self._releases.altered(tx, row.item, event)
        return Verdict.ALTERED

    def _missing(self, tx: WriteTx, report: Report, row: ReleaseRow | None) -> Verdict:
        if row is None:
            return Verdict.KNOWN
        event = Event(
            name=EventName.RELEASE_REMOVED,
            item=row.item,
            file=FileFact(sha256=row.sha256, size=row.size),
            facts={"number": row.number, "report": report.id, "seen_at": render_time(report.presence.seen_at)},
        )
        try:
            self._releases.removed(tx, row.item, event)
        except NotSo:  # we took it back ourselves, or are putting it again
            return Verdict.ALTERED if row.state is ReleaseState.ALTERED else Verdict.KNOWN
        return Verdict.REMOVED

    def _manifest(self, tx: WriteTx, report: Report) -> Verdict:
        latest = self._manifests.latest(tx)
        facts = {**_facts(report), "manifest": 0 if latest is None else latest.number}
        name = EventName.RELEASE_REMOVED if report.what is What.MISSING else EventName.RELEASE_ALTERED
        self._append(tx, name, report, facts)
        if latest is not None:
            self._manifests.unplaced(tx, latest.number)
        return Verdict.ALTERED

    def _append(self, tx: WriteTx, name: EventName, report: Report, facts: dict[str, Json]) -> None:
        self._recorder.append(tx, Event(name=name, file=_file(report), policy=self._policy, facts=facts))

    def _expected_manifest(self, tx: ReadTx, row: ManifestRow) -> Expected:
        mark = None
        if self._marks is not None:
            mark = self._marks.of_note(tx, self._manifest_digest, row.note, placed=row.placed)
        expectation = Expectation(
            name=self._manifest_name,
            temporary=parse_safe_name(row.temporary),
            sha256=row.sha256,
            size=len(row.note),
            mark=mark,
        )
        return as_expected(expectation, Stage.PLACED if row.placed else Stage.COMING)


def _was_ours(row: ReleaseRow, report: Report) -> bool:
    """Whether what was moved aside had taken the place of our file: not if the name was ours only once, or not yet."""
    if row.state not in {ReleaseState.PRESENT, ReleaseState.ALTERED, ReleaseState.LEAVING}:
        return False
    return row.released_at is None or report.presence.seen_at >= row.released_at


def _file(report: Report) -> FileFact | None:
    seen = report.presence
    return None if seen.sha256 is None else FileFact(sha256=seen.sha256, size=seen.size)


def _facts(report: Report) -> dict[str, Json]:
    seen = report.presence
    return {
        "clauses": [CLAUSE],
        "kind": seen.kind.value,
        "size": seen.size,
        "name_sha256": seen.name_sha256,
        "report": report.id,
        "seen_at": render_time(seen.seen_at),
        "moved_aside": report.what is What.MOVED,
    }
