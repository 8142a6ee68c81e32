"""What waits for one endpoint about one customer goes one after the other, to one worker at a time (K7, K8)."""

import asyncio
import json
import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from credits import bounds
from credits.webhooks.deliveries import Delivery, list_deliveries
from credits.webhooks.endpoints import Endpoint, remove_endpoint, set_enabled
from credits.webhooks.lanes import Attempt, Head, Lease, claim_lanes, leave, next_of, oldest_waiting, settle
from credits.webhooks.messages import Message
from credits.webhooks.outbox import tell_hot
from tests.credits.posting.till import Till
from tests.credits.webhooks.conftest import Desk

LEASE = timedelta(seconds=60)
NOW = timedelta(0)


class Worker:
    """Claims and sends, by hand."""

    def __init__(self, till: Till) -> None:
        self.database, self.workspace_id = till.database, till.workspace_id

    async def claim(self, under_way: dict[int, int] | None = None, lease: timedelta = LEASE) -> list[Lease]:
        async with self.database.hot(self.workspace_id) as connection:
            return await claim_lanes(connection, self.workspace_id, under_way or {}, lease)

    async def next(self, lease: Lease) -> Head | None:
        async with self.database.hot(self.workspace_id) as connection:
            return await next_of(connection, lease)

    async def settle(self, lease: Lease, head: Head, *, retry_in: timedelta | None = None, taken: bool = True):
        attempt = Attempt(head, taken, 200 if taken else 500, None if taken else "500: no", retry_in)
        async with self.database.hot(self.workspace_id) as connection:
            return await settle(connection, lease, attempt)

    async def leave(self, lease: Lease) -> bool:
        async with self.database.hot(self.workspace_id) as connection:
            return await leave(connection, lease)

    async def deliver(self, lease: Lease) -> list[str]:
        """Everything that waits in the lane; the bodies."""
        sent = []
        while (head := await self.next(lease)) is not None:
            sent.append(head.body)
            await self.settle(lease, head)
        return sent

    async def tell(self, customer_id: int, *facts: str) -> None:
        async with self.database.hot(self.workspace_id) as connection:
            now = await connection.fetchval("SELECT clock_timestamp()")
            told = [
                Message(self.workspace_id, "grant.created", now, f"{customer_id} {fact}", {"n": fact}, customer_id)
                for fact in facts
            ]
            await tell_hot(connection, told)


@pytest.fixture
async def worker(till: Till) -> Worker:
    return Worker(till)


async def log(till: Till, endpoint: Endpoint) -> list[Delivery]:
    async with till.database.transaction(till.workspace_id) as connection:
        return (await list_deliveries(connection, endpoint.number, 500))[::-1]


async def lanes(till: Till) -> list[Any]:
    return await till.rows("SELECT * FROM webhook_lanes ORDER BY customer_id, endpoint_id")


async def test_a_lane_is_leased_to_one_and_its_messages_go_in_order(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a", "b")
    await worker.tell(1, "c")
    await worker.tell(2, "x")
    leases = await worker.claim()
    assert sorted(lease.customer_id for lease in leases) == [1, 2]
    assert await worker.claim() == [], "leased"
    for lease in leases:
        bodies = await worker.deliver(lease)
        assert [json.loads(body)["data"]["n"] for body in bodies] == list("abc" if lease.customer_id == 1 else "x")
    assert [each.status for each in await log(till, endpoint)] == ["DELIVERED"] * 4
    assert await lanes(till) == [], "what is empty is gone"


async def test_the_next_message_waits_for_the_one_before_and_other_customers_do_not(desk: Desk, worker: Worker):
    await desk.endpoint()
    await worker.tell(1, "a", "b")
    (lease,) = await worker.claim()
    first = await worker.next(lease)
    assert first is not None
    settled = await worker.settle(lease, first, taken=False, retry_in=timedelta(hours=1))
    assert not settled.ours
    await worker.tell(1, "c")
    await worker.tell(2, "x")
    assert [each.customer_id for each in await worker.claim()] == [2]


async def test_a_failed_message_comes_again_first_with_the_same_id_and_its_next_step(desk: Desk, worker: Worker):
    await desk.endpoint()
    await worker.tell(1, "a", "b")
    (lease,) = await worker.claim()
    first = await worker.next(lease)
    assert first is not None
    await worker.settle(lease, first, taken=False, retry_in=NOW)
    (lease,) = await worker.claim()
    again = await worker.next(lease)
    assert again is not None
    assert (again.message_id, again.step) == (first.message_id, first.step + 1)


async def test_what_is_given_up_lets_the_next_one_go(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a", "b")
    (lease,) = await worker.claim()
    first = await worker.next(lease)
    assert first is not None
    assert (await worker.settle(lease, first, taken=False)).ours
    assert len(await worker.deliver(lease)) == 1
    given_up, delivered = await log(till, endpoint)
    assert (given_up.status, given_up.response_code, given_up.error) == ("FAILED", 500, "500: no")
    assert delivered.status == "DELIVERED"


async def test_a_worker_that_dies_loses_the_lease_and_changes_nothing_any_more(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a")
    (dead,) = await worker.claim(lease=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    (lease,) = await worker.claim()
    assert await worker.next(dead) is None
    mine = await worker.next(lease)
    assert mine is not None
    late = await worker.settle(dead, mine, taken=False)
    assert not late.ours
    assert [each.status for each in await log(till, endpoint)] == ["WAITING"]
    assert not await worker.leave(dead)
    assert (await worker.settle(lease, mine)).ours


async def test_an_endpoint_has_so_many_requests_under_way_and_others_have_their_own(desk: Desk, worker: Worker):
    one, other = await desk.endpoint(), await desk.endpoint()
    for customer in range(1, 12):
        await worker.tell(customer, "a")
    most = bounds.WEBHOOK_ENDPOINT_CONCURRENCY
    leases = await worker.claim({one.number: most - 1})
    assert sorted(lease.endpoint for lease in leases) == [one.number] + [other.number] * most
    assert await worker.claim({one.number: most, other.number: most + 3}) == []


async def test_an_endpoint_that_is_off_keeps_what_waits_and_goes_on_when_it_is_on(
    till: Till, desk: Desk, worker: Worker
):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a")
    (lease,) = await worker.claim()
    await switch(till, endpoint, enabled=False)
    assert await worker.next(lease) is None, "also in the middle of a lane"
    assert await worker.claim() == []
    await worker.tell(1, "b")  # nobody's
    await switch(till, endpoint, enabled=True)
    (lease,) = await worker.claim()
    assert len(await worker.deliver(lease)) == 1


async def switch(till: Till, endpoint: Endpoint, *, enabled: bool) -> None:
    async with till.database.transaction(till.workspace_id) as connection:
        found = await set_enabled(connection, endpoint.id, enabled=enabled, actor_id=None)
        assert isinstance(found, Endpoint)
        assert found.enabled is enabled


async def test_what_waits_for_an_endpoint_that_was_removed_is_never_sent(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a")
    (lease,) = await worker.claim()
    async with till.database.transaction(till.workspace_id) as connection:
        await remove_endpoint(connection, endpoint.id, actor_id=None)
    assert await worker.next(lease) is None
    assert await worker.claim() == []


async def test_an_endpoint_that_failed_for_days_and_nothing_else_is_hopeless(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a", "b", "c")
    (lease,) = await worker.claim()
    head = await worker.next(lease)
    assert head is not None
    assert not (await worker.settle(lease, head, taken=False)).hopeless
    await age(till, endpoint, timedelta(days=5))
    head = await worker.next(lease)
    assert head is not None
    assert (await worker.settle(lease, head, taken=False)).hopeless
    head = await worker.next(lease)
    assert head is not None
    await worker.settle(lease, head, taken=True)
    (row,) = await till.rows("SELECT failures, failing_since, last_delivery_at FROM webhook_endpoints")
    assert (row["failures"], row["failing_since"]) == (0, None)
    assert row["last_delivery_at"] is not None


async def age(till: Till, endpoint: Endpoint, by: timedelta) -> None:
    async with till.database.hot(till.workspace_id) as connection:
        changed = "UPDATE webhook_endpoints SET failing_since = failing_since - $2::interval WHERE id = $1"
        await connection.execute(changed, endpoint.number, by)


async def test_how_long_the_oldest_has_waited_is_known(till: Till, desk: Desk, worker: Worker):
    endpoint = await desk.endpoint()
    await worker.tell(1, "a", "b")
    async with till.database.hot(till.workspace_id) as connection:
        await connection.execute("UPDATE webhook_deliveries SET created_at = created_at - interval '90 seconds'")
    async with till.database.hot(till.workspace_id) as connection:
        count, age_s = await oldest_waiting(connection, till.workspace_id)
    assert count == 2
    assert 89 <= age_s <= 120
    await switch(till, endpoint, enabled=False)
    async with till.database.hot(till.workspace_id) as connection:
        assert await oldest_waiting(connection, till.workspace_id) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_forgotten_doubled_or_overtaken_while_many_tell_and_many_send(
    till: Till, desk: Desk, worker: Worker, seed: int
):
    """Told while lanes end, claimed while they are told, with failures, lost leases and workers that give up."""
    endpoints = [await desk.endpoint() for _ in range(2)]
    draw = random.Random(seed)
    customers, each = (1, 2, 3), 40
    sent: dict[tuple[int, int], list[str]] = defaultdict(list)
    telling = True

    async def tell(customer: int) -> None:
        for number in range(each):
            await worker.tell(customer, f"{number:03}")
            await asyncio.sleep(draw.uniform(0, 0.01))

    async def send() -> None:
        while telling or await lanes(till):
            for lease in await worker.claim(lease=timedelta(seconds=2)):
                while (head := await worker.next(lease)) is not None:
                    if draw.random() < 0.05:
                        await worker.leave(lease)
                        break
                    taken = draw.random() > 0.2
                    settled = await worker.settle(lease, head, taken=taken, retry_in=None if taken else NOW)
                    if taken and settled.ours:
                        sent[lease.customer_id, lease.endpoint].append(head.body)
                    if not settled.ours:
                        break
            await asyncio.sleep(draw.uniform(0, 0.005))

    senders = [asyncio.create_task(send()) for _ in range(4)]
    await asyncio.gather(*(tell(customer) for customer in customers))
    telling = False
    await asyncio.wait_for(asyncio.gather(*senders), 60)
    for customer in customers:
        for endpoint in endpoints:
            bodies = sent[customer, endpoint.number]
            assert len(bodies) == len(set(bodies)) == each
            assert [body.partition('"n":"')[2][:3] for body in bodies] == [f"{n:03}" for n in range(each)]
    assert {row["status"] for row in await till.rows("SELECT status FROM webhook_deliveries")} == {"DELIVERED"}
