"""The page that checks receipts, in a real Chromium, opened as a file: what it says of every kind of receipt.

What it accepts is what the program accepts, to the byte; it never says «verified» of anything else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import runpy
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.audit import naive
from tests.audit.browser import Browser, Page
from transfer.audit.checkpoint import Checkpoint, render_checkpoint
from transfer.audit.entries import build_leaf, parse_leaf
from transfer.audit.merkle import leaf_hash, root_of
from transfer.audit.notes import Ed25519Signer, sign_note
from transfer.audit.proofs import inclusion_path
from transfer.audit.receipts import Receipt, open_receipt, parse_receipt, render_receipt
from transfer.errors import NotSo, Tampered
from transfer.model.events import Event, EventName, FileFact
from transfer.model.identifiers import PersonId, Sha256, item_id_from_entropy

TOP = Path(__file__).parents[2]
PAGE = TOP / "transfer" / "audit" / "static" / "verify.html"
VECTORS = Path(__file__).parent / "vectors"
V = json.loads((VECTORS / "vectors.json").read_text())

ORIGIN = "tests.example/audit/2026"
SIGNER = Ed25519Signer(ORIGIN, bytes(range(32)))
OTHER = Ed25519Signer("other.example/audit/2026", bytes(range(32)))
FORGER = Ed25519Signer(ORIGIN, bytes(range(1, 33)))
ITEM = item_id_from_entropy(b"\0\1\2\3\4")
FILE = b"What went to the device.\n"
AT = "2026-11-22T12:23:07.476Z"


def leaf(index: int, name: EventName = EventName.FILE_RELEASED, *, file: bytes | None = FILE, at: str = AT) -> bytes:
    event = Event(
        name=name,
        item=ITEM,
        by=PersonId("u_" + "7f" * 16) if name is EventName.FILE_REFUSED else None,
        file=None if file is None else FileFact(sha256=Sha256(hashlib.sha256(file).hexdigest()), size=len(file)),
        facts={"campaign": "open-day", "reasons": [{"clauses": ["G6"], "rule": "no-markings", "severity": "refuse"}]},
        private={"name": "Größe \u2028 \U0001f600.jpg"},
        policy=Sha256("6c" * 32),
    )
    made = build_leaf(event, index=index, at=at, previous=2 if index > 2 else None, clock_back=False, entropy=bytes)
    return made.data


def receipt(
    entries: list[bytes], index: int, *, signer: Ed25519Signer = SIGNER, origin: str = ORIGIN, carried: bool = True
) -> Receipt:
    hashes = [leaf_hash(entry) for entry in entries]
    checkpoint = Checkpoint(origin=origin, size=len(entries), root=root_of(hashes))
    path = inclusion_path(index, len(entries), lambda start, end: root_of(hashes[start:end]))
    note = sign_note(render_checkpoint(checkpoint), [signer])
    return Receipt(entry=entries[index] if carried else None, index=index, path=tuple(path), note=note)


def log_with(entry: bytes, index: int = 5, size: int = 11) -> list[bytes]:
    return [*naive.entries(index), entry, *naive.entries(size)[index + 1 :]]


def of(entry: bytes, **given) -> bytes:
    return render_receipt(receipt(log_with(entry), 5, **given)).encode()


GOOD = of(leaf(5))


@dataclass
class Desk:
    """The page with somebody in front of it."""

    page: Page
    folder: Path
    number: int = 0

    def put(self, name: str, content: bytes) -> Path:
        """A new file of this name; the browser takes no notice if the same one is chosen again."""
        self.number += 1
        path = self.folder / str(self.number) / name
        path.parent.mkdir()
        path.write_bytes(content)
        return path

    def give(self, receipt: bytes | None = GOOD, key: str = SIGNER.vkey, file: bytes | None = None) -> None:
        if receipt is not None:
            self.page.choose("#receipt", self.put("a.tlog-proof", receipt))
        if key:
            self.page.choose("#key-file", self.put("log.vkey", f"{key}\n".encode()))
        if file is not None:
            self.page.choose("#file", self.put("photo.jpg", file))

    def says(self, how: str, heading: str, meaning: str = "") -> None:
        """Waits until it does."""
        until = time.monotonic() + 20
        while True:
            verdict = self.page.eval(
                "[document.querySelector('#verdict').dataset.is, heading.innerText, meaning.innerText]"
            )
            if verdict[0] == how and heading in verdict[1] and meaning in verdict[2]:
                return
            assert time.monotonic() < until, verdict
            time.sleep(0.02)

    def checks(self) -> list[str]:
        """What each of the seven checks came to, in order."""
        return self.page.eval("[...document.querySelectorAll('#checks .how')].map((e) => e.innerText)")

    def facts(self) -> dict[str, str]:
        """What the page says that the entry says."""
        return self.page.eval(
            "Object.fromEntries([...document.querySelectorAll('#facts dt')]"
            ".map((e) => [e.innerText, e.nextElementSibling.innerText]))"
        )


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture
def desk(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    with browser.page(PAGE) as page:
        yield Desk(page, tmp_path)
        thrown = [event for event in browser.events if event["method"] in {"Runtime.exceptionThrown", "Log.entryAdded"}]
        assert thrown == []
        asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
        assert all(url == PAGE.as_uri() for url in asked), asked


ALL = ["fits"] * 7
NO_FILE = [*["fits"] * 6, "not checked"]


def test_a_genuine_receipt_with_its_file(desk: Desk) -> None:
    desk.says("none", "Nothing is verified yet.")
    desk.give(file=FILE)
    desk.says("good", f"Verified. This file is the one that was released as item {ITEM}.", "Every check was made.")
    assert desk.checks() == ALL
    facts = desk.facts()
    assert facts["When"] == "22 November 2026, 12:23:07 UTC, by the gateway’s clock"
    assert facts["File"].split() == ["SHA-256", hashlib.sha256(FILE).hexdigest()]
    assert facts["Its size"] == "25 bytes"
    assert facts["Campaign"] == "open-day"
    assert facts["Sealed"].startswith("1 name or text")
    assert facts["In the log"].startswith(f"entry 5 of {ORIGIN}, signed with 11 entries")
    assert desk.page.eval("entry.textContent") == leaf(5).decode()


def test_without_a_file_it_says_that_none_was_compared(desk: Desk) -> None:
    desk.give()
    desk.says("good", "The receipt is verified; no file was compared.", "A file was released to the device.")
    assert desk.checks() == NO_FILE
    assert "This file is" not in desk.page.text()


def test_a_refusal_says_by_which_rule(desk: Desk) -> None:
    desk.give(of(leaf(5, EventName.FILE_REFUSED)), file=FILE)
    desk.says("good", f"Verified. This file is the one that was refused as item {ITEM}.")
    assert desk.facts()["Because of"] == "rule «no-markings», clause G6 of the guidance"
    assert desk.facts()["By"] == f"u_{'7f' * 16}, a pseudonym"


def test_an_entry_that_names_no_file(desk: Desk) -> None:
    desk.give(of(leaf(5, EventName.CAMPAIGN_CLOSED, file=None)), file=FILE)
    desk.says("good", "The receipt is verified; no file was compared.", "«campaign.closed»")
    assert desk.checks() == NO_FILE


@pytest.mark.parametrize(
    "file", [FILE + b"\n", FILE[:-1], b"", b"w" + FILE[1:]], ids=["more", "less", "empty", "changed"]
)
def test_another_file(desk: Desk, file: bytes) -> None:
    desk.give(file=file)
    desk.says("bad", "This is not the file that the receipt names.", "never the original that was dropped")
    assert desk.checks() == [*["fits"] * 6, "does not fit"]


def flipped(text: bytes, line: int, at: int = 3) -> bytes:
    """One character of a base64 line exchanged; it stays base64."""
    lines = text.split(b"\n")
    changed = bytearray(lines[line])
    changed[at] = ord("B") if changed[at] == ord("A") else ord("A")
    lines[line] = bytes(changed)
    return b"\n".join(lines)


def signature_at(text: bytes) -> tuple[int, int]:
    lines = text.decode().split("\n")
    return len(lines) - 2, len(lines[-2].encode()) - 20


LEAF_OF_ANOTHER = of(leaf(5)).replace(
    base64.b64encode(leaf(5)), base64.b64encode(leaf(5, at="2026-11-22T12:23:07.477Z"))
)


@pytest.mark.parametrize(
    ("forged", "heading", "meaning"),
    [
        (LEAF_OF_ANOTHER, "the receipt does not stand", "does not show that this is entry 5"),
        (flipped(GOOD, 1, 80), "the receipt does not stand", "does not show that this is entry 5"),
        (flipped(GOOD, 3), "the receipt does not stand", "does not show that this is entry 5"),
        (flipped(GOOD, *signature_at(GOOD)), "the receipt does not stand", "The signature by"),
        (GOOD.replace(b"\n11\n", b"\n12\n"), "the receipt does not stand", "The signature by"),
        (GOOD.replace(b"index 5", b"index 4"), "the receipt does not stand", "does not show that this is entry 4"),
        (GOOD.replace(b"index 5", b"index 11"), "the receipt does not stand", "does not show that this is entry 11"),
        (GOOD.replace(b"index 5", b"index 05"), "the receipt does not stand", "This is not a receipt"),
        (GOOD.replace(b"@v1", b"@v2"), "the receipt does not stand", "This is not a receipt"),
        (GOOD + b"\n", "the receipt does not stand", "This is not a receipt"),
        (GOOD[:-1], "the receipt does not stand", "This is not a receipt"),
        (GOOD.replace(b"\n", b"\r\n"), "the receipt does not stand", "This is not a receipt"),
        (b"\xef\xbb\xbf" + GOOD, "the receipt does not stand", "This is not a receipt"),
        (b"", "the receipt does not stand", "This is not a receipt"),
        (b"\xff\xfe garbage \0", "the receipt does not stand", "it is not a text"),
        (random.Random(3).randbytes(3_000_000), "the receipt does not stand", "it is too large for one"),
        (of(leaf(6)), "the receipt does not stand", "calls itself number 6, but it lies in the log as number 5"),
        (of(leaf(5).replace(b'"v":1', b'"v": 1')), "the receipt does not stand", "not spelled in its one form"),
        (of(leaf(5).replace(AT.encode(), b"2026-02-30T12:00:00.000Z")), "the receipt does not stand", "its time"),
        (of(leaf(5), origin="other.example/log"), "the receipt does not stand", "is of the log other.example/log, but"),
        (of(leaf(5), signer=OTHER), "the receipt does not stand", "The receipt is of another log, or the key is."),
        (of(leaf(5), signer=FORGER), "the receipt does not stand", "if not, the receipt is forged."),
    ],
)  # fmt: skip
def test_what_does_not_stand(desk: Desk, forged: bytes, heading: str, meaning: str) -> None:
    desk.give(forged, file=FILE)
    desk.says("bad", f"Not verified: {heading}", meaning)
    assert desk.checks().count("does not fit") == 1
    assert desk.page.eval("told.hidden")  # nothing is told of what is not proven


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        (OTHER.vkey, "has not signed this receipt"),
        (FORGER.vkey, "if not, the receipt is forged."),
        (SIGNER.vkey.replace("+", "+0", 1), "This is not a verifier key."),
        (SIGNER.vkey[:-2] + "AA", "its number does not fit"),
        (V["witness_vkey"], "This is not the key of a log."),
        ("tests.example/audit/2026", "This is not a verifier key."),
    ],
)  # fmt: skip
def test_another_key(desk: Desk, key: str, meaning: str) -> None:
    desk.give(key=key, file=FILE)
    desk.says("bad", "Not verified", meaning)


def test_a_receipt_that_does_not_carry_its_entry(desk: Desk) -> None:
    bare = of(leaf(5), carried=False)
    desk.give(bare)
    desk.says("open", "Nothing is proven: the receipt does not carry its entry.")
    assert "fits" not in desk.checks()[4:]
    desk.give(bare, file=FILE)
    desk.says("bad", "Not verified", "the file is not it")
    desk.give(bare, file=leaf(5))
    desk.says("bad", "This is not the file")  # the entry is proven, and it names other bytes than its own


def test_the_vectors_of_300_entries(desk: Desk) -> None:
    key = (VECTORS / "log.vkey").read_text().strip()
    for number in (0, 200, 256, 299):
        proof, entry = (VECTORS / f"entry{number}.{end}" for end in ("tlog-proof", "bin"))
        desk.give(proof.read_bytes(), key, entry.read_bytes())
        desk.says(
            "open",
            "cannot read its entry",
            f"entry {number} of the log gateway.example/audit/2026, as it was signed with 300",
        )
        assert desk.checks() == [*["fits"] * 5, "not checked", "not checked"]
        desk.give(None, "", entry.read_bytes() + b"0")
        desk.says("bad", "Not verified")


def test_the_vectors_of_7_entries(desk: Desk) -> None:
    signer = Ed25519Signer(V["origin"], bytes.fromhex(V["log_seed"]))
    for index in range(7):
        made = receipt(naive.entries(7), index, signer=signer, origin=V["origin"])
        note = (VECTORS / "checkpoint.7").read_text()  # signed by a witness too
        desk.give(render_receipt(replace(made, note=note)).encode(), V["log_vkey"])
        desk.says(
            "open",
            "cannot read its entry",
            f"entry {index} of the log gateway.example/audit/2026, as it was signed with 7",
        )


@pytest.mark.slow
def test_it_accepts_what_the_program_accepts_and_nothing_else(desk: Desk) -> None:
    """Bytes exchanged, left out, doubled and put in, anywhere: both say the same of each."""
    rng = random.Random(20261122)
    forged = [GOOD]
    for _ in range(600):
        text, at = bytearray(GOOD), rng.randrange(len(GOOD))
        how = rng.randrange(4)
        if how == 0:
            text[at] = rng.randrange(256)
        elif how == 1:
            del text[at : at + rng.choice([1, 1, 4, 45])]
        elif how == 2:
            text[at:at] = text[at : at + rng.choice([1, 4, 45])]
        else:
            text[at] = rng.choice(b"\n =+/A0\xe2")
        forged.append(bytes(text))
    desk.give(None)
    desk.says("none", "Nothing is verified yet.", "The receipt is missing.")
    said = desk.page.eval(
        "(async () => { const said = [];"
        f"for (const text of {json.dumps([base64.b64encode(text).decode() for text in forged])}) {{"
        "  const held = new DataTransfer();"
        "  held.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], 'a.tlog-proof'));"
        "  heading.textContent = 'Checking …';"
        "  receipt.files = held.files; receipt.dispatchEvent(new Event('change'));"
        "  while (heading.textContent === 'Checking …') await new Promise((done) => setTimeout(done, 0));"
        "  said.push(document.querySelector('#verdict').dataset.is === 'good');"
        "} return said; })()"
    )
    assert said == [accepted(text) for text in forged]
    assert 1 <= sum(said) < 30


def accepted(text: bytes) -> bool:
    try:
        parsed = parse_receipt(text)
        entry, _ = open_receipt(parsed, [SIGNER.verifier])
        return parse_leaf(entry).index == parsed.index
    except (Tampered, NotSo):
        return False


# Everything that the page says from now on.
_WATCH = """
    window.said = [];
    const verdict = document.querySelector('#verdict');
    new MutationObserver(() => said.push([verdict.dataset.is, heading.innerText, meaning.innerText])).observe(
        verdict, {subtree: true, childList: true, characterData: true, attributes: true}
    );
    undefined
"""


@pytest.mark.slow
def test_a_large_file_is_read_in_pieces(browser: Browser, desk: Desk) -> None:
    size = 300 << 20
    large = desk.folder / "film.mp4"
    with large.open("wb") as file:
        file.truncate(size)
        file.seek(size - 1)
        file.write(b"\1")
    with large.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    entry = json.loads(leaf(5))
    entry["file"] = {"bytes": size, "sha256": digest}
    desk.give(of(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()))
    desk.says("good", "no file was compared")
    before = memory(browser, afresh=True)
    began = time.monotonic()
    desk.page.eval(_WATCH)  # by the page itself: on a fast machine it is over before it could be asked for
    desk.page.choose("#file", large)
    desk.page.wait(
        "document.querySelector('#verdict').dataset.is === 'good' && heading.innerText.includes('the one')", 120
    )
    desk.says("good", "Verified. This file is the one")
    said = desk.page.eval("said")
    assert any(how == "none" and "Checking" in heading and "film.mp4" in meaning for how, heading, meaning in said), (
        said
    )
    grown = memory(browser) - before
    print(f"{size >> 20} MiB in {time.monotonic() - began:.1f} s, {grown >> 20} MiB more memory at the most")
    assert grown < 64 << 20


def test_a_browser_that_reads_otherwise(browser: Browser, tmp_path: Path) -> None:
    """Without a stream into one's own buffer; a file of several pieces, the last one not whole."""
    without = "const read = ReadableStream.prototype.getReader;"
    without += (
        "ReadableStream.prototype.getReader = function (how) { if (how) throw new TypeError(); return read.call(this) }"
    )
    file = random.Random(7).randbytes((5 << 19) + 77)
    for before in (without, ""):
        with browser.page(PAGE, before=before) as page:
            desk = Desk(page, tmp_path / str(bool(before)))
            desk.folder.mkdir()
            desk.give(of(leaf(5, file=file)), file=file)
            desk.says("good", "Verified. This file is the one")


def test_a_file_that_changes_while_it_is_open(desk: Desk) -> None:
    path = desk.put("photo.jpg", FILE)
    desk.page.choose("#file", path)
    path.write_bytes(FILE * 2)
    desk.give()
    desk.says("open", "The receipt is verified; no file was compared.", "The file could not be read")
    assert desk.checks() == NO_FILE


def memory(browser: Browser, *, afresh: bool = False) -> int:
    """What all processes of the browser had at the most since this was asked `afresh`, or have now."""
    total = 0
    for process in browser.call("SystemInfo.getProcessInfo")["processInfo"]:
        folder = Path(f"/proc/{process['id']}")
        if afresh:
            (folder / "clear_refs").write_text("5")
        (found,) = re.findall(r"^VmHWM:\s+(\d+) kB$", (folder / "status").read_text(), re.MULTILINE)
        total += int(found) << 10
    return total


def test_what_is_given_anew_takes_back_what_was_said(desk: Desk) -> None:
    desk.give(file=FILE)
    desk.says("good", "Verified.")
    desk.page.choose("#file", desk.put("other.jpg", b"another"))
    desk.says("bad", "This is not the file")
    desk.page.choose("#file", desk.put("right.jpg", FILE))
    desk.says("good", "Verified.")
    desk.page.eval("key.value = ''; key.dispatchEvent(new Event('input'))")
    desk.says("none", "Nothing is verified yet.", "The verifier key is missing.")
    assert desk.page.eval("told.hidden && checked.hidden")
    desk.page.eval("again.click()")
    desk.says("none", "Nothing is verified yet.", "Open the receipt")
    assert desk.page.eval("[...document.querySelectorAll('input')].every((e) => !e.files.length) && !key.value")


def test_everything_can_be_dropped_anywhere(desk: Desk) -> None:
    three = [desk.put("a.tlog-proof", GOOD), desk.put("log.vkey", SIGNER.vkey.encode()), desk.put("photo.jpg", FILE)]
    desk.page.drop("h1", three)
    desk.says("good", "Verified. This file is the one")
    desk.page.drop("#field-file", [desk.put("b.tlog-proof", GOOD)])  # on a field, it is what the field asks for
    desk.says("bad", "This is not the file")
    assert "b.tlog-proof" in desk.page.eval("document.querySelector('#held-file').innerText")


def test_with_the_keyboard_alone(desk: Desk) -> None:
    order = []
    for _ in range(4):
        desk.page.press("Tab")
        order.append(desk.page.eval("document.activeElement.id"))
        if order[-1] == "key":
            desk.page.type(SIGNER.vkey)
    assert order == ["receipt", "key", "key-file", "file"]
    desk.give(key="")
    desk.says("good", "The receipt is verified")
    unnamed = "[...document.querySelectorAll('input, textarea')].filter((e) => !e.labels.length && !e.ariaLabel).length"
    assert desk.page.eval(unnamed) == 0


@pytest.mark.parametrize(
    ("before", "meaning"),
    [
        (
            "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined})",
            "Save it as a file and open that.",
        ),
        (
            "SubtleCrypto.prototype.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'))",
            "too old to check Ed25519 signatures",
        ),
    ],
    ids=["no secure context", "old browser"],
)
def test_a_browser_that_cannot_says_so(browser: Browser, tmp_path: Path, before: str, meaning: str) -> None:
    with browser.page(PAGE, before=before) as page:
        assert meaning in page.eval("notice.innerText")
        desk = Desk(page, tmp_path)
        desk.give(file=FILE)
        desk.says("open", "Not verified: this browser cannot check the signature.", meaning)
        assert desk.checks() == ["fits", "fits", *["not checked"] * 5]
        desk.give(GOOD[:-1])
        desk.says("bad", "Not verified: the receipt does not stand")  # what can be said is said


def test_its_policy_lets_nothing_else_run(browser: Browser, desk: Desk) -> None:
    desk.page.eval(
        "try { const added = document.createElement('script'); added.text = 'document.title = \"taken\"';"
        "document.body.append(added) } catch {}"
        "try { document.body.setAttribute('onclick', 'document.title = \"taken\"'); document.body.click() } catch {}"
        "fetch('https://example.org/').catch(() => {}); 0"
    )
    time.sleep(0.2)
    assert desk.page.eval("document.title") == "Check a transfer receipt"
    refused = [event for event in browser.events if event["method"] == "Log.entryAdded"]
    assert any("Content Security Policy" in event["params"]["entry"]["text"] for event in refused)
    browser.events.clear()


@pytest.mark.parametrize(
    ("was", "now"),
    [("if (root === null ||", "if (false && root === null ||"), ("catch {}", "catch {}}}}")],
    ids=["changed", "not understood"],
)
def test_a_page_that_was_changed_or_is_not_understood_says_that_it_has_not_started(
    browser: Browser, tmp_path: Path, was: str, now: str
) -> None:
    text = PAGE.read_text()
    assert was in text
    (tmp_path / "verify.html").write_text(text.replace(was, now))
    with browser.page(tmp_path / "verify.html", starts=False) as page:
        assert "This page has not started." in page.text()
        assert "Nothing is verified yet." in page.text()
        assert page.eval("document.documentElement.dataset.ready ?? ''") == ""
    browser.events.clear()


@pytest.mark.parametrize("width", [320, 390, 900])
def test_nothing_is_wider_than_the_screen(browser: Browser, tmp_path: Path, width: int) -> None:
    with browser.page(PAGE, width=width, dark=width == 390) as page:
        desk = Desk(page, tmp_path)
        desk.give(file=b"another")
        desk.says("bad", "This is not the file")
        assert page.eval("document.documentElement.scrollWidth") <= width


def test_colours_can_be_read() -> None:
    """WCAG AA, 4.5 to 1, of every text on what it stands on, in light and in dark."""
    palettes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", part)) for part in PAGE.read_text().split("@media (prefers")[:2]
    ]
    for colours in palettes:
        on = [(ink, ground) for ink in ("ink", "quiet", "accent") for ground in ("ground", "paper")]
        on += [(how, f"{how}-ground") for how in ("good", "bad", "open")] + [(how, "ground") for how in ("good", "bad")]
        on += [("ink", f"{how}-ground") for how in ("good", "bad", "open")]
        for ink, ground in on:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_the_page_and_the_document_are_sealed() -> None:
    """After a change: scripts/seal-verifier."""
    seal = runpy.run_path(str(TOP / "scripts" / "seal-verifier"))
    page, document = PAGE.read_text(), (TOP / "docs" / "auditing.md").read_text()
    assert seal["sealed"](page) == page
    assert seal["stated"](document, page) == document
    assert hashlib.sha256(PAGE.read_bytes()).hexdigest() in document
    for foreign in ("http://", "https://", "src=", "@import", "url(", "innerHTML", "eval("):
        assert foreign not in page
