"""Sentences about a release folder in OneDrive, out of the entries' facts."""

from __future__ import annotations

from transfer.cli.output import readable_size
from transfer.cli.telling import Telling, clauses
from transfer.return_guard.breaches import Breach, Place, sentence_of


def rewritten(told: Telling) -> str:
    """`release.rewritten`."""
    return f"OneDrive itself changed the picture: {told.size} went out, it has {_reported(told)} {clauses(told.facts)}."


def mismatched(told: Telling) -> str:
    """`release.mismatch`."""
    return f"OneDrive has other bytes than went out ({_reported(told)}); taken back {clauses(told.facts)}."


def exposed(told: Telling) -> str:
    """`release.exposed`: the first thing that is wrong, and how many there are."""
    breaches = list(told.facts.get("breaches") or [])
    if not breaches:
        return "Somebody may do in the release folder in OneDrive what nobody must."
    first = sentence_of(Breach(breaches[0]["breach"]), Place[str(breaches[0]["place"]).upper()])
    others = len(breaches) - 1 + int(told.facts.get("more", 0))
    more = f" There is more of the kind: {others}." if others else ""
    return f"{first.removesuffix('.')} {clauses(told.facts)}".rstrip() + f".{more}"


def _reported(told: Telling) -> str:
    reported = told.facts.get("reported")
    return readable_size(reported) if isinstance(reported, int) else "of a size that it does not say"
