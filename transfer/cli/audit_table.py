"""Entries of the log as a table for people: aligned, in sentences, in colours only where a terminal shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from transfer.cli.output import console, say, shown
from transfer.cli.sentences import sentence
from transfer.cli.telling import name_in, shortened
from transfer.cli.timeline import duration, say_steps
from transfer.model.clock import parse_time

if TYPE_CHECKING:
    from transfer.audit.show import ShownEntry

_WIDE = 110  # columns from which there is room for the events' names, as `--event` takes them

_COLOURS = {
    "file.released": "green",
    "file.held": "yellow",
    "file.refused": "red",
    "file.withdrawn": "red",
    "gateway.paused": "red",
    "return.refused": "bold red",
    "release.altered": "bold red",
    "release.removed": "bold red",
    "station.failed": "bold red",
    "valve.open": "bold red",
    "verify.failed": "bold red",
}


def say_table(entries: Sequence[ShownEntry], names: Mapping[str, str], *, shards: bool) -> None:
    """One row for each entry, under a heading for each day. `shards`: with the label of the one it stands in."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    wide = screen.width >= _WIDE
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    if shards:
        drawn.add_column("shard", no_wrap=True)
    drawn.add_column("entry", justify="right", no_wrap=True)
    drawn.add_column("time (UTC)", no_wrap=True)
    drawn.add_column("item", no_wrap=True)
    if wide:
        drawn.add_column("event", no_wrap=True)
    drawn.add_column("what happened", overflow="fold")
    day = ""
    for entry in entries:
        leaf = entry.leaf
        if leaf.at[:10] != day:
            day = leaf.at[:10]
            drawn.add_row(*[""] * shards, "", Text(day, style="bold"))
        words = " ".join(shown(shortened(sentence(entry, names))).split())
        what = Text(words, style=_COLOURS.get(leaf.event, ""))
        event = [Text(shown(leaf.event))] if wide else []
        label = [entry.shard] if shards else []
        drawn.add_row(*label, str(leaf.index), leaf.at[11:19], Text(shown(leaf.item or "")), *event, what)
    if screen.is_terminal:
        screen.print(drawn)
        return
    with screen.capture() as captured:  # what is piped has no blanks at the ends of its lines
        screen.print(drawn)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))


def say_timeline(
    item: str, entries: Sequence[ShownEntry], names: Mapping[str, str], *, whole: bool, shards: bool
) -> None:  # fmt: skip
    """One item's life, oldest entry first: when, how long after the step before, what, by whom, under which rule."""
    first, last = entries[0].leaf, entries[-1].leaf
    name = next((name for name in map(name_in, entries) if name), "")
    campaign = next((entry.campaign for entry in entries if entry.campaign), None)
    took = duration(parse_time(last.at) - parse_time(first.at))
    say(f"{item}{f'  {name}' if name else ''}{f'  (campaign {campaign})' if campaign else ''}")
    number = f"{len(entries)} entr{'y' if len(entries) == 1 else 'ies'}"
    say(f"{number if whole else f'the last {number}'} of the transfer log, over {took}\n")
    say_steps(entries, names, spoken=shortened, shards=shards)
