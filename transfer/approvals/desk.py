"""Where statements are handed in: checked, recorded in the log, kept. Each kind has its own module beside this one.

What enters: untrusted notes. What leaves: statements whose chain of signatures was checked a moment ago. What is
trusted: the first approver's public key, which the composition root reads from a file outside the database, and the
clock. The tables are not: every time somebody's right matters, it is replayed from the stored notes (`authority`),
and the last note of each series has to be the one that the log has (`log_heads`).

Every change is made in the caller's transaction, together with the log entry that holds the whole note. After a crash
there is both or neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from transfer.approvals.authority import Authority, Root
from transfer.approvals.log_heads import last_recorded
from transfer.approvals.quorum import check_time
from transfer.approvals.signing import Signed
from transfer.approvals.statement import LINE, PEOPLE, Governing, campaign_series, series_of
from transfer.approvals.wording import Words, salted, words_digest
from transfer.errors import Misuse, NotSo, Tampered
from transfer.model.clock import Clock
from transfer.model.events import EntryRef, Event, EventName, Json
from transfer.model.identifiers import CampaignId, ItemId, Sha256
from transfer.store.database import ReadTx, Recorder, WriteTx
from transfer.store.directory import Directory
from transfer.store.register import Register
from transfer.store.statements import StatementRow, Statements

HAND_IN_WITHIN = timedelta(days=7)  # for every kind but approvals, whose time the policy sets


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What every decision needs. `entropy` gives random bytes, `root` is where every chain must end."""

    register: Register
    recorder: Recorder
    clock: Clock
    entropy: Callable[[int], bytes]
    root: Root
    directory: Directory = field(default_factory=Directory)
    statements: Statements = field(default_factory=Statements)

    def authority(self, tx: ReadTx, *, campaign: CampaignId | None = None) -> Authority:
        """Who may decide now, and how this campaign stands. Raises Tampered if the stored statements do not agree."""
        series = [PEOPLE, LINE] if campaign is None else [PEOPLE, LINE, campaign_series(campaign)]
        return self._replayed(tx, self.statements.governing(tx, series), series)

    def whole_authority(self, tx: ReadTx) -> Authority:
        """As `authority`, with all campaigns: for lists."""
        return self._replayed(tx, self.statements.all_governing(tx), (PEOPLE, LINE))

    def take_in(
        self,
        tx: WriteTx,
        signed: Signed,
        name: EventName,
        *,
        items: tuple[ItemId, ...] = (),
        policy: Sha256 | None = None,
        facts: Mapping[str, Json] | None = None,
        private: Mapping[str, str] | None = None,
    ) -> EntryRef:
        """Record a checked statement and keep it. Raises NotSo if it was handed in before."""
        if self.statements.known(tx, signed.sha256):
            raise NotSo(
                "This very statement was handed in before; it counts once.",
                advice="`transfer status` shows what became of it.",
            )
        statement = signed.statement
        stated: dict[str, Json] = {
            "kind": statement.kind,
            "statement": signed.note,
            "statement_sha256": signed.sha256,
        }
        event = Event(
            name=name, by=statement.by, policy=policy, facts={**stated, **(facts or {})}, private=private or {}
        )
        entry = self.recorder.append(tx, event)
        self.statements.add(
            tx,
            sha256=signed.sha256,
            kind=statement.kind,
            note=signed.note,
            series=series_of(statement),
            after=statement.after if isinstance(statement, Governing) else None,
            items=items,
            entry=entry,
        )
        return entry

    def govern(self, tx: WriteTx, note: str, wanted: type[Governing], *, campaign: CampaignId | None = None) -> Signed:
        """A governing statement of the wanted kind, checked against the present state; not yet recorded.

        Raises Misuse if it is malformed or of another kind, NotSo if it may not take effect.
        """
        signed = self.authority(tx, campaign=campaign).apply(note)
        if not isinstance(signed.statement, wanted):
            raise wrong_kind(signed.statement.kind, wanted.kind)
        check_time(signed.statement.at, now=self.clock.now(), valid=HAND_IN_WITHIN)
        return signed

    def keep_words(self, tx: WriteTx, text: str) -> Words:
        """Salt a text and keep it, so that a statement can name it."""
        words = salted(text, entropy=self.entropy)
        self.statements.keep_words(tx, digest=words.digest, salt=words.salt, text=words.text)
        return words

    def words(self, tx: ReadTx, digest: Sha256) -> str:
        """The text behind a digest. Raises NotSo if it is not here, Tampered if it is another text."""
        kept = self.statements.words(tx, digest)
        if kept is None:
            raise NotSo(
                "The words behind this statement's digest are not here; they never were, or have been erased.",
                advice="Have the statement made on this gateway: `transfer statement`.",
            )
        if words_digest(*kept) != digest:
            raise Tampered(
                "The words kept for a statement are not those that were signed.", advice="`transfer audit verify`."
            )
        return kept[1]

    def _replayed(self, tx: ReadTx, rows: list[StatementRow], series: Iterable[str]) -> Authority:
        authority = Authority(self.root)
        last: dict[str, StatementRow] = {}
        for row in rows:
            try:
                signed = authority.apply(row.note)
            except (NotSo, Misuse) as error:
                raise _disagree(f"one of them does not hold: {error.sentence}") from error
            if signed.sha256 != row.sha256:
                raise _disagree("one of them stands under another digest than its own.")
            last[series_of(signed.statement) or ""] = row
        for name in {*series, *last}:
            recorded, stored = last_recorded(tx, name), last.get(name)
            in_log = None if recorded is None else (recorded.entry, recorded.note)
            in_table = None if stored is None else (stored.entry, stored.note)
            if in_log != in_table:
                raise _disagree("the log has another last one than their table.")
        return authority


def _disagree(how: str) -> Tampered:
    return Tampered(
        f"The stored statements about who may decide do not agree: {how}",
        advice="Stop the gateway, run `transfer audit verify`, and restore the last backup.",
        clauses=("G1",),
    )


def wrong_kind(found: str, wanted: str) -> Misuse:
    """What to say to a statement handed in at the wrong window."""
    return Misuse(f"This is a statement of the kind «{found}»; here one of the kind «{wanted}» is needed.")
