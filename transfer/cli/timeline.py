"""One item's whole life as people read it: what stands now, then each entry of the transfer log as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from transfer.cli.listing import said_time, where
from transfer.cli.names import called
from transfer.cli.output import paragraph, readable_size, say
from transfer.cli.sentences import sentence
from transfer.model.clock import parse_time, render_time

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry
    from transfer.store.register import ItemRow


def say_life(
    row: ItemRow, entries: Iterable[ShownEntry], names: Mapping[str, str], *, with_it: Iterable[ItemRow]
) -> None:
    """The item's facts, its reasons and its timeline."""
    say(f"{where(row)}")
    waits = f", waits for {row.waiting_for}" if row.waiting_for else ""
    decided = f" since {said_time(render_time(row.decided_at))}" if row.decided_at else ""
    lines = [
        ("item", row.item),
        ("state", f"{row.state}{waits}{decided}"),
        ("dropped by", f"{called(row.submitter, names)} on {said_time(render_time(row.arrived_at))}"),
        ("what", ", ".join(filter(None, (row.media_type, readable_size(row.size))))),
        ("as it came", row.sha256 or "not read"),
        ("rebuilt", row.rebuilt_sha256 or ""),
        ("released as", row.released_as or ""),
        ("same post", ", ".join(f"{other.name} ({other.item})" for other in with_it)),
    ]
    for label, text in lines:
        if text:
            say(paragraph(text, first=f"  {label:<13}", indent=15))
    if row.reasons:
        say("\nWhat the policy said when it judged")
    for reason in row.reasons:
        cited = f"[{reason.rule}; {', '.join(reason.clauses)}]"
        say(paragraph(f"{reason.severity}: {reason.message} {cited}", first="  - ", indent=4))
    say("\nIn the transfer log")
    listed = list(entries)
    say_steps(listed, names, shards=len({entry.shard for entry in listed}) > 1)


def say_steps(
    entries: Iterable[ShownEntry],
    names: Mapping[str, str],
    *,
    spoken: Callable[[str], str] = str,
    shards: bool = False,
) -> None:
    """The entries, oldest first, each with its number, its time and how long it came after the one before it.

    `spoken` makes each sentence fit for where it is shown. `shards`: the label of each shard stands above its entries.
    """
    listed = list(entries)
    width = max((len(str(entry.leaf.index)) for entry in listed), default=1)
    day, before, shard = "", None, ""
    for entry in listed:
        if shards and entry.shard != shard:
            shard, day = entry.shard, ""
            say(f"  in the shard {shard} of the log")
        at = parse_time(entry.leaf.at)
        if entry.leaf.at[:10] != day:
            day = entry.leaf.at[:10]
            say(f"{'':{width + 4}}{day} (UTC)")
        took = "" if before is None else f"+{duration(at - before)}"
        before = at
        begin = f"{entry.leaf.index:>{width + 2}}  {at:%H:%M:%S} {took:>8}  "
        say(paragraph(spoken(sentence(entry, names)), first=begin, indent=len(begin)))


def duration(span: timedelta) -> str:
    """At most seven characters: `39ms`, `1.6s`, `3m12s`, `2h05m`, `3d4h`."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{int(seconds)}s"
    minutes, hours = int(seconds) // 60, int(seconds) // 3600
    if hours == 0:
        return f"{minutes}m{int(seconds) % 60:02}s"
    if hours < 24:
        return f"{hours}h{minutes % 60:02}m"
    return f"{hours // 24}d{hours % 24}h" if hours < 24 * 1000 else f"{hours // 24}d"
