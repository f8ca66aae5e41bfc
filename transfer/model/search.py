"""What a policy has looked for in names, texts, metadata and pictures: one value, from the policy to the child. Pure.

What enters: the words of a policy, checked when it was loaded. What leaves: a `Search`, which travels to the sandbox
child with each file. It says what to look for, never what follows from it (G6).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class PersonalKind(StrEnum):
    """Which personal data can be recognised by its form."""

    EMAIL = "e-mail"
    TELEPHONE = "telephone"
    BANK_ACCOUNT = "bank-account"  # IBAN
    PAYMENT_CARD = "payment-card"
    NATIONAL_ID = "national-id"  # of the countries that the policy names


# The identifiers that people carry, by country, as python-stdnum names them. Each has check digits, so that a number of
# the same length is seldom taken for one. NINO, the British insurance number, has none: its letters make it distinct.
NATIONAL_IDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "AU": ("au.tfn",),
        "BE": ("be.nn",),
        "BG": ("bg.egn",),
        "BR": ("br.cpf",),
        "CA": ("ca.sin",),
        "CH": ("ch.ssn",),
        "CZ": ("cz.rc",),
        "DE": ("de.idnr",),
        "DK": ("dk.cpr",),
        "EE": ("ee.ik",),
        "ES": ("es.dni", "es.nie"),
        "FI": ("fi.hetu",),
        "FR": ("fr.nir",),
        "GB": ("gb.nhs", "gb.nino"),
        "GR": ("gr.amka",),
        "HR": ("hr.oib",),
        "IE": ("ie.pps",),
        "IL": ("il.idnr",),
        "IN": ("in_.aadhaar",),
        "IS": ("is_.kennitala",),
        "IT": ("it.codicefiscale",),
        "KR": ("kr.rrn",),
        "LT": ("lt.asmens",),
        "NL": ("nl.bsn",),
        "NO": ("no.fodselsnummer",),
        "NZ": ("nz.ird",),
        "PL": ("pl.pesel",),
        "PT": ("pt.cc",),
        "RO": ("ro.cnp",),
        "SE": ("se.personnummer",),
        "SI": ("si.emso",),
        "SK": ("sk.rc",),
        "TR": ("tr.tckimlik",),
        "ZA": ("za.idnr",),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A sensitivity label of the site: its GUID in lower case, what it is called, and whether it means PUBLIC."""

    guid: str
    name: str
    public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What is looked for.

    `marks` are those of `model.marks`. `regions` are countries (ISO 3166, two capitals) whose telephone numbers count
    without a country code, `countries` those whose identifiers are looked for. `student_numbers` are patterns as
    `policy.personal` admits them. `allowed` are addresses that may stand anywhere: `press@university.example`,
    `@university.example` for a whole domain, `+44 1632 960000`. `pictures` has texts in pictures read.
    """

    marks: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    personal: tuple[PersonalKind, ...] = ()
    regions: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    student_numbers: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    pictures: bool = False

    @property
    def wants_personal_data(self) -> bool:
        """Whether anything of the kind is looked for at all."""
        return bool(self.personal or self.student_numbers)
