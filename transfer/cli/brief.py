"""What somebody reads before they sign: the item, the exact bytes, what was done to it, what the policy says."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from transfer.cli.before_after import told_parts
from transfer.model.clock import render_time
from transfer.model.findings import WaitingFor
from transfer.model.identities import told_of
from transfer.model.states import State

if TYPE_CHECKING:
    from transfer.model.media import MediaFacts, RebuildFacts
    from transfer.model.states import Held
    from transfer.policy.rules import Policy
    from transfer.store.directory import CampaignRow
    from transfer.store.register import ItemRow

_WIDTH = 78
_MAX_TEXT = 100_000  # characters of a text that are shown in full


def brief(
    row: ItemRow,
    held: Held,
    *,
    policy: Policy,
    campaign: CampaignRow | None,
    words: Mapping[str, str],
    submitter: str,
    files: Mapping[str, str],
    text: str | None,
) -> str:
    """The page as plain text. `words` are the campaign's purpose and the like, `files` what lies beside the page."""
    clean = held.rebuilt.clean
    where = f" for the campaign {row.campaign}" if row.campaign else " outside every campaign"
    account = f" ({campaign.account})" if campaign else ""
    purpose = f": {words['purpose']}" if words.get("purpose") else ""
    blocks = [
        _heading(f"What you would sign: {row.item}"),
        _filled(f"{row.name}, dropped by {submitter} on {render_time(row.arrived_at)}{where}{account}{purpose}"),
        *_standing(row),
        "With your signature you say, of exactly these bytes and no others:\n\n"
        f"  SHA-256   {clean.sha256}\n"
        f"  size      {clean.size:,} bytes\n\n"
        + "\n".join(
            _filled(said, indent="     ", first=f"  {number}. ")
            for number, said in enumerate(_declared(row, policy), start=1)
        )
        + f"\n     {policy.sha256}",
        _section("The files beside this page", [f"  {name:<32}  {what}" for name, what in files.items()]),
        _section("What was done to it", _before_and_after(held)),
        _section("What the policy says", _reasons(row)),
    ]
    if text is not None:
        cut = "" if len(text) <= _MAX_TEXT else "\n[…]"
        blocks.append(f"The text, as it would be released\n\n{text[:_MAX_TEXT]}{cut}".rstrip())
    blocks.append(_section("To decide", _commands(row)))
    return "\n\n".join(blocks) + "\n"


def _declared(row: ItemRow, policy: Policy) -> list[str]:
    return [
        "everything in it is PUBLIC (G6);",
        "the risk to integrity, if somebody copies or manipulates it, is low, medium or high, as you state it (G7);",
        f"it may be released for the campaign {row.campaign or '(none)'}, as judged by the policy «{policy.name}»:",
    ]


def _standing(row: ItemRow) -> list[str]:
    if row.state is State.HELD and row.waiting_for is WaitingFor.APPROVAL:
        return []
    if row.state is State.HELD:
        return [_filled(f"It waits for {row.waiting_for}, so it cannot be signed yet.")]
    return [_filled(f"It is {row.state}, so there is nothing to sign now.")]


def _before_and_after(held: Held) -> list[str]:
    examined, rebuilt = held.rebuilt.examined, held.rebuilt
    raw, clean = examined.spooled.raw, rebuilt.clean
    removed = ", ".join(rebuilt.rebuild.removed) or "nothing that was found"
    rows = [
        ("", "as it came", "as it would go"),
        ("format", examined.media.format.value, clean.format.value),
        ("size", f"{raw.size:,} bytes", f"{clean.size:,} bytes"),
        ("shown as", _shape(examined.media), _shape(rebuilt.rebuild)),
    ]
    lines = [f"  {label:<10}{before:<28}{after}".rstrip() for label, before, after in rows]
    told = ", ".join(told_of(examined.findings))
    left = "; ".join(told_parts(rebuilt.left)) or "not recorded"
    return [
        *lines,
        _filled(removed, first="  removed   ", indent=" " * 12),
        _filled(left, first="  left      ", indent=" " * 12),
        *([_filled(told, first="  told of   ", indent=" " * 12)] if told else []),
        f"  it came as  {raw.sha256}",
    ]


def _shape(facts: MediaFacts | RebuildFacts) -> str:
    parts = []
    if facts.width:
        parts.append(f"{facts.width} × {facts.height}")
    if facts.frames > 1 and not facts.duration_ms:
        parts.append(f"{facts.frames} pictures")
    if facts.duration_ms:
        parts.append(f"{facts.duration_ms / 1000:.1f} s")
    characters = getattr(facts, "characters", 0)
    return ", ".join(parts) or (f"{characters:,} characters" if characters else "a text")


def _reasons(row: ItemRow) -> list[str]:
    return [
        _filled(f"{reason.message} [{reason.rule}; {', '.join(reason.clauses)}]", first="  - ", indent="    ")
        for reason in row.reasons
    ]


def _commands(row: ItemRow) -> list[str]:
    return [
        f"  transfer approve {row.item} --as NAME --key FILE --public --risk low|medium|high",
        f"  transfer refuse {row.item} --as NAME --key FILE --reason TEXT",
    ]


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *lines])


def _heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}"


def _filled(text: str, *, indent: str = "", first: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
