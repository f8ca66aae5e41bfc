"""The strict policy with a real clamd: what it finds is refused; while it is away everything waits and then goes on."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests import samples
from tests.clamd import dated, running_clamd
from tests.inspection.test_clamd import Talk, endless, says, server
from tests.system.place import Place, running, wait_for
from transfer.inspection.rule_files import read_rule_files
from transfer.inspection.scan import eicar
from transfer.model.states import State

pytestmark = pytest.mark.clamd


@pytest.fixture
def strict(place: Place) -> Place:
    """The workspace under the policy that demands a scanner."""
    text = place.workspace.policy_file.read_text()
    place.workspace.policy_file.write_text(text.replace('extends = "first-run"', 'extends = "university"'))
    assert 'extends = "university"' in place.workspace.policy_file.read_text()
    return place


def test_what_clamd_finds_is_refused_and_files_wait_while_it_is_away(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        address = folder / "front.sock"
        strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
        with running(strict):
            strict.drop("early.jpg", samples.jpeg(64, 64))
            wait_for(lambda: waits_for(strict, "early.jpg") == "scanner", 20, "the verdict without a scanner")
            item = strict.by_name("early.jpg").item
            answer = strict.command("approve", item, "--as", "helen", "--key", strict.key, "--public", "--risk", "low")
            assert answer.code == 1
            assert "waits for scanner" in answer.err

            with running_clamd(folder / "real") as real, dated(real, address):
                wait_for(lambda: waits_for(strict, "early.jpg") == "approval", 40, "the scanner's answer")
                strict.drop("virus.txt", eicar())
                wait_for(lambda: state_of(strict, "virus.txt") is State.REFUSED, 20, "the refusal")
                assert "malware" in strict.by_name("virus.txt").reasons[0].message.lower()

            strict.drop("late.txt", b"Back again\n")
            wait_for(lambda: waits_for(strict, "late.txt") == "scanner", 20, "the verdict without a scanner")
        assert strict.entries("file.approved") == []
        scans = [scan for entry in strict.entries("file.examined") for scan in entry["facts"]["scans"]]
        assert {scan["answer"] for scan in scans} == {"unavailable"}  # the infected one never reached a decoder
        strict.verify()


def test_old_signatures_count_as_no_scanner(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        address = folder / "front.sock"
        strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
        with running_clamd(folder / "real") as real, dated(real, address, days_old=60):
            strict.drop("photo.jpg", samples.jpeg(64, 64))
            strict.command("run", "--once", "--quiet")
            assert waits_for(strict, "photo.jpg") == "scanner"


def test_single_runs_scan_again_what_earlier_ones_could_not(strict: Place) -> None:
    with tempfile.TemporaryDirectory(prefix="clamd-") as short:
        folder = Path(short)
        address = folder / "front.sock"
        strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
        for name in ("first.jpg", "second.jpg"):
            strict.drop(name, samples.jpeg(64, 64, comment=name))
            strict.command("run", "--once", "--quiet")
        assert {waits_for(strict, name) for name in ("first.jpg", "second.jpg")} == {"scanner"}
        with running_clamd(folder / "real") as real, dated(real, address):
            assert strict.command("run", "--once", "--quiet").code == 0
        assert {waits_for(strict, name) for name in ("first.jpg", "second.jpg")} == {"approval"}
        strict.verify()


class TestLies:
    """Scanners that are no scanners, one after the other, before the same files; then a real one."""

    @pytest.mark.slow
    def test_nothing_passes_and_all_goes_on_by_itself(self, strict: Place) -> None:
        with tempfile.TemporaryDirectory(prefix="clamd-") as short:
            folder = Path(short)
            address = folder / "front.sock"
            strict.set("scanner", kind='"clamd"', socket=f'"{address}"', timeout_seconds="1")
            current = f"ClamAV 1.4.3/27000/{datetime.now(UTC):%a %b %e %H:%M:%S %Y}\n".encode()

            def after_version(talk: Talk) -> Talk:
                return lambda link, line: link.sendall(current) if line == b"nVERSION\n" else talk(link, line)

            lies: dict[str, Talk] = {
                "closes.jpg": lambda _link, _line: None,
                "nonsense.jpg": says(b"OK OK OK\n"),
                "endless.jpg": endless,
                "hangs.jpg": after_version(lambda _link, _line: threading.Event().wait(3)),
                "likes-everything.jpg": after_version(lambda link, _line: link.sendall(b"stream: OK\n")),
                "finds-everything-unsure.jpg": after_version(says(b"stream: Heuristics.Encrypted.Zip FOUND\n")),
            }
            with running(strict):
                for name, talk in lies.items():
                    with server(talk, at=address):
                        strict.drop(name, samples.jpeg(64, 64))
                        wait_for(lambda name=name: waits_for(strict, name) == "scanner", 30, name)  # type: ignore[misc]
                    address.unlink(missing_ok=True)
                assert strict.entries("file.approved") == []
                with running_clamd(folder / "real") as real, dated(real, address):
                    wait_for(lambda: {waits_for(strict, name) for name in lies} == {"approval"}, 60, "all go on")
            # What the scanner said in the end is in the log, beside what was not said in the beginning.
            answers = [
                scan["answer"] for entry in strict.entries("file.held") for scan in entry["facts"].get("scans", ())
            ]
            assert answers.count("clean") == 2 * len(lies)
            strict.verify()


def rules_at_work(folder: Path) -> str:
    return read_rule_files(folder).sha256


class TestYaraRules:
    """A folder of rules beside clamd, in the whole gateway."""

    @pytest.fixture
    def rules(self, strict: Place) -> Path:
        folder = strict.root / "yara"
        folder.mkdir()
        (folder / "ours.yar").write_text('rule ours { strings: $a = "forbidden fruit" condition: $a }\n')
        strict.set("scanner", yara='"yara"')
        return folder

    @pytest.mark.slow
    def test_both_have_to_say_clean_and_new_rules_look_at_what_is_held(self, strict: Place, rules: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="clamd-") as short:
            folder = Path(short)
            address = folder / "front.sock"
            strict.set("scanner", kind='"clamd"', socket=f'"{address}"')
            with contextlib.ExitStack() as stack:
                stack.enter_context(running(strict))
                strict.drop("early.txt", b"A cherry\n")
                wait_for(lambda: waits_for(strict, "early.txt") == "scanner", 30, "only one of two says clean")
                real = stack.enter_context(running_clamd(folder / "real"))
                stack.enter_context(dated(real, address))
                wait_for(lambda: waits_for(strict, "early.txt") == "approval", 60, "both pass their tests")
                strict.drop("good.txt", b"An apple a day\n")
                strict.drop("bad.txt", b"Have some forbidden fruit\n")
                wait_for(lambda: waits_for(strict, "good.txt") == "approval", 30, "the verdict")
                wait_for(lambda: state_of(strict, "bad.txt") is State.REFUSED, 30, "the refusal")
                reason = strict.by_name("bad.txt").reasons[0]
                assert "malware" in reason.message.lower()
                (refusal,) = strict.entries("file.refused")
                detail = {"threat": "ours.yar/ours", "scanner": "yara"}
                assert refusal["facts"]["findings"] == [{"code": "malware", "detail": detail}]
                _, examined = strict.entries("file.examined")
                assert [scan["scanner"] for scan in examined["facts"]["scans"]] == ["clamd", "yara"]
                assert examined["facts"]["scans"][1]["signatures"].endswith(f"rules {rules_at_work(rules)}")

                (rules / "broken.yar").write_text("rule broken {")
                strict.drop("meanwhile.txt", b"A pear\n")
                wait_for(lambda: waits_for(strict, "good.txt") == "approval", 30, "nothing happens to it")
                time.sleep(8)
                strict.drop("then.txt", b"A plum\n")
                wait_for(lambda: waits_for(strict, "then.txt") == "scanner", 30, "no rules, no verdict")
                (rules / "broken.yar").write_text('rule apples { strings: $a = "apple" condition: $a }')
                wait_for(lambda: waits_for(strict, "then.txt") == "approval", 40, "the rules are back")
                wait_for(lambda: state_of(strict, "good.txt") is State.REFUSED, 40, "the new rule's refusal")
            strict.verify()

    def test_a_broken_rule_file_stops_the_start_with_its_line(self, strict: Place, rules: Path) -> None:
        (rules / "broken.yar").write_text("rule one { condition: true }\nrule two { condition: $x }\n")
        answer = strict.command("run", "--once")
        assert answer.code == 2
        assert "broken.yar, line 2, is wrong: unknown pattern" in " ".join(answer.err.split())
        assert strict.command("doctor").code == 2

    def test_doctor_tries_the_rules(self, strict: Place, rules: Path) -> None:
        answer = strict.command("doctor")
        assert "are at work and find the test file" in " ".join(answer.out.split())
        assert "No malware scanner is set up" in " ".join(answer.out.split())

    def test_rules_alone_are_no_malware_scan(self, strict: Place, rules: Path) -> None:
        strict.drop("good.txt", b"An apple a day\n")
        strict.command("run", "--once", "--quiet")
        assert waits_for(strict, "good.txt") == "scanner"


def state_of(place: Place, name: str) -> State | None:
    """None until it is taken up."""
    return next((row.state for row in place.rows() if row.name.text == name), None)


def waits_for(place: Place, name: str) -> str | None:
    """What a held item waits for; None until then."""
    return next((row.waiting_for for row in place.rows() if row.name.text == name), None)
