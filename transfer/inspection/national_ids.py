"""Identifiers that people carry, recognised by their shape and proven by their check digits. Pure, once warmed.

What enters: an untrusted readable text and the countries of the policy. What leaves: where such numbers stand. The
arithmetic is python-stdnum's; the shapes are ours, so that not every number in a text is tried. `warm` imports all that
any policy can ask for: a confined child can import nothing later.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import MappingProxyType

from stdnum import iban, luhn

from transfer.model.search import NATIONAL_IDS

Span = tuple[int, int]

_SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "au.tfn": r"\d{3} ?\d{3} ?\d{3}",
        "be.nn": r"\d{2}[. ]?\d{2}[. ]?\d{2}[- ]?\d{3}[. ]?\d{2}",
        "bg.egn": r"\d{10}",
        "br.cpf": r"\d{3}\.?\d{3}\.?\d{3}-?\d{2}",
        "ca.sin": r"\d{3}[ -]?\d{3}[ -]?\d{3}",
        "ch.ssn": r"756\.?\d{4}\.?\d{4}\.?\d{2}",
        "cz.rc": r"\d{6}/?\d{3,4}",
        "de.idnr": r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}",
        "dk.cpr": r"\d{6}-\d{4}",  # newer ones have no check digit, so the hyphen is asked for
        "ee.ik": r"\d{11}",
        "es.dni": r"\d{8}-?[A-Z]",
        "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
        "fi.hetu": r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]",
        "fr.nir": r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
        "gb.nhs": r"[3-79]\d{2}[ -]?\d{3}[ -]?\d{4}",
        "gb.nino": r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]",
        "gr.amka": r"\d{11}",
        "hr.oib": r"\d{11}",
        "ie.pps": r"\d{7}[A-W][ABWTXZ]?",
        "il.idnr": r"\d{9}",
        "in_.aadhaar": r"[2-9]\d{3} ?\d{4} ?\d{4}",
        "is_.kennitala": r"\d{6}-?\d{4}",
        "it.codicefiscale": r"[A-Z]{6}[0-9L-V]{2}[A-EHLMPR-T][0-9L-V]{2}[A-Z][0-9L-V]{3}[A-Z]",
        "kr.rrn": r"\d{6}-?\d{7}",
        "lt.asmens": r"\d{11}",
        "nl.bsn": r"\d{9}|\d{4}\.\d{2}\.\d{3}",
        "no.fodselsnummer": r"\d{6} ?\d{5}",
        "nz.ird": r"\d{2,3}-?\d{3}-?\d{3}",
        "pl.pesel": r"\d{11}",
        "pt.cc": r"\d{8} ?\d ?[A-Z0-9]{2}\d",
        "ro.cnp": r"[1-9]\d{12}",
        "se.personnummer": r"(?:\d{2})?\d{6}[-+]\d{4}|(?:19|20)\d{10}",
        "si.emso": r"\d{13}",
        "sk.rc": r"\d{6}/?\d{3,4}",
        "tr.tckimlik": r"[1-9]\d{10}",
        "za.idnr": r"\d{6} ?\d{4} ?\d{3}",
    }
)
_NOT_ISSUED = re.compile(r"BG|GB|NK|KN|TN|NT|ZZ")  # with which no insurance number begins
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.IGNORECASE | re.ASCII)
_SHORTEST_IBAN = 15
_CARD = re.compile(r"(?<![\w.,-])(?:\d[ -]?){12,18}\d(?![\w-])", re.ASCII)
# How the numbers of the large card schemes begin, with their lengths (ISO/IEC 7812).
_SCHEME = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35\d{14}|62\d{14,17}"
)


def warm() -> None:
    """Import and try everything; afterwards nothing is imported or opened."""
    for names in NATIONAL_IDS.values():
        for name in names:
            _proof(name)("0")
            _shape(name)
    iban.is_valid("GB82WEST12345698765432", check_country=False)


def bank_accounts_in(text: str) -> Iterator[Span]:
    """IBANs, grouped or not. What follows one without a break is left out of it."""
    for match in _IBAN.finditer(text):
        at = [index for index, character in enumerate(match.group()) if character != " "]
        compact = match.group().replace(" ", "")
        for length in range(len(compact), _SHORTEST_IBAN - 1, -1):
            if iban.is_valid(compact[:length], check_country=False):
                yield match.start(), match.start() + at[length - 1] + 1
                break


def cards_in(text: str) -> Iterator[Span]:
    """Numbers of payment cards."""
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match.group())
        if _SCHEME.fullmatch(digits) and luhn.is_valid(digits):
            yield match.span()


def national_ids_in(text: str, countries: tuple[str, ...]) -> Iterator[Span]:
    """Identifiers of these countries."""
    for country in countries:
        for name in NATIONAL_IDS.get(country, ()):
            proof = _proof(name)
            for match in _shape(name).finditer(text):
                if proof(match.group()):
                    yield match.span()


@cache
def _shape(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.,/-])(?:{_SHAPES[name]})(?![\w/-]|[.,]\d)", re.IGNORECASE | re.ASCII)


@cache
def _proof(name: str) -> Callable[[str], bool]:
    if name == "gb.nino":
        return lambda number: _NOT_ISSUED.match(number.upper()) is None
    valid: Callable[[str], bool] = importlib.import_module(f"stdnum.{name}").is_valid
    return valid
