"""Personal data in what is to be published: captions, subtitles, and text read off pictures.

What enters: an untrusted text and what the policy has looked for. What leaves: findings with a kind and a count, never
the thing itself (G6, G7). Numbers that merely look like a telephone's (dates, times, prices, years, ISBNs, hashtags)
are taken out before the telephone numbers are looked for. Call `warm` before the child confines itself: phonenumbers
would load each country's data from a file when it first meets one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import phonenumbers

from transfer.inspection import national_ids
from transfer.inspection.national_ids import Span, bank_accounts_in, cards_in, national_ids_in
from transfer.inspection.written_names import (
    EMAILS,
    STUDENT_NUMBERS,
    emails_in,
    personal_findings,
    readable,
    student_numbers_in,
)
from transfer.model.findings import Finding
from transfer.model.search import PersonalKind, Search

MAX_CANDIDATES = 2_000  # numbers of one text that are looked at; a text with more is for a person to look at

_CUES = re.compile(
    r"^[ \t]*\d{1,9}[ \t]*\r?\n(?=[^\n]{0,200}-->)|^[^\n]{0,40}\d\d[,.]\d{3}[ \t]*-->[^\n]*$", re.MULTILINE
)
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:1[89]|20|21)\d\d"
_NO_PERSONS = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|(?<!\w)[#@]\w+"
    r"|\b(?:isbn|issn|doi|orcid|isni)(?:-1[03])?[:\s]{0,3}[\dx][\dx ./-]{6,40}"
    r"|(?<![\d-])97[89](?:[ -]?\d){10}(?![\d-])",
    re.IGNORECASE,
)
_NO_TELEPHONES = re.compile(
    "|".join(
        (
            rf"(?<![\d.]){_YEAR}[-/.]{_MONTH}[-/.]{_DAY}(?![\d.])",
            rf"(?<![\d./-])(?:{_DAY}[-/.]{_MONTH}|{_MONTH}[-/.]{_DAY})[-/.](?:{_YEAR}|\d\d)(?![\d/-]|\.\d)",
            rf"(?<![\d./-])(?:{_DAY} {_MONTH}|{_MONTH} {_DAY}) {_YEAR}(?!\d)",
            rf"(?<!\d){_YEAR} ?[-/] ?(?:{_YEAR}|\d\d)(?!\d)",
            r"(?<![\d.:])\d{1,2}(?:[:.]\d\d){1,2}(?:[.,]\d{1,3})?(?![\d:]|\.\d)",
            r"[£$€¥] ?\d[\d,.]*(?:[ \u202f]\d{3}(?!\d))*",
            r"(?<![\d.])\d{1,3}(?:[ ,.]\d{3})+(?= ?(?:£|€|\$|%|eur|gbp|usd|chf|pounds|euros|people|followers))",
            r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)",
            r"(?<![\d.])\d{1,3}\.\d{4,}(?![\d.])",
        )
    ),
    re.IGNORECASE,
)
_MAYBE = re.compile(r"\d(?:[^\w\n]{0,3}\d){6}")
_SIDE_BY_SIDE = re.compile(r"(?<=\d\d\d) (?=\+|00|0\d\d)")  # the library takes two numbers with a blank between for one
_TELEPHONE_WORD = re.compile(
    r"(?:tel|telephone|phone|call|ring|text|sms|whatsapp|fax|mob|mobile|cell|telefon|handy|tél|telefono|telefoon)"
    r"\W{0,6}(?:(?:us|me|on|at|no|number|nr|is)\W{1,3}){0,3}$",
    re.IGNORECASE,
)
_KINDS = {
    PersonalKind.BANK_ACCOUNT: "bank accounts (IBAN)",
    PersonalKind.PAYMENT_CARD: "payment cards",
    PersonalKind.NATIONAL_ID: "national identifiers",
    PersonalKind.TELEPHONE: "telephone numbers",
}


def warm() -> None:
    """Load every country's data and run each search once; afterwards nothing is opened or imported."""
    phonenumbers.PhoneMetadata.load_all()
    national_ids.warm()
    everything = Search(
        personal=tuple(PersonalKind), regions=("GB", "US"), countries=("GB",), student_numbers=("s\\d{7}",)
    )
    personal_data_in("Call 020 7946 0958 or mail jo@example.org, GB82 WEST 1234 5698 7654 32", everything, where="text")


def personal_data_in(untrusted: str, search: Search, *, where: str) -> tuple[Finding, ...]:
    """One finding for each kind of personal data that is looked for and stands in the text."""
    if not search.wants_personal_data:
        return ()
    text = _CUES.sub("\n", readable(untrusted))
    found = {STUDENT_NUMBERS: student_numbers_in(text, search.student_numbers)}
    if PersonalKind.EMAIL in search.personal:
        found[EMAILS] = emails_in(text, search.allowed)
    if any(character.isdigit() for character in text):
        found |= _numbers_in(text, search)
    return personal_findings(found, where=where)


def _numbers_in(text: str, search: Search) -> dict[str, int]:
    """What is one thing is not another too: what has been counted is blanked before the next kind is looked for."""
    found: dict[str, int] = {}
    text = _NO_PERSONS.sub(_blank, text)
    for kind, looked_for in (
        (PersonalKind.BANK_ACCOUNT, bank_accounts_in),
        (PersonalKind.PAYMENT_CARD, cards_in),
        (PersonalKind.NATIONAL_ID, lambda text: national_ids_in(text, search.countries)),
        (PersonalKind.TELEPHONE, lambda text: _telephones_in(text, search)),
    ):
        if kind in search.personal:
            spans = list(looked_for(text))
            found[_KINDS[kind]] = len({re.sub(r"\W", "", text[start:end]).lower() for start, end in spans})
            text = _blanked(text, spans)
    return found


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _blanked(text: str, spans: Iterable[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _telephones_in(text: str, search: Search) -> Iterator[Span]:
    """Valid numbers with a country code, and those that are valid as they are dialled in one of the regions."""
    candidates = list(_MAYBE.finditer(text))
    if len(candidates) > MAX_CANDIDATES:
        yield from (match.span() for match in candidates)
        return
    if not candidates:
        return
    allowed = {re.sub(r"\D", "", address) for address in search.allowed if address.startswith("+")}
    seen: set[Span] = set()
    # With a country code nothing but a telephone number is meant, so that no date is taken out before.
    for region in ("ZZ", *search.regions):
        form = text if region == "ZZ" else _NO_TELEPHONES.sub(_blank, text)
        for match in _matches(form, region):
            span = match.start, match.end
            if span in seen or (region != "ZZ" and not _is_dialled(form, match, region)):
                continue
            seen.add(span)
            if f"{match.number.country_code}{match.number.national_number}" not in allowed:
                yield span


def _matches(text: str, region: str) -> Iterator[phonenumbers.PhoneNumberMatch]:
    """What the library finds; ZZ is no region, where only numbers with a country code count."""
    parted = _SIDE_BY_SIDE.sub("\n", text)
    for form in (text, parted) if parted != text else (text,):
        yield from phonenumbers.PhoneNumberMatcher(form, region, max_tries=MAX_CANDIDATES)


def _is_dialled(text: str, match: phonenumbers.PhoneNumberMatch, region: str) -> bool:
    """Whether people would read it as a telephone number: not every ten digits are one.

    It begins with + or the digit that is dialled first in the region, or a word such as «call» stands before it, or,
    where nothing is dialled first (as in North America), it is in groups.
    """
    written = match.raw_string
    if written.startswith(("+", "00", "(0", "(+")) or _TELEPHONE_WORD.search(
        text, max(0, match.start - 40), match.start
    ):
        return True
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region, None)
    first = metadata.national_prefix if metadata is not None else None
    if first == "0":
        return written.startswith("0")
    return len(re.findall(r"\d+", written)) >= 3
