"""Endpoints and their log: made within bounds, told to the audit log, replayed by hand, forgotten in time."""

from datetime import timedelta
from typing import Any

import pytest

from credits import bounds
from credits.audit.log import Act, list_acts
from credits.errors import InvalidInput, NotFound
from credits.webhooks.deliveries import forget, list_deliveries, replay
from credits.webhooks.endpoints import Endpoint, list_endpoints, remove_endpoint, rotate_secret, set_enabled
from credits.webhooks.signing import secret_of
from credits.workspaces import ensure_workspace
from tests.credits.posting.till import Till, open_till
from tests.credits.webhooks.conftest import PEPPER, Desk
from tests.credits.webhooks.test_webhook_lanes import Worker, log

DAY = timedelta(days=1)


async def acts(till: Till, subject: str) -> list[Act]:
    async with till.database.transaction(till.workspace_id) as connection:
        found, _ = await list_acts(connection, [subject], 50, None)
    return [each.act for each in found[::-1]]


async def test_an_endpoint_is_made_with_a_secret_that_the_table_does_not_hold(till: Till, desk: Desk):
    endpoint, secret = await desk.try_endpoint("hold.lapsed", "*", url="https://hooks.example/T0P/s3cret?key=1")
    assert secret == secret_of(endpoint.salt, PEPPER)
    assert endpoint.events == ("*", "hold.lapsed")
    (row,) = await till.rows("SELECT webhook_endpoints::text AS everything FROM webhook_endpoints")
    assert secret.removeprefix("whsec_") not in row["everything"]
    (act,) = await acts(till, endpoint.id)
    assert act.action == "webhookEndpoint.created"
    assert "https://hooks.example" in act.after
    assert "s3cret" not in act.after, "paths of such URLs are passwords"


async def test_there_are_at_most_so_many_endpoints(desk: Desk):
    for _ in range(bounds.WEBHOOK_ENDPOINTS_MAX):
        await desk.endpoint()
    refused = await desk.try_endpoint()
    assert isinstance(refused, InvalidInput)
    assert refused.field == "url"


async def test_unknown_events_make_no_endpoint(till: Till, desk: Desk):
    refused = await desk.try_endpoint("grant.created", "grant.creatd")
    assert isinstance(refused, InvalidInput)
    assert refused.field == "events"
    assert "'grant.creatd'" in refused.message
    assert await till.rows("SELECT 1 AS one FROM webhook_endpoints") == []


async def test_a_rotated_secret_signs_with_the_one_before_and_a_second_rotation_ends_the_first(till: Till, desk: Desk):
    endpoint = await desk.endpoint()
    worker = Worker(till)
    salts = [endpoint.salt]
    for _ in range(2):
        async with till.database.transaction(till.workspace_id) as connection:
            rotated = await rotate_secret(connection, endpoint.id, pepper=PEPPER, actor_id=None)
        assert not isinstance(rotated, NotFound)
        salts.append(rotated[0].salt)
        assert rotated[1] == secret_of(salts[-1], PEPPER)
    assert len(set(salts)) == 3
    await worker.tell(1, "a")
    (lease,) = await worker.claim()
    head = await worker.next(lease)
    assert head is not None
    assert list(head.salts) == salts[:0:-1]
    async with till.database.hot(till.workspace_id) as connection:
        await connection.execute("UPDATE webhook_endpoints SET rotated_at = rotated_at - interval '24 hours'")
    head = await worker.next(lease)
    assert head is not None
    assert list(head.salts) == salts[-1:]
    told = [act.action for act in await acts(till, endpoint.id)]
    assert told == ["webhookEndpoint.created", "webhookEndpoint.rotated", "webhookEndpoint.rotated"]


async def test_switching_and_removing_are_told_once_each(till: Till, desk: Desk):
    endpoint = await desk.endpoint()
    async with till.database.transaction(till.workspace_id) as connection:
        for enabled in (True, False, False, True):
            assert isinstance(await set_enabled(connection, endpoint.id, enabled=enabled, actor_id=None), Endpoint)
        await remove_endpoint(connection, endpoint.id, actor_id=None)
        assert isinstance(await remove_endpoint(connection, endpoint.id, actor_id=None), NotFound)
        assert await list_endpoints(connection) == []
    ended = [act.action.partition(".")[2] for act in await acts(till, endpoint.id)]
    assert ended == ["created", "disabled", "enabled", "removed"]


@pytest.mark.parametrize("name", ["whe_zzzz", "whe_", "whe_zzzzzzzzzzzz", "pol_1", "", "whe_1_1"])
async def test_what_is_no_endpoint_is_not_found_and_changes_no_configuration(till: Till, desk: Desk, name: str):
    await desk.endpoint()
    before = await till.rows("SELECT config_version FROM workspaces")
    async with till.database.transaction(till.workspace_id) as connection:
        for found in (
            await remove_endpoint(connection, name, actor_id=None),
            await rotate_secret(connection, name, pepper=PEPPER, actor_id=None),
            await set_enabled(connection, name, enabled=False, actor_id=None),
        ):
            assert found == NotFound("no such webhook endpoint")
    assert await till.rows("SELECT config_version FROM workspaces") == before


async def test_what_is_another_workspaces_is_not_there(till: Till, desk: Desk, database: Any, owner_url: str):
    endpoint = await desk.endpoint()
    await till.must(till.grant("1"))
    (delivery,) = await log(till, endpoint)
    name = await ensure_workspace(database, f"{till.workspace_id}-stranger", test_mode=True, now=await till.now())
    async with (
        open_till(database, owner_url, name) as stranger,
        database.transaction(stranger.workspace_id) as connection,
    ):
        assert await list_endpoints(connection) == []
        assert await list_deliveries(connection, endpoint.number, 50) == []
        for found in (
            await remove_endpoint(connection, endpoint.id, actor_id=None),
            await rotate_secret(connection, endpoint.id, pepper=PEPPER, actor_id=None),
            await set_enabled(connection, endpoint.id, enabled=False, actor_id=None),
            await replay(connection, delivery.id, actor_id=None),
        ):
            assert isinstance(found, NotFound)
    assert [each.status for each in await log(till, endpoint)] == ["WAITING"]


# ─── once more, by hand ────────────────────────────────────────────────────────────────────────────
async def send(worker: Worker) -> list[str]:
    return [body for lease in await worker.claim() for body in await worker.deliver(lease)]


async def replayed(till: Till, name: str) -> Any:
    async with till.database.transaction(till.workspace_id) as connection:
        return await replay(connection, name, actor_id=None)


async def test_what_was_delivered_or_given_up_goes_once_more_under_its_own_id(till: Till, desk: Desk):
    endpoint, worker = await desk.endpoint(), Worker(till)
    await worker.tell(1, "a")
    first = await send(worker)
    (delivered,) = await log(till, endpoint)
    again = await replayed(till, delivered.id)
    assert (again.status, again.message_id, again.attempts) == ("WAITING", delivered.message_id, 1)
    assert await send(worker) == first
    (twice,) = await log(till, endpoint)
    assert (twice.status, twice.attempts) == ("DELIVERED", 2)
    (act,) = await acts(till, delivered.id)
    assert act.action == "webhookDelivery.replayed"


async def test_what_waits_for_its_next_attempt_is_tried_at_once_and_from_the_beginning(till: Till, desk: Desk):
    endpoint, worker = await desk.endpoint(), Worker(till)
    await worker.tell(1, "a")
    (lease,) = await worker.claim()
    head = await worker.next(lease)
    assert head is not None
    await worker.settle(lease, head, taken=False, retry_in=DAY)
    assert await worker.claim() == []
    (waiting,) = await log(till, endpoint)
    assert waiting.next_at is not None
    await replayed(till, waiting.id)
    (lease,) = await worker.claim()
    again = await worker.next(lease)
    assert again is not None
    assert again.step == 0


async def test_a_replay_leaves_a_lane_to_whoever_is_sending_in_it(till: Till, desk: Desk):
    endpoint, worker = await desk.endpoint(), Worker(till)
    await worker.tell(1, "a", "b")
    (lease,) = await worker.claim()
    head = await worker.next(lease)
    assert head is not None
    await worker.settle(lease, head)
    await replayed(till, (await log(till, endpoint))[0].id)
    assert await worker.claim() == []
    assert len(await worker.deliver(lease)) == 2


@pytest.mark.parametrize("name", ["whd_1_zzzz", "whd_zzzz_1", "whd_1", "whe_1", "", "whd_1_3w5e11264sgsf"])
async def test_what_is_no_delivery_is_not_found(till: Till, name: str):
    assert await replayed(till, name) == NotFound("no such webhook delivery")


async def test_of_a_removed_endpoint_nothing_is_replayed(till: Till, desk: Desk):
    endpoint, worker = await desk.endpoint(), Worker(till)
    await worker.tell(1, "a")
    (delivery,) = await log(till, endpoint)
    async with till.database.transaction(till.workspace_id) as connection:
        await remove_endpoint(connection, endpoint.id, actor_id=None)
    assert isinstance(await replayed(till, delivery.id), NotFound)


# ─── forgotten ─────────────────────────────────────────────────────────────────────────────────────
async def clean(till: Till) -> int:
    gone = 0
    while True:
        async with till.database.hot(till.workspace_id) as connection:
            just = await forget(connection, till.workspace_id)
        if not just:
            return gone
        gone += just


async def grow_old(till: Till, by: timedelta) -> None:
    async with till.database.hot(till.workspace_id) as connection:
        await connection.execute(
            "UPDATE webhook_deliveries SET created_at = created_at - $1::interval, closed_at = closed_at - $1::interval",
            by,
        )
    owner = await till.as_owner()
    await owner.execute("SET session_replication_role = replica")  # messages are never changed, but for this
    await owner.execute("UPDATE webhook_messages SET created_at = created_at - $1::interval", by)
    await owner.close()


async def left(till: Till) -> tuple[int, int, int]:
    tables = ("webhook_messages", "webhook_deliveries", "webhook_lanes")
    counts = [(await till.rows(f"SELECT count(*) AS n FROM {table}"))[0]["n"] for table in tables]
    return (counts[0], counts[1], counts[2])


async def test_what_was_delivered_is_shown_for_a_month_and_what_waits_is_kept(
    till: Till, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bounds, "WEBHOOK_FORGOTTEN_AT_ONCE", 2)
    await desk.endpoint()
    worker = Worker(till)
    await worker.tell(1, "a", "b", "c", "d", "e")
    await send(worker)
    await worker.tell(2, "x")
    await grow_old(till, timedelta(days=29))
    assert await clean(till) == 0
    await grow_old(till, timedelta(days=1, seconds=1))
    assert await clean(till) == 10
    assert await left(till) == (1, 1, 1)


async def test_what_waits_for_nobody_is_let_go(till: Till, desk: Desk):
    off, removed = await desk.endpoint(), await desk.endpoint()
    await Worker(till).tell(1, "a", "b")
    async with till.database.transaction(till.workspace_id) as connection:
        await set_enabled(connection, off.id, enabled=False, actor_id=None)
        await remove_endpoint(connection, removed.id, actor_id=None)
    await clean(till)
    assert await left(till) == (2, 2, 1), "what waits for one that is off may be wanted yet"
    await grow_old(till, timedelta(days=31))
    await clean(till)
    assert await left(till) == (0, 0, 1)
