"""`transfer preview`: the rebuilt file, pictures of it and a page that says what would be signed, for whoever signs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from transfer.cli.names import called, names_of
from transfer.cli.options import JsonOption, WorkspaceOption, open_site
from transfer.cli.output import hint, print_json, say
from transfer.errors import Misuse, NotSo, Tampered

if TYPE_CHECKING:
    from transfer.model.names import SafeName
    from transfer.model.states import CleanBlob, Held
    from transfer.store.register import ItemRow
    from transfer.wiring import Site

_CHUNK = 1 << 20
_FILE, _SHEET, _PAGE = "what would be released", "pictures of it, to look at first", "this page"
_BOTH = "what was in it and what is left, side by side"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    item: Annotated[str, typer.Argument(metavar="ITEM")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is not there.")],
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Write what an approver looks at before signing: the rebuilt file, pictures of it, and what they would sign."""
    from transfer.cli.before_after import before_and_after
    from transfer.model.identifiers import parse_item_id
    from transfer.model.states import Held

    site = open_site(context, workspace)
    which = parse_item_id(item)
    with site.db.read() as tx:
        row = site.register.row(tx, which)
        record = site.register.load(tx, which)
    if not isinstance(record, Held) or not site.blobs.has_clean(record.rebuilt.clean.sha256):
        raise NotSo(
            f"Item {which} is {row.state}; there is no rebuilt file of it that could be shown.",
            advice=f"`transfer show {which}` tells what happened to it.",
        )
    _make(folder, site)
    clean = record.rebuilt.clean
    name = _released_name(row, clean)
    _copy(site, clean, folder / name.text)
    files = {name.text: _FILE}
    sheet = folder / f"{which}-contact-sheet.jpg"
    drawn = _draw(site, clean, sheet)
    if drawn:
        files[sheet.name] = _SHEET
    like = _released_before(site, record, folder, sheet if drawn else None, files)
    both = folder / f"{which}-before-and-after.txt"
    _replace(both, before_and_after(record.rebuilt).encode())
    files[both.name] = _BOTH
    page = folder / f"{which}.txt"
    _replace(page, _page(site, row, record, files | {page.name: _PAGE}).encode())
    if json:
        print_json(_facts(row, record, name, sheet if drawn else None, page) | {"near_copy": like})
        return
    say(page.read_text(encoding="utf-8").rstrip())
    hint(f"This page and what it speaks of lie in {folder}.")
    if not drawn and clean.format.family.value != "text":
        hint("No contact sheet could be drawn of it in the sandbox: look at the file with care, or refuse it.")


def _facts(row: ItemRow, held: Held, name: SafeName, sheet: Path | None, page: Path) -> dict[str, Any]:
    """As `--json` prints it (docs/formats/preview.schema.json)."""
    from transfer.cli.items import reason_facts

    return {
        "item": row.item,
        "state": row.state.value,
        "waiting_for": row.waiting_for.value if row.waiting_for else None,
        "campaign": row.campaign,
        "file": name.text,
        "contact_sheet": sheet.name if sheet else None,
        "page": page.name,
        "sha256": held.rebuilt.clean.sha256,
        "bytes": held.rebuilt.clean.size,
        "media_type": held.rebuilt.clean.format.value,
        "original_sha256": held.rebuilt.examined.spooled.raw.sha256,
        "before_and_after": f"{row.item}-before-and-after.txt",
        "removed": list(held.rebuilt.rebuild.removed),
        "left": list(held.rebuilt.left),
        "policy_sha256": held.verdict.policy_sha256,
        "reasons": [reason_facts(reason) for reason in row.reasons],
    }


def _page(site: Site, row: ItemRow, held: Held, files: dict[str, str]) -> str:
    from transfer.approvals import campaigns
    from transfer.cli.brief import brief
    from transfer.model.media import Family

    clean = held.rebuilt.clean
    with site.db.read() as tx:
        listed = {each.row.campaign: each for each in campaigns.listing(tx, desk=site.desk)}
    campaign = listed.get(row.campaign) if row.campaign else None
    text = None
    if clean.format.family is Family.TEXT:
        with site.blobs.open_clean(clean.sha256) as content:
            text = content.read().decode("utf-8", "replace")
    return brief(
        row,
        held,
        policy=site.policy,
        campaign=campaign.row if campaign else None,
        words=campaign.words if campaign else {},
        submitter=called(row.submitter, names_of(site)),
        files=files,
        text=text,
    )


def _released_before(
    site: Site, held: Held, folder: Path, sheet: Path | None, files: dict[str, str]
) -> dict[str, str | None] | None:
    """What it looks like, if it looks like something that was released before: that file, and the two side by side."""
    from transfer.disarm.sheet import side_by_side
    from transfer.model.findings import Code
    from transfer.model.identifiers import parse_item_id
    from transfer.model.states import Held as Kept
    from transfer.wiring import build_pools

    near = [found for found in held.rebuilt.examined.findings if found.code is Code.NEAR_COPY]
    if not near:
        return None
    other = parse_item_id(str(near[0].detail["item"]))
    told: dict[str, str | None] = {"item": other, "file": None, "side_by_side": None}
    with site.db.read() as tx:
        record = site.register.load(tx, other)
    if not isinstance(record, Kept) or not site.blobs.has_clean(record.rebuilt.clean.sha256):
        return told
    clean = record.rebuilt.clean
    released = folder / f"{other}-released{clean.format.suffixes[0]}"
    _copy(site, clean, released)
    told["file"], files[released.name] = released.name, f"what it looks like: {other}, released before"
    theirs = folder / f"{other}-contact-sheet.jpg"
    if sheet is None or not _draw(site, clean, theirs):
        return told
    media, residue = build_pools(site.settings)
    with media, residue, media.lease() as child:
        drawn = side_by_side(
            sheet.read_bytes(), theirs.read_bytes(), child=child, residue=residue, limits=site.policy.limits
        )
    theirs.unlink()
    if drawn is not None:
        both = folder / f"{sheet.name.removesuffix('-contact-sheet.jpg')}-beside-{other}.jpg"
        _replace(both, drawn)
        told["side_by_side"], files[both.name] = both.name, "the two side by side"
    return told


def _released_name(row: ItemRow, clean: CleanBlob) -> SafeName:
    suffix = clean.format.suffixes[0]
    return row.name if row.name.suffix == suffix else row.name.with_suffix(suffix)


def _make(folder: Path, site: Site) -> None:
    """The folder; never one through which an unapproved file could go anywhere."""
    from transfer.store.durable import world_errors

    wanted = Path(os.path.realpath(folder))
    place = site.workspace
    sources = [source.folder for source in site.settings.folder_sources]
    own = (place.state, place.log, place.keys, place.feedback, place.receipts)
    for taken in (*site.settings.release.folders, *sources, *own):
        if wanted.is_relative_to(os.path.realpath(taken)):
            raise Misuse(
                f"{folder} lies in {taken}, where a preview has no place.",
                advice="Name a folder of your own, such as ./preview.",
                clauses=("G5", "G6"),
            )
    if wanted.exists() and not wanted.is_dir():
        raise Misuse(f"{folder} is not a folder.", advice="Name a new or existing folder.")
    with world_errors(f"making the folder {folder}"):
        wanted.mkdir(parents=True, exist_ok=True)


def _copy(site: Site, clean: CleanBlob, to: Path) -> None:
    """The rebuilt file, hashed on the way; never over another file."""
    import hashlib

    from transfer.store.durable import world_errors

    digest = hashlib.sha256()
    with site.blobs.open_clean(clean.sha256) as content, world_errors(f"writing {to}"):
        try:
            descriptor = os.open(to, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            _require_same(to, clean)
            return
        with os.fdopen(descriptor, "wb") as file:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
    if digest.hexdigest() != clean.sha256:
        to.unlink()
        raise Tampered(
            f"The stored file {clean.sha256[:12]}… has other bytes than its name says.",
            advice="Stop the gateway and run `transfer audit verify`; do not sign.",
            clauses=("G6",),
        )


def _require_same(path: Path, clean: CleanBlob) -> None:
    import hashlib

    same = False
    if path.is_file() and not path.is_symlink() and path.stat().st_size == clean.size:
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == clean.sha256
    if not same:
        raise Misuse(f"There is another file at {path}.", advice="Name an empty or new folder.")


def _draw(site: Site, clean: CleanBlob, to: Path) -> bool:
    from transfer.disarm.sheet import contact_sheet
    from transfer.model.media import Family
    from transfer.wiring import build_pools

    if clean.format.family is Family.TEXT:
        return False
    media, residue = build_pools(site.settings)
    with media, residue, media.lease() as child:
        drawn = contact_sheet(clean, child=child, residue=residue, blobs=site.blobs, limits=site.policy.limits)
    if drawn is not None:
        _replace(to, drawn)
    return drawn is not None


def _replace(path: Path, content: bytes) -> None:
    """A file that bears the item's identifier in its name is ours to write again."""
    from transfer.store.durable import world_errors

    with world_errors(f"writing {path}"):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
