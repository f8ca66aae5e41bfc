"""The commands by name, each loaded when it is asked for: the overview of them all reads no other module.

name ─▶ the module of `transfer.cli` whose `register` adds it, and its line in `transfer --help`
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Make a workspace: folders, keys, policy, settings and log."),
    "run": ("run", "Run the gateway and its guard, until Ctrl-C or for one round."),
    "status": ("items", "List the items, newest first."),
    "show": ("items", "Tell one item's whole life, with its entries in the log."),
    "preview": ("preview", "Write out what is to be signed: file, pictures, summary."),
    "check": ("check", "Say what would happen to files if they were dropped."),
    "review": ("reviews", "Sign that what holds an item for review is no obstacle."),
    "approve": ("approvals", "Sign that items are PUBLIC and may go."),
    "statement": ("approvals", "Print an approval, to be signed on another machine."),
    "sign": ("approvals", "Sign a statement; needs no workspace."),
    "refuse": ("decisions", "Refuse items that wait for approval."),
    "withdraw": ("decisions", "Take items back, released or not."),
    "pause": ("decisions", "Stop releasing at once, in an incident."),
    "resume": ("decisions", "Let releasing go on."),
    "campaign": ("campaigns", "Campaigns: propose, approve, close, list."),
    "people": ("people", "Submitters, approvers, auditors, operators: add, list, disable."),
    "device": ("devices", "The device's side: add, list, disable."),
    "policy": ("policy", "What may pass and why: check, show, explain."),
    "audit": ("audit", "The transfer log: verify, search, prove."),
    "backup": ("backup", "Copy everything that cannot be made again."),
    "restore": ("backup", "Put a backup back, after every byte of it was verified."),
    "doctor": ("doctor", "Try what should hold: kernel valve, scanner, keys, disk, clock."),
}
HIDDEN = {"process": "processes"}  # the processes of a running gateway, for the supervisor and for systemd


class Commands(TyperGroup):
    """The program's commands, none of them loaded before it is needed."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the framework's signature
        """Their names, in the order of the line."""
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the framework's signature
        """Writes the overview."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


class _Loaded(MutableMapping[str, Any]):
    """Loads a command's module at the first look at it."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            module = COMMANDS[name][0] if name in COMMANDS else HIDDEN[name]
            part = typer.Typer(rich_markup_mode=None, add_completion=False)
            importlib.import_module(f"transfer.cli.{module}").register(part)
            self._known |= typer.main.get_group(part).commands
        return self._known[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*COMMANDS, *HIDDEN))

    def __len__(self) -> int:
        return len(COMMANDS) + len(HIDDEN)
