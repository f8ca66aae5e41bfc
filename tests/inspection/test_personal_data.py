"""Personal data is found as people write it, ordinary captions pass, and no finding repeats what it found."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from tests.inspection.probing import understood
from transfer.inspection.national_ids import bank_accounts_in
from transfer.inspection.personal_data import MAX_CANDIDATES, personal_data_in, warm
from transfer.inspection.written_names import personal_in_name
from transfer.model.findings import Code
from transfer.model.search import NATIONAL_IDS, PersonalKind, Search

ALLOWED = ("press@university.example", "@openday.university.example", "+44 1632 960000")
SEARCH = Search(
    personal=tuple(PersonalKind), regions=("GB",), countries=("GB",), student_numbers=(r"s\d{7}",), allowed=ALLOWED
)


@pytest.fixture(autouse=True, scope="module")
def _warmed() -> None:
    warm()


def kinds(text: str, search: Search = SEARCH) -> dict[str, int]:
    found = personal_data_in(text, search, where="text")
    assert all(finding.code is Code.PERSONAL_DATA and finding.detail["where"] == "text" for finding in found)
    return {str(finding.detail["kind"]): int(finding.detail["count"]) for finding in found}


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("Call Jane on 07911 123456 for tickets", "telephone numbers", 1),
        ("Ring 01865 270001, or 01865 270002", "telephone numbers", 2),
        ("+44 (0)20 7946 0958", "telephone numbers", 1),
        ("0044 20 7946 0958", "telephone numbers", 1),
        ("+1 212 555 0123 or +49 30 901820", "telephone numbers", 2),
        ("phone 020\N{ZERO WIDTH SPACE} 7946 0958", "telephone numbers", 1),
        ("\uff10\uff12\uff10 \uff17\uff19\uff14\uff16 \uff10\uff19\uff15\uff18", "telephone numbers", 1),
        ("020\N{NON-BREAKING HYPHEN}7946\N{EN DASH}0958", "telephone numbers", 1),
        ("(01865) 270001", "telephone numbers", 1),
        ("01865 270001 01865 270001", "telephone numbers", 1),
        ("mail jane.doe@gmail.com", "e-mail addresses", 1),
        ("jane (at) example (dot) org", "e-mail addresses", 1),
        ("Jürgen@universität.de!", "e-mail addresses", 1),
        ("JANE@UNIVERSITY.EXAMPLE and jane@university.example", "e-mail addresses", 1),
        ("IBAN GB82 WEST 1234 5698 7654 32 thanks", "bank accounts (IBAN)", 1),
        ("to de89370400440532013000 now", "bank accounts (IBAN)", 1),
        ("BE68 5390 0754 7034 open daily", "bank accounts (IBAN)", 1),
        ("card 4111 1111 1111 1111", "payment cards", 1),
        ("NHS 943 476 5919", "national identifiers", 1),
        ("NI AB 12 34 56 C", "national identifiers", 1),
        ("s1234567 and S7654321 won", "student numbers", 2),
    ],
)
def test_found(text: str, kind: str, count: int) -> None:
    assert kinds(text) == {kind: count}


CAPTIONS = [
    "Open day 2024-2025 🎓 Come and see us!",
    "Doors 09:00-17:00, talks 10.30 to 11.45",
    "Saturday 12/10/2024, 10am",
    "Term: 01.10.2024 - 15.12.2024",
    "12.10.2024 18:30 Uhr",
    "Over 1,250,000 views #openday2024 #20241012 #07911123456",
    "£1,250,000 raised since 1998/99",
    "€ 1 250 000 für die Forschung",
    "ISBN 978-0-306-40615-7 out now; 9780306406157 too",
    "ISBN 0-306-40615-2",
    "doi 10.1000/182 and 10.1038/s41586-020-2649-2",
    "Room 0123, building 45, floor 6",
    "3.14159265358979 is pi",
    "Founded 1096, 900 years ago",
    "Follow @uni.oxford and @jane_doe",
    "100 200 300 metres",
    "Scores: 21-15 21-18 19-21",
    "Lat 51.7548, lon -1.2544",
    "0800 - 1700 every day",
    "Class of 1994 1995 1996 1997",
    "1 2 3 4 5 6 7 8 9 10",
    "5 4 3 2 1 0 lift off 🚀",
    "Week 1: 07/10 14/10 21/10 28/10",
    "24/7, 365 days a year",
    "v1.2.3.4567 of Model X-1000-2000-3000",
    "Grant EP/T001569/1 and 101017857",
    "ORCID 0000-0002-1825-0097",
    "https://www.tiktok.com/@uni/video/7234567890123456789",
    "Deadline 2024-11-30T23:59:59Z",
    "OX1 3PG, Wellington Square",
    "10 000 steps, 150 000 students; 1 000 000 thanks",
    "See you 14 – 18 October 2024",
    "0:15 intro, 1:23:45 outro",
    "A levels: AAA 2023 / 2024",
    "4K 60 fps 1920x1080 16:9",
    "Line 1800 1900 2000",
    "Tickets £5/£3.50 – 0% fees",
    "We <3 you @ 10pm",
    "look@me now, me@home too",
    "Press: press@university.example, +44 1632 960000 (01632 960000)",
    "Questions? team@openday.university.example",
]


@pytest.mark.parametrize("caption", CAPTIONS)
def test_ordinary_captions_pass(caption: str) -> None:
    assert kinds(caption) == {}


def test_an_allowed_domain_does_not_allow_others_that_end_like_it() -> None:
    allowed = Search(personal=(PersonalKind.EMAIL,), allowed=("@university.example",))
    assert kinds("jane@university.example", allowed) == {}
    assert kinds("jane@other-university.example jane@sub.university.example", allowed) == {"e-mail addresses": 2}


def test_regions_say_which_numbers_count_without_a_country_code() -> None:
    american = Search(personal=(PersonalKind.TELEPHONE,), regions=("US",))
    assert kinds("Call (212) 555-0123", american) == {"telephone numbers": 1}
    assert kinds("212-555-0123", american) == {"telephone numbers": 1}
    assert kinds("ticket 2125550123 of 3125550199", american) == {}
    french = Search(personal=(PersonalKind.TELEPHONE,), regions=("FR",))
    for spelled in ("01 23 45 67 89", "01.23.45.67.89", "+33 1 23 45 67 89", "+33.1.23.45.67.89"):
        assert kinds(f"Appelez le {spelled} !", french) == {"telephone numbers": 1}, spelled
    assert kinds("le 01.02.2024 à 18h30, du 01 au 15 10 2024", french) == {}
    nowhere = Search(personal=(PersonalKind.TELEPHONE,))
    assert kinds("020 7946 0958", nowhere) == {}
    assert kinds("+44 20 7946 0958", nowhere) == {"telephone numbers": 1}


def test_what_is_not_looked_for_is_not_found() -> None:
    text = "jane@example.org, 020 7946 0958, s1234567"
    assert kinds(text, Search()) == {}
    assert kinds(text, Search(personal=(PersonalKind.BANK_ACCOUNT,))) == {}


# Numbers that python-stdnum's own documentation gives as examples of each.
IDENTIFIERS = {
    "BE": "85.07.30-033 28",
    "BR": "390.533.447-05",
    "CA": "123-456-782",
    "CH": "756.9217.0769.85",
    "DE": "36 574 261 809",
    "DK": "211062-5629",
    "EE": "37605030299",
    "ES": "54362315-K",
    "FI": "131052-308T",
    "FR": "2 95 10 99 126 111 93",
    "GB": "943-476-5870",
    "IE": "6433435F",
    "IT": "RCCMNL83S18D969H",
    "NL": "111222333",
    "NO": "151086 95088",
    "PL": "44051401359",
    "RO": "1630615123457",
    "SE": "880320-0016",
    "TR": "17291716060",
    "ZA": "7503305044089",
}


@pytest.mark.parametrize("country", IDENTIFIERS)
def test_identifiers_of_each_country(country: str) -> None:
    search = Search(personal=(PersonalKind.NATIONAL_ID,), countries=(country,))
    number = IDENTIFIERS[country]
    assert kinds(f"It is {number}.", search) == {"national identifiers": 1}
    digit = next(index for index, character in enumerate(number) if character.isdigit() and index > 3)
    wrong = number[:digit] + str((int(number[digit]) + 1) % 10) + number[digit + 1 :]
    if country != "DK":  # whose newer numbers have no check digit
        assert kinds(f"It is {wrong}.", search) == {}


def test_every_country_that_a_policy_can_name_can_be_searched() -> None:
    everywhere = Search(personal=(PersonalKind.NATIONAL_ID,), countries=tuple(NATIONAL_IDS))
    kinds("12345678901 123456-7890 ABCDEF12A34B567C 123 456 7890", everywhere)


def test_an_account_ends_where_its_number_ends() -> None:
    text = "IBAN DE89 3704 0044 0532 0130 00 open till ten"
    assert [text[start:end] for start, end in bank_accounts_in(text)] == ["DE89 3704 0044 0532 0130 00"]


# --- in files ------------------------------------------------------------------------------------------------------


def test_subtitles_are_searched_without_their_times() -> None:
    times = samples.srt([f"Over {number} thousand views" for number in range(20)])
    _, findings = understood(times, ".srt", search=SEARCH)
    assert Code.PERSONAL_DATA not in findings
    _, findings = understood(samples.srt(["ring 01865 270001"]), ".srt", search=SEARCH)
    assert findings[Code.PERSONAL_DATA] == {"kind": "telephone numbers", "count": 1, "where": "text"}
    _, findings = understood(samples.vtt(["ring 01865 270001"]), ".vtt", search=SEARCH)
    assert findings[Code.PERSONAL_DATA]["count"] == 1


def test_a_number_alone_in_a_cue_is_no_number_of_a_cue() -> None:
    assert kinds("1\n00:00:01,000 --> 00:00:02,000\n01865270001\n\n2\n00:00:03,000 --> 00:00:04,000\nx\n") == {
        "telephone numbers": 1
    }


def test_metadata_that_is_removed_makes_no_file_wait() -> None:
    _, findings = understood(
        samples.jpeg(exif=False, comment="(c) jane@example.org 020 7946 0958"), ".jpg", search=SEARCH
    )
    assert Code.PERSONAL_DATA not in findings
    assert findings[Code.IDENTIFYING_METADATA]["contacts"] == 1


def test_names_hold_addresses_and_student_numbers_but_no_telephones() -> None:
    def in_name(name: str) -> dict[str, int]:
        found = personal_in_name(name, SEARCH)
        assert all(finding.detail["where"] == "name" for finding in found)
        return {str(finding.detail["kind"]): int(finding.detail["count"]) for finding in found}

    assert in_name("for jane@example.org.jpg") == {"e-mail addresses": 1}
    assert in_name("portrait_s1234567_v2.jpg") == {"student numbers": 1}
    for name in (
        "IMG_20241012_093015.jpg",
        "PXL_20240512_141530123.MP.jpg",
        "07911123456.mp4",
        "logo@2x.png",
        "@uni.jpg",
    ):
        assert in_name(name) == {}


def test_the_thing_itself_never_reaches_a_finding() -> None:
    text = "jane.doe@example.org 07911 123456 GB82 WEST 1234 5698 7654 32 4111111111111111 AB123456C s1234567"
    said = repr(personal_data_in(text, SEARCH, where="text"))
    assert len(kinds(text)) == 6
    for word in ("jane", "example", "123456", "WEST", "4111", "1234567"):
        assert word not in said


# --- hostile texts -------------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    kinds(text)
    personal_in_name(text, SEARCH)


@given(st.text(alphabet="0123456789+-()./ @aGBDEN\n", max_size=120))
def test_any_text_of_digits_can_be_searched(text: str) -> None:
    kinds(text, Search(personal=tuple(PersonalKind), regions=("GB", "US"), countries=tuple(NATIONAL_IDS)))


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_address_on_a_line_of_its_own_is_found_in_any_text(before: str, after: str) -> None:
    assert kinds(f"{before}\njane@example.org\n{after}").get("e-mail addresses", 0) >= 1


@pytest.mark.parametrize(
    "piece",
    ["1234567 ", "0", "0 1 ", "GB82 ", "GB82WEST", "a@", "a.b@c.", "(at)", "+44 ", "4111 ", "12.12.", "1,000", "tel "],
)
def test_the_longest_text_of_anything_is_searched_within_seconds(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    started = time.process_time()
    kinds(text)
    assert time.process_time() - started < 5


def test_more_numbers_than_can_be_looked_at_are_for_a_person_to_look_at() -> None:
    text = "\n".join(f"{number:07}99" for number in range(MAX_CANDIDATES + 1))
    assert kinds(text)["telephone numbers"] > MAX_CANDIDATES
