"""What became of a file, told to the person who dropped it: what happened, why, what to do next. Pure.

What enters: an item as the register knows it. What leaves: a heading of one word and a text in plain words, wrapped
for a plain editor, with rules and clauses in brackets at the end of each reason for those who want to look them up.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from transfer.model.findings import Reason, Severity, WaitingFor
from transfer.model.names import SafeName
from transfer.model.states import State
from transfer.policy.clauses import cite

WIDTH = 78

WAITING = "WAITING"
WORKING = "WORKING"
RELEASED = "RELEASED"
REFUSED = "REFUSED"
WITHDRAWN = "WITHDRAWN"
EXPIRED = "EXPIRED"


class Story(Protocol):
    """What is known of an item, as far as it is told; a row of the register is one."""

    @property
    def item(self) -> str:
        """Its identifier."""
        ...

    @property
    def name(self) -> SafeName:
        """Its name."""
        ...

    @property
    def campaign(self) -> str | None:
        """The campaign's folder it was dropped in."""
        ...

    @property
    def state(self) -> State:
        """Where it stands."""
        ...

    @property
    def waiting_for(self) -> WaitingFor | None:
        """What a held item waits for."""
        ...

    @property
    def released_as(self) -> str | None:
        """Its name on the device's side."""
        ...

    @property
    def reasons(self) -> Sequence[Reason]:
        """The policy's reasons, refusals first."""
        ...

    @property
    def arrived_at(self) -> datetime:
        """When it was taken up."""
        ...

    @property
    def decided_at(self) -> datetime | None:
        """When it was judged."""
        ...


_REMEMBERED = 512

# What is told of a file that has its receipt: the last word of its name (audit.receipt_files).
_RECEIPTED = {State.RELEASED: "released", State.REFUSED: "refused"}

_HEADINGS = {
    State.ARRIVED: WORKING,
    State.SPOOLED: WORKING,
    State.EXAMINED: WORKING,
    State.REBUILT: WORKING,
    State.HELD: WAITING,
    State.APPROVED: WORKING,
    State.RELEASED: RELEASED,
    State.REFUSED: REFUSED,
    State.WITHDRAWN: WITHDRAWN,
    State.EXPIRED: EXPIRED,
}

_WAITS = {
    WaitingFor.APPROVAL: "It has been checked, a clean copy has been made, and it waits for an approver's signature. "
    "The approver sees what was taken out of your file and what is left of it.",
    WaitingFor.CAMPAIGN: "It has been checked, a clean copy has been made, and it waits for its campaign.",
    WaitingFor.SCANNER: "A clean copy has been made, and it waits for the malware scanner.",
    WaitingFor.POSTURE: "It has been checked, a clean copy has been made, and it waits for the device.",
    WaitingFor.REVIEW: "A clean copy has been made, and it waits for a person to look at it more closely.",
}

_HAPPENED = {
    State.APPROVED: "An approver has signed it. It goes to the device in a moment, or when releasing is resumed.",
    State.RELEASED: "It was approved, and a clean copy has gone to the device.",
    State.WITHDRAWN: "It has been taken back, by an approver, before it went to the device.",
    State.EXPIRED: "Nobody approved it in the time that the policy gives, so it is no longer kept for that.",
}


_TAKEN_BACK = (
    "It had been released, and has been taken back from the device's folder: by an approver, or by the gateway itself, "
    "because OneDrive no longer had exactly what was approved. Your approver can see which."
)


def explain(story: Story) -> tuple[str, str]:
    """The heading (one word, in capitals) and the text, which ends with a line break."""
    heading = _HEADINGS[story.state]
    told = _told(story)
    blocks = [_paragraph(f"{heading}: {story.name}"), _section("What happened", [_what_happened(story)])]
    if told:
        blocks.append(_section("Why", [_why(reason) for reason in told]))
    blocks.append(_section("What to do next", _next_steps(story, told)))
    notes = [reason for reason in story.reasons if reason.severity is Severity.NOTE]
    if notes and story.state is not State.REFUSED:
        blocks.append(_section("Good to know", [_why(reason) for reason in notes]))
    where = f", campaign {story.campaign}" if story.campaign else ""
    how = _RECEIPTED.get(story.state)
    receipt = f" Its receipt lies in receipts/ as {story.item}-{how}.tlog-proof." if how else ""
    blocks.append(_paragraph(f"Item {story.item}{where}, taken up {_moment(story.arrived_at)}.{receipt}"))
    return heading, "\n\n".join(blocks) + "\n"


def _told(story: Story) -> list[Reason]:
    """The reasons that explain this state: what refuses a refused item, what a held one waits for."""
    wanted = {State.REFUSED: Severity.REFUSE, State.HELD: Severity.HOLD}.get(story.state)
    return [reason for reason in story.reasons if reason.severity is wanted]


def _what_happened(story: Story) -> str:
    if story.state is State.HELD:
        return _WAITS[story.waiting_for or WaitingFor.REVIEW]
    if story.state is State.REFUSED:
        return f"It was refused on {_moment(story.decided_at or story.arrived_at)} and has not gone to the device."
    if story.state is State.RELEASED and story.released_as:
        return f"{_HAPPENED[State.RELEASED]} There it is called «{story.released_as}»."
    if story.state is State.WITHDRAWN and story.released_as:
        return _TAKEN_BACK
    return _HAPPENED.get(story.state, "It has been taken up and is being checked.")


def _next_steps(story: Story, told: Sequence[Reason]) -> list[str]:
    advice = list(dict.fromkeys(reason.advice for reason in told if reason.advice))
    match story.state:
        case State.REFUSED:
            kept = "Your file still lies where you dropped it; you can take it away."
            return [*(advice or ["Ask whoever looks after the gateway."]), kept]
        case State.HELD:
            return advice or ["Nothing. It goes on by itself."]
        case State.RELEASED:
            stays = "The original leaves your folder by itself; in OneDrive it stays until you remove it."
            return [f"Nothing. It can now be posted from the device. {stays}"]
        case State.WITHDRAWN:
            return ["If it was already posted, delete the post. A changed file can be dropped again."]
        case State.EXPIRED:
            return ["If it is still needed, drop it again and tell your approver that it is waiting."]
        case _:
            return ["Nothing. This note changes by itself, usually within seconds."]


def _why(reason: Reason) -> str:
    return f"{reason.message} [{reason.rule}; {cite(reason.clauses)}]"


def _section(title: str, paragraphs: Sequence[str]) -> str:
    body = "\n".join(_paragraph(text, indent="  ") for text in paragraphs)
    return f"{title}\n{body}"


@lru_cache(maxsize=_REMEMBERED)  # of a thousand files most are told the same
def _paragraph(text: str, *, indent: str = "") -> str:
    return textwrap.fill(
        text,
        width=WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d at %H:%M UTC")
