"""CSV for spreadsheets: what comes out can be read back, and no cell is a formula."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from tests.cli.rooms import Room
from transfer.cli.audit_csv import COLUMNS, guarded, one_line

OBEYED = "=+-@\t\r＝＋－＠"


@given(st.text())
@example("=1+1")
@example(" \n =1+1")
@example("\t@x")
@example("＝1")
@example("\u00a0=1")
def test_no_cell_begins_as_a_formula(text: str) -> None:
    for cell in (guarded(text), guarded(one_line(text))):
        assert not cell.startswith(tuple(OBEYED))
        assert not cell.lstrip().startswith(tuple(OBEYED))
        assert cell.removeprefix("'") in {
            text,
            one_line(text),
            text.removeprefix("'"),
            one_line(text).removeprefix("'"),
        }


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_needs_no_guard_is_left_alone(text: str) -> None:
    if not text.lstrip().startswith(tuple(OBEYED)) and not text.startswith(tuple(OBEYED)):
        assert guarded(text) == text


@given(st.text())
def test_a_cell_is_one_printable_line(text: str) -> None:
    assert one_line(text).isprintable()


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_the_table_says_what_the_document_says(studio: Room) -> None:
    answer = studio.must("audit", "show", "--csv", "--limit", "1000")
    entries = studio.must("audit", "show", "--json", "--limit", "1000").json["entries"]
    read = rows(answer.out)
    assert tuple(read[0]) == COLUMNS
    assert len(read) == len(entries) > 40
    assert answer.out.count("\r\n") == answer.out.count("\n") == len(read) + 1
    for row, entry in zip(read, entries, strict=True):
        assert (int(row["entry"]), row["time"], row["event"]) == (entry["i"], entry["at"], entry["event"])
        assert row["item"] == entry.get("item", "")
        assert row["by"] == entry.get("by", "")
        assert row["sha256"] == entry.get("file", {}).get("sha256", "")
        assert row["name"].removeprefix("'") == entry["private"].get("name", entry["private"].get("label", ""))
        cited = {clause for reason in entry.get("facts", {}).get("reasons", ()) for clause in reason["clauses"]}
        assert set(row["clauses"].split()) >= cited
        assert row["what"].endswith((".", "»"))


def test_names_that_spreadsheets_would_obey(room: Room) -> None:
    (room.root / "staging" / "open-day" / '=HYPERLINK("x";"y")+1.txt').write_text("Evil.\n")
    (room.root / "staging" / "open-day" / "@sum, with \u202e comma.txt").write_text("Evil too.\n")
    room.gateway()
    read = rows(room.must("audit", "show", "--csv", "--event", "file.spooled").out)
    assert {row["name"] for row in read} >= {"'=HYPERLINK(_x_;_y_)+1.txt", "'@sum, with comma.txt"}


def test_csv_is_utf8_and_says_when_there_is_more(studio: Room) -> None:
    answer = studio.must("audit", "show", "--csv", "--name", "開放日", "--limit", "1")
    assert len(rows(answer.out)) == 1
    assert "There are more than these 1" in answer.err
    assert studio.must("audit", "show", "--csv", "--campaign", "nothing").out == ",".join(COLUMNS) + "\r\n"
