"""Microsoft's SDK, whose models know every field of the real service, works with the emulator."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.credentials import AccessToken
from kiota_abstractions.base_request_configuration import RequestConfiguration
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.drives.item.items.item.create_upload_session.create_upload_session_post_request_body import (
    CreateUploadSessionPostRequestBody,
)
from msgraph.generated.models.drive_item import DriveItem
from msgraph.generated.models.drive_item_uploadable_properties import DriveItemUploadableProperties
from msgraph.generated.models.folder import Folder
from msgraph.generated.models.item_reference import ItemReference
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph_core import GraphClientFactory

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, group, person

pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")  # the SDK's own words

SAM = person("Sam")


class Credential:
    """A credential that has its token already."""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("sdk-token", 4102444800)

    async def close(self) -> None:
        """Nothing to close."""


def client(base_url: str) -> GraphServiceClient:
    http = GraphClientFactory.create_with_default_middleware(
        client=httpx.AsyncClient(base_url=base_url, trust_env=False)
    )
    provider = AzureIdentityAuthenticationProvider(
        Credential(), scopes=["https://graph.microsoft.com/.default"], allowed_hosts=["127.0.0.1"]
    )
    return GraphServiceClient(request_adapter=GraphRequestAdapter(provider, http))


Run = Callable[[Callable[[GraphServiceClient], Awaitable[Any]]], Any]


@pytest.fixture
def run(emulator: Emulator) -> Run:
    def whole(work: Callable[[GraphServiceClient], Awaitable[Any]]) -> Any:
        async def inside() -> Any:
            return await work(client(emulator.base_url))

        return asyncio.run(inside())

    return whole


@pytest.fixture
def drive(emulator: Emulator) -> Iterator[Drive]:
    drive = emulator.world.drive("library")
    emulator.world.sign_in("sdk-token", application("Gateway"), directory=True)
    emulator.world.allow("sdk-token", "fullcontrol", drive)
    return drive


def test_an_item_is_read_into_the_model(run: Run, drive: Drive) -> None:
    made = drive.by(SAM).put("in/clip.mp4", b"hello")
    item = run(lambda client: client.drives.by_drive_id(drive.id).items.by_drive_item_id(made.id).get())
    assert (item.name, item.size, item.file.hashes.quick_xor_hash) == ("clip.mp4", 5, made.hash)
    assert (item.created_by.user.id, item.created_by.user.additional_data["email"]) == (SAM.id, SAM.email)
    assert item.parent_reference.path.endswith("/root:/in")
    assert item.last_modified_date_time.tzinfo is not None
    assert item.e_tag == made.etag_header


def test_children_come_in_pages(run: Run, drive: Drive) -> None:
    for number in range(7):
        drive.by(SAM).put(f"in/{number}.jpg", b"x")

    async def work(client: GraphServiceClient) -> list[str]:
        children = client.drives.by_drive_id(drive.id).items.by_drive_item_id(drive.item("in").id).children
        query = type(children).ChildrenRequestBuilderGetQueryParameters(top=3)
        page = await children.get(request_configuration=RequestConfiguration(query_parameters=query))
        names = [item.name for item in page.value]
        while page.odata_next_link:
            page = await children.with_url(page.odata_next_link).get()
            names += [item.name for item in page.value]
        return names

    assert run(work) == [f"{number}.jpg" for number in range(7)]


@pytest.mark.parametrize("links", ["query", "function"])
def test_delta_is_followed_to_its_end_and_goes_on_from_there(
    run: Run, drive: Drive, emulator: Emulator, links: str
) -> None:
    emulator.world.switch(links=links, page_size=2)
    for number in range(5):
        drive.by(SAM).put(f"in/{number}.jpg", b"x")

    async def follow(client: GraphServiceClient, page: Any) -> tuple[list[DriveItem], str]:
        delta = client.drives.by_drive_id(drive.id).items.by_drive_item_id("root").delta
        found = list(page.value)
        while page.odata_next_link:
            page = await delta.with_url(page.odata_next_link).get()
            found += page.value
        return found, page.odata_delta_link

    async def work(client: GraphServiceClient) -> None:
        item = client.drives.by_drive_id(drive.id).items.by_drive_item_id("root")
        found, link = await follow(client, await item.delta.get())
        assert {entry.name for entry in found} == {"root", "in", *(f"{number}.jpg" for number in range(5))}
        latest = await item.delta_with_token("latest").get()
        assert (latest.value, bool(latest.odata_delta_link)) == ([], True)
        gone = drive.item("in/3.jpg")
        drive.by(SAM).remove(gone)
        drive.by(SAM).rename(drive.item("in/2.jpg"), "two.jpg")
        found, _ = await follow(client, await item.delta.with_url(link).get())
        by_id = {entry.id: entry for entry in found}
        assert by_id[gone.id].deleted is not None
        assert by_id[gone.id].name is None
        assert {entry.name for entry in found if entry.file and not entry.deleted} == {"two.jpg"}
        found, _ = await follow(client, await item.delta.with_url(latest.odata_delta_link).get())
        assert gone.id in {entry.id for entry in found}

    run(work)


def test_a_token_that_is_gone_is_a_410_with_a_location(run: Run, drive: Drive, emulator: Emulator) -> None:
    async def work(client: GraphServiceClient) -> None:
        delta = client.drives.by_drive_id(drive.id).items.by_drive_item_id("root").delta
        link = (await delta.get()).odata_delta_link
        emulator.world.forget_deltas("resyncChangesUploadDifferences")
        with pytest.raises(ODataError) as caught:
            await delta.with_url(link).get()
        assert (caught.value.response_status_code, caught.value.error.code) == (410, "resyncChangesUploadDifferences")
        again = await delta.with_url(caught.value.response_headers.get("Location")).get()
        assert [entry.name for entry in again.value] == ["root"]

    run(work)


def test_content_is_downloaded_from_the_other_host_without_the_token(
    run: Run, drive: Drive, emulator: Emulator
) -> None:
    content = bytes(range(256)) * 9000
    made = drive.by(SAM).put("in/clip.mp4", content)
    assert run(lambda c: c.drives.by_drive_id(drive.id).items.by_drive_item_id(made.id).content.get()) == content
    assert emulator.world.counted("content_bytes", token="sdk-token", drive=drive) == len(content)
    assert emulator.world.counted("leaked_authorization") == 0


def test_an_upload_session_is_made_filled_and_ended(run: Run, drive: Drive, emulator: Emulator, tmp_path: Path) -> None:
    folder, content = drive.by(SAM).folder("out"), b"0123456789" * 70_000

    async def work(client: GraphServiceClient) -> None:
        place = client.drives.by_drive_id(drive.id).items.by_drive_item_id(f"{folder.id}:/clip é.mp4:")
        body = CreateUploadSessionPostRequestBody()
        body.item = DriveItemUploadableProperties(name="clip é.mp4", file_size=len(content))
        body.item.additional_data = {"@microsoft.graph.conflictBehavior": "fail"}
        session = await place.create_upload_session.post(body)
        source = io.BytesIO(content)
        async with httpx.AsyncClient(trust_env=False) as http:
            for first in range(0, len(content), 327_680):
                chunk = source.read(327_680)
                ends = f"bytes {first}-{first + len(chunk) - 1}/{len(content)}"
                answer = await http.put(session.upload_url, content=chunk, headers={"Content-Range": ends})
                assert answer.status_code == (202 if first + len(chunk) < len(content) else 201)
        assert answer.json()["createdBy"] == {"application": application("Gateway").json()}

    run(work)
    assert drive.content("out/clip é.mp4") == content


def test_folders_moves_and_removals(run: Run, drive: Drive) -> None:
    made = drive.by(SAM).put("in/a.jpg", b"x")

    async def work(client: GraphServiceClient) -> None:
        items = client.drives.by_drive_id(drive.id).items
        body = DriveItem(name="aside", folder=Folder())
        aside = await items.by_drive_item_id("root").children.post(body)
        change = DriveItem(name="b.jpg", parent_reference=ItemReference(id=aside.id))
        moved = await items.by_drive_item_id(made.id).patch(change)
        assert moved.parent_reference.id == aside.id
        request = items.by_drive_item_id(made.id)
        stale = RequestConfiguration()
        stale.headers.add("If-Match", made.etag_header)
        with pytest.raises(ODataError) as caught:
            await request.delete(request_configuration=stale)
        assert caught.value.response_status_code == 412
        await request.delete()
        other = await items.by_drive_item_id("root").children.post(DriveItem(name="more", folder=Folder()))
        await items.by_drive_item_id(other.id).permanent_delete.post()

    run(work)
    assert drive.names("aside") == []
    assert drive.names() == ["aside", "in"]


def test_permissions_and_groups(run: Run, drive: Drive, emulator: Emulator) -> None:
    team, device = group("Team"), person("Device")
    emulator.world.member(team, SAM)
    made = drive.by(SAM).put("out/a.jpg", b"x")
    drive.permit(drive.item("out"), device)
    drive.permit(drive.item(), team, roles=("write",))
    drive.permit(made, device, roles=())
    drive.link(made, "edit", "anonymous")

    async def work(client: GraphServiceClient) -> None:
        item = client.drives.by_drive_id(drive.id).items.by_drive_item_id(made.id)
        found = (await item.permissions.get()).value
        shown = [(entry.roles, entry.granted_to_v2 and entry.granted_to_v2.user, entry.link) for entry in found]
        assert [roles for roles, _, _ in shown] == [[], ["write"], ["read"], ["write"]]
        assert shown[0][1].id == device.id
        assert (shown[1][2].type, shown[1][2].scope) == ("edit", "anonymous")
        assert found[3].granted_to_v2.group.id == team.id
        assert all(entry.inherited_from is None for entry in found)
        members = await client.groups.by_group_id(str(team.id)).transitive_members.get()
        assert [member.id for member in members.value] == [SAM.id]

    run(work)


def test_versions_say_who_wrote_each(run: Run, drive: Drive) -> None:
    device = person("Device")
    made = drive.by(device).put("in/a.jpg", b"one")
    drive.by(SAM).replace(made, b"more")
    found = run(lambda c: c.drives.by_drive_id(drive.id).items.by_drive_item_id(made.id).versions.get()).value
    assert [(version.last_modified_by.user.id, version.size) for version in found] == [(SAM.id, 4), (device.id, 3)]


def test_retries_of_the_sdk_get_through(run: Run, drive: Drive, emulator: Emulator) -> None:
    made = drive.by(SAM).put("in/a.jpg", b"x")
    emulator.world.fault("throttle", path=made.id, retry_after=1)
    item = run(lambda client: client.drives.by_drive_id(drive.id).items.by_drive_item_id(made.id).get())
    assert item.name == "a.jpg"
    assert [asked.status for asked in emulator.world.asked(path=made.id)] == [429, 200]
