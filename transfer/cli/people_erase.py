"""`transfer people erase`: somebody's name and texts go for good; the log keeps a pseudonym and still verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import paragraph, print_json, say
from transfer.errors import Misuse, NotSo

if TYPE_CHECKING:
    from transfer.erasing import Erased
    from transfer.model.identifiers import PersonId
    from transfer.wiring import Site


def erase(
    context: typer.Context,
    person: Annotated[str, typer.Argument(metavar="NAME", help="The person's name, or their pseudonym.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="Who you are: an operator or an approver.")] = "",
    ground: Annotated[
        str, typer.Option(metavar="TEXT", help="On what ground, such as a request and its date; without the name.")
    ] = "",
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Erase the name of somebody who was disabled, what they wrote and what their files were called, for good.

    An erasure that was interrupted is finished by the same command with the pseudonym.
    """
    from transfer import erasing
    from transfer.store.erasures import erased_people

    site = open_site(context, workspace)
    with site.db.read() as tx:
        which = erasing.find(tx, person, site=site).person
        before = which in erased_people(tx)
    done = erasing.resume(site, which) if before else erasing.erase(site, which, by=_who(site, name), ground=ground)
    if json:
        print_json(_facts(done))
        return
    _say(done)


def _who(site: Site, name: str) -> PersonId:
    from transfer.approvals import people

    if not name:
        raise Misuse("An erasure is entered with who did it.", advice="Say who you are with --as NAME.")
    with site.db.read() as tx:
        row = people.find(tx, name, desk=site.desk)
    if not {"operator", "approver"} & set(row.roles):
        raise NotSo(
            f"{row.name or row.person} is neither an operator nor an approver.",
            advice="An operator or an approver erases people.",
        )
    return row.person


def _facts(done: Erased) -> dict[str, Any]:
    """What was done, as `--json` prints it (docs/formats/erased.schema.json)."""
    return {
        "person": done.person,
        "entry": done.entry,
        "openings": done.openings,
        "words": done.words,
        "items": done.items,
        "still_shown": list(done.still_shown),
        "mentions": [{"shard": mention.shard, "entry": mention.entry} for mention in done.mentions],
        "copies": [
            {"shard": copy.shard, "entry": copy.entry, "event": copy.event, "at": copy.at} for copy in done.copies
        ],
    }


def _say(done: Erased) -> None:
    if done.entry is None:
        say(f"The erasure of {done.person} is finished.")
    else:
        say(f"Erased; the log knows {done.person} only, by entry {done.entry}:")
        say(f"  {done.openings} names and texts that the log's entries commit to")
        say(f"  {done.words} texts behind signed statements and drafts")
        say(f"  the names and places of {done.items} files")
    if done.still_shown:
        names = ", ".join(f"«{name}»" for name in done.still_shown)
        say(paragraph(f"Still on the device's side, under the name it has there: {names}. "
                      "It goes from here once it is withdrawn or removed."))  # fmt: skip
    if done.mentions:
        numbers = ", ".join(_place(done, mention.shard, mention.entry) for mention in done.mentions)
        say(paragraph(f"Texts that somebody else wrote have this name in them: see entries {numbers}."))
    if done.copies:
        say("Copies from before still hold the name; destroy them, or it lives on there:")
        for copy in done.copies:
            what = "backup" if copy.event == "backup.made" else "export"
            place = _place(done, copy.shard, copy.entry)
            say(f"  {what} of {copy.at[:19].replace('T', ' ')} UTC, entry {place}")
        say("Whoever restores one of them erases the name again, as soon as the newer log is taken over.")


def _place(done: Erased, shard: str, entry: int) -> str:
    """An entry by its number, with its shard if that is a sealed one."""
    return str(entry) if shard == done.running else f"{entry} of the shard {shard}"
