"""The clauses of the guidance that every rule serves, by identifier, with short titles in the project's own words.

Pure data. The identifiers are cited in policies, findings, log entries and pages; the guidance itself is quoted
nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from transfer.model.spelling import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause: what it demands, and how the gateway serves it."""

    id: str
    title: str
    served_by: str


_ALL = (
    Clause(
        id="G1",
        title="Use is the exception: it is justified, and the head of department has approved it",
        served_by="Nothing is released outside a campaign whose purpose a head of department has signed.",
    ),
    Clause(
        id="G2",
        title="Only a dedicated university device is used",
        served_by="Releases go to an enrolled device only.",
    ),
    Clause(
        id="G3",
        title="The device stays off the university's networks",
        served_by="The device's door refuses requests that come from a university address.",
    ),
    Clause(
        id="G4",
        title="Accounts are made for this purpose; personal ones are not used",
        served_by="The settings name the device's account, and nobody else may share the release folder.",
    ),
    Clause(
        id="G5",
        title="Data may go to the device; neither data nor software comes back",
        served_by="The line runs one way: what appears on the device's side or returns to staging is refused.",
    ),
    Clause(
        id="G6",
        title="Only data classified PUBLIC leaves",
        served_by="Files are understood, freed of metadata and declared PUBLIC by a signature before they leave.",
    ),
    Clause(
        id="G7",
        title="The risk to integrity is assessed before publication is approved",
        served_by="Every approval carries an assessment of what copying and manipulation could do.",
    ),
    Clause(
        id="G8",
        title="The device receives all software updates",
        served_by="The device's last known state is part of what gates a release.",
    ),
    Clause(
        id="G9",
        title="The device follows the rest of the device-security guidance",
        served_by="Files are scanned for malware, and what is unknown about a device counts against it.",
    ),
    Clause(
        id="G10",
        title="A standard operating procedure is written, carried out and monitored",
        served_by="These rules are that procedure; every use of one is an entry in the log.",
    ),
    Clause(
        id="G11",
        title="It covers official university accounts, not private use",
        served_by="A campaign names the official account that it is for.",
    ),
    Clause(
        id="G12",
        title="The device reaches no university system but its one mailbox",
        served_by="The device takes files from a folder or portal outside the university's sign-in.",
    ),
)

CLAUSES: Mapping[str, Clause] = MappingProxyType({clause.id: clause for clause in _ALL})


def require_clause(untrusted: str) -> str:
    """The identifier, if it is one. Raises ValueError with the nearest one."""
    if untrusted in CLAUSES:
        return untrusted
    near = nearest(untrusted, CLAUSES)
    hint = f"; did you mean {near}?" if near else ""
    raise ValueError(f"the guidance has no clause {untrusted!a}{hint} (it has G1 to G12)")


def cite(clauses: tuple[str, ...]) -> str:
    """`G5, G6`, in the order of the guidance."""
    return ", ".join(sorted(clauses, key=lambda clause: list(CLAUSES).index(clause) if clause in CLAUSES else -1))
