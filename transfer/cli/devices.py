"""`transfer device`: the device's side; things are released to an enrolled device only (G2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import print_json, say, table

if TYPE_CHECKING:
    from transfer.model.identifiers import DeviceId
    from transfer.wiring import Site

DeviceArgument = Annotated[str, typer.Argument(metavar="ID", help="Its identifier, such as ipad-2.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The devices that may take from the release folder.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_devices)
    group.command("disable")(disable)
    app.add_typer(group, name="device")


def add(
    context: typer.Context,
    device: DeviceArgument,
    label: Annotated[str, typer.Option(metavar="TEXT", help="What people call it; else its identifier.")] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Enrol a dedicated device. An identifier is used once and never again."""
    from transfer.approvals.devices import add_device
    from transfer.model.identifiers import parse_device_id

    site = open_site(context, workspace)
    which = parse_device_id(device)
    with site.db.write() as tx:
        add_device(tx, which, label=label or device, by=None, desk=site.desk)
    if json:
        print_json({"device": _facts_of(site, which)})
        return
    say(f"{device} is enrolled.")
    if site.settings.release.device_id != which:
        say(f'To release to it, write device = "{device}" under [release] in {site.workspace.settings_file}')
        say("and restart the gateway.")


def disable(
    context: typer.Context, device: DeviceArgument, workspace: WorkspaceOption = None, json: JsonOption = False
) -> None:
    """Release nothing to a device any longer: it is lost, replaced or not to be trusted."""
    from transfer.approvals.devices import disable_device
    from transfer.model.identifiers import parse_device_id

    site = open_site(context, workspace)
    which = parse_device_id(device)
    with site.db.write() as tx:
        disable_device(tx, which, by=None, desk=site.desk)
    if json:
        print_json({"device": _facts_of(site, which)})
        return
    say(f"{device} is disabled.")
    if site.settings.release.device_id == which:
        say("It is the one that the settings name, so nothing is released until they name another.")


def list_devices(context: typer.Context, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the devices, and which one things are released to."""
    listed = _all(open_site(context, workspace))
    if json:
        print_json({"devices": listed})
        return
    table(
        ("device", "label", "since", "state"),
        ((one["device"], one["label"] or "(erased)", one["added_at"][:10], _state(one)) for one in listed),
        empty="No device is enrolled: `transfer device add`.",
    )


def _all(site: Site) -> list[dict[str, Any]]:
    """The devices as `--json` prints them (docs/formats/devices.schema.json)."""
    from transfer.model.clock import render_time

    with site.db.read() as tx:
        rows = site.desk.directory.devices(tx)
    return [
        {
            "device": row.device,
            "label": row.label,
            "added_at": render_time(row.added_at),
            "disabled_at": render_time(row.disabled_at) if row.disabled_at else None,
            "in_use": row.device == site.settings.release.device_id,
        }
        for row in rows
    ]


def _facts_of(site: Site, device: DeviceId) -> dict[str, Any]:
    return next(facts for facts in _all(site) if facts["device"] == device)


def _state(facts: dict[str, Any]) -> str:
    if facts["disabled_at"]:
        return f"disabled {facts['disabled_at'][:10]}"
    return "released to" if facts["in_use"] else "enrolled"
