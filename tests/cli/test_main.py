"""The program as a whole: what its overview says, what it loads, and how it ends."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import transfer.cli
from tests.cli.rooms import Room, call
from transfer.cli import audit
from transfer.cli.catalogue import COMMANDS, HIDDEN
from transfer.cli.main import app

# The modules of this name add to the group of `transfer audit`.
PART = "audit_"
HEAVY = (
    "sqlalchemy", "pydantic", "PIL", "av", "cryptography", "rich", "structlog", "watchdog", "msgraph", "msgraph_core",
    "kiota_abstractions", "kiota_http", "azure", "httpx",
)  # fmt: skip


def test_the_catalogue_has_every_command_of_every_module() -> None:
    added: dict[str, str] = {}
    of_audit: set[str] = set()
    for found in pkgutil.iter_modules(transfer.cli.__path__):
        module = importlib.import_module(f"transfer.cli.{found.name}")
        if hasattr(module, "register"):
            part = typer.Typer()
            module.register(part)
            names = _commands(part)
            if found.name.startswith(PART):
                of_audit |= names
            else:
                added |= dict.fromkeys(names, found.name)
    assert added == {name: module for name, (module, _) in COMMANDS.items()} | HIDDEN
    program = typer.Typer()
    audit.register(program)
    assert of_audit
    assert of_audit <= _commands(program.registered_groups[0].typer_instance)


def _commands(part: typer.Typer | None) -> set[str]:
    assert part is not None
    group = typer.main.get_group(part)
    return set(group.commands)


def test_the_overview_fits_a_terminal_and_hides_what_is_not_for_people() -> None:
    told = call("--help").out
    for name, (_, line) in COMMANDS.items():
        assert f"  {name}" in told
        assert line in told
    assert "process" not in told
    assert max(map(len, told.splitlines())) <= 80


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    answer = call(name, "-h")
    assert answer.code == 0
    assert answer.out.startswith("Usage: ")


def test_the_overview_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom transfer.cli.main import main\nsys.argv = ['transfer', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"sys.stderr.write(' '.join(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "status" in done.stdout


def test_a_command_loads_no_other_commands_module() -> None:
    group = typer.main.get_command(app)
    known = group.commands  # type: ignore[attr-defined]  # it is a group
    assert known["status"].name == "status"
    with pytest.raises(KeyError):
        known["no-such-command"]


def test_the_workspace_may_stand_before_the_command(room: Room) -> None:
    assert call("-w", room.root, "device", "list", "--json").json == room.must("device", "list", "--json").json


def test_an_unknown_command_is_misuse() -> None:
    answer = call("aprove")
    assert answer.code == 2
    assert "No such command 'aprove'" in answer.err
    assert "approve" in answer.err


def test_no_workspace_is_misuse_with_an_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRANSFER_WORKSPACE", raising=False)
    answer = call("status")
    assert answer.code == 2
    assert "There is no transfer.toml" in answer.err
    assert "--workspace" in answer.err


def test_a_path_cannot_play_with_the_terminal(tmp_path: Path) -> None:
    answer = call("status", "-w", tmp_path / "\x1b]0;owned\x07\u202e")
    assert answer.code == 2
    assert "\x1b" not in answer.err
    assert "\u202e" not in answer.err
