"""The sender, against a real receiver: signed, retried, in order, one at a time, and never held up by one who is slow."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import WebhookVerificationError

from credits import bounds
from credits.customers.customers import upsert_customer
from credits.db import Database
from credits.webhooks.addresses import networks
from credits.webhooks.deliveries import Delivery, list_deliveries, replay
from credits.webhooks.endpoints import Endpoint, create_endpoint, list_endpoints, rotate_secret
from credits.workspaces import ensure_workspace
from server import metrics
from server.outgoing import Outgoing
from server.webhooks import Sender, sending
from tests.credits.posting.till import Till, open_till
from tests.harness.receiver import Answer, Received, Receiver, receiving

PEPPER = "a server's secret key"
QUICK = [timedelta(milliseconds=20)] * 9
LOCAL = networks(["127.0.0.0/8"])


@dataclass
class Post:
    """A workspace, and senders as of several processes."""

    till: Till
    opened: list[tuple[Sender, Outgoing]] = field(default_factory=list)
    secrets: dict[int, str] = field(default_factory=dict)

    def sender(self, **more: Any) -> Sender:
        outgoing = Outgoing(LOCAL)
        sender = Sender(self.till.database, outgoing, **{"pepper": PEPPER, "schedule": QUICK, **more})
        self.opened.append((sender, outgoing))
        return sender

    async def endpoint(self, receiver: Receiver, *events: str) -> Endpoint:
        async with self.till.database.transaction(self.till.workspace_id) as connection:
            more: dict[str, Any] = {"url": receiver.url, "events": events or ("*",), "pepper": PEPPER}
            made = await create_endpoint(connection, self.till.workspace_id, **more, actor_id=None)
        assert isinstance(made, tuple), made
        self.secrets[made[0].number] = made[1]
        return made[0]

    async def log(self, endpoint: Endpoint) -> list[Delivery]:
        async with self.till.database.transaction(self.till.workspace_id) as connection:
            return (await list_deliveries(connection, endpoint.number, 500))[::-1]

    async def seen(self, endpoint: Endpoint) -> Endpoint:
        async with self.till.database.transaction(self.till.workspace_id) as connection:
            return next(each for each in await list_endpoints(connection) if each.number == endpoint.number)

    async def grant(self, count: int = 1, customer: str = "acme") -> None:
        for _ in range(count):
            await self.till.must(self.till.grant("1", customer))

    async def until_settled(self, endpoint: Endpoint, within_s: float = 30) -> list[Delivery]:
        """Once nothing waits any more."""
        async with asyncio.timeout(within_s):
            while True:
                found = await self.log(endpoint)
                if all(each.status != "WAITING" for each in found):
                    return found
                await asyncio.sleep(0.05)


@pytest.fixture
async def post(database_url: str) -> AsyncIterator[Post]:
    database = await Database.connect(database_url)
    name = await ensure_workspace(database, f"told-{uuid4()}", test_mode=True, now=datetime.now(UTC))
    async with open_till(database, database_url, name) as till:
        opened = Post(till)
        yield opened
        for sender, outgoing in opened.opened:
            await sender.close()
            await outgoing.close()
    await database.close()


async def test_a_message_is_signed_so_that_the_library_of_a_receiver_takes_it(post: Post):
    async with receiving() as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver, "grant.created")
        await post.grant()
        (received,) = await receiver.until(1)
        told = received.verify(post.secrets[endpoint.number])
        assert told["type"] == "grant.created"
        assert told["data"]["customer"] == "acme"
        assert received.headers["content-type"] == "application/json"
        with pytest.raises(WebhookVerificationError):
            received.verify("whsec_" + "A" * 43 + "=")
        (delivery,) = await post.until_settled(endpoint)
        assert (delivery.message_id, delivery.status, delivery.response_code) == (received.id, "DELIVERED", 204)
        assert (await post.seen(endpoint)).last_delivery_at is not None


async def test_the_timestamp_is_real_time_also_where_the_workspaces_clock_is_ahead(post: Post):
    await post.till.jump(timedelta(days=400))
    async with receiving() as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver)
        await post.grant()
        (received,) = await receiver.until(1)
        told = received.verify(post.secrets[endpoint.number])  # refused by 301 s
        ahead = datetime.fromisoformat(told["timestamp"]) - datetime.now(UTC)
        assert ahead > timedelta(days=399), "what it tells of happened by the workspace's clock"


async def test_order_per_customer_holds_under_a_shuffle_of_failures(post: Post):
    """S-shaped: every third attempt or so fails in one of many ways; a message never comes before the one it follows
    was taken, and all are taken in the end, each once."""
    draw = random.Random(7)

    async def moody(_: Received) -> Answer:
        await asyncio.sleep(draw.uniform(0, 0.01))
        return draw.choice((200, 204, 204, 204, 500, 503, 302, 404, 429))

    async with receiving(moody) as receiver, sending(post.sender(schedule=QUICK * 5)), sending(post.sender()):
        endpoint = await post.endpoint(receiver, "grant.created", "balance.depleted")
        for _ in range(8):
            for customer in ("acme", "other"):
                await post.grant(1, customer)
                await post.till.must(post.till.burn("1", customer))
        await post.until_settled(endpoint, 60)
    order: dict[str, list[int]] = defaultdict(list)
    for received in receiver.taken:
        order[received.data["customer"]].append(received.data["version"])
    delivered = [each for each in await post.log(endpoint) if each.status == "DELIVERED"]
    assert len(delivered) >= 30, "most of them"
    assert Counter(received.id for received in receiver.taken) == Counter(each.message_id for each in delivered)
    for versions in order.values():
        assert versions == sorted(versions)


async def test_what_is_not_taken_is_tried_again_on_schedule_and_given_up_at_its_end(post: Post):
    async def never(_: Received) -> Answer:
        return 500, {}, b"out\x00 of\r\n order"

    async with receiving(never) as receiver, sending(post.sender(schedule=[timedelta(milliseconds=10)] * 2)):
        endpoint = await post.endpoint(receiver, "grant.created")
        await post.grant(2)
        first, second = await post.until_settled(endpoint)
    for delivery in (first, second):
        assert (delivery.status, delivery.attempts, delivery.response_code) == ("FAILED", 3, 500)
        assert delivery.error == "500: out of order"
    ids = [received.id for received in receiver.received]
    assert ids == [first.message_id] * 3 + [second.message_id] * 3, "the second waits until the first is given up"
    assert (await post.seen(endpoint)).failures == 6


async def test_a_receiver_that_asks_for_patience_is_given_it(post: Post):
    async def busy(_: Received) -> Answer:
        return (429, {"Retry-After": "2"}, b"") if len(receiver.received) == 1 else 204

    async with receiving(busy) as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver)
        await post.grant()
        await receiver.until(1)
        first, second = receiver.received
        assert second.at - first.at >= 1.9
        assert first.id == second.id
        assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]
        await post.until_settled(endpoint)


async def test_410_gone_disables_the_endpoint_and_says_so(post: Post):
    async def gone(_: Received) -> Answer:
        return 410

    async with receiving(gone) as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver)
        await post.grant(3)
        await receiver.until(1, taken=False)
        async with asyncio.timeout(20):
            while (await post.seen(endpoint)).enabled:
                await asyncio.sleep(0.05)
        await asyncio.sleep(1.2)  # two more looks
    assert len(receiver.received) == 1
    assert (await post.seen(endpoint)).disabled_because == "the receiver answered 410 Gone"
    (act,) = await post.till.rows("SELECT actor_id, after FROM audit_log WHERE action = 'webhookEndpoint.disabled'")
    assert act["actor_id"] is None
    assert await post.till.rows("SELECT 1 AS one FROM webhook_deliveries WHERE status = 'FAILED'")


async def test_days_of_nothing_but_failures_disable_it(post: Post, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bounds, "WEBHOOK_DISABLED_AFTER", timedelta(seconds=1))

    async def never(_: Received) -> Answer:
        return 500

    async with receiving(never) as receiver, sending(post.sender(schedule=[timedelta(milliseconds=100)] * 500)):
        endpoint = await post.endpoint(receiver)
        await post.grant()
        async with asyncio.timeout(20):
            while (await post.seen(endpoint)).enabled:
                await asyncio.sleep(0.05)
        assert (await post.seen(endpoint)).failures >= 2


async def test_a_receiver_that_is_slow_holds_up_no_other_and_gets_only_so_many_at_once(post: Post):
    under_way, most = 0, 0

    async def slow(_: Received) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(1.5)
        under_way -= 1
        return 204

    async with receiving(slow) as slowly, receiving() as quickly:
        await post.endpoint(slowly, "grant.created")
        await post.endpoint(quickly, "grant.created")
        async with post.till.database.transaction(post.till.workspace_id) as connection:
            for number in range(10):
                await upsert_customer(connection, post.till.workspace_id, f"c{number}", {}, datetime.now(UTC))
        for number in range(10):
            await post.grant(1, f"c{number}")
        began = time.monotonic()
        async with sending(post.sender()):
            await quickly.until(10)
            assert time.monotonic() - began < 10
            await slowly.until(10)
        assert most <= bounds.WEBHOOK_ENDPOINT_CONCURRENCY


async def test_several_processes_send_each_message_once(post: Post):
    async def takes_time(_: Received) -> Answer:
        await asyncio.sleep(0.02)
        return 200

    async with receiving(takes_time) as receiver:
        endpoint = await post.endpoint(receiver, "grant.created")
        async with sending(post.sender()), sending(post.sender()), sending(post.sender()):
            for _ in range(15):
                await post.grant(1, "acme")
                await post.grant(1, "other")
            await post.until_settled(endpoint)
        times = Counter(received.id for received in receiver.received)
    assert len(times) == 30
    assert set(times.values()) == {1}


async def test_a_sender_that_is_broken_off_gives_its_leases_back(post: Post):
    """A deploy makes nobody wait for a lease to end; the message comes again, under its own id."""
    hanging = asyncio.Event()

    async def hangs(_: Received) -> Answer:
        if not hanging.is_set():
            hanging.set()
            await asyncio.sleep(60)
        return 200

    async with receiving(hangs) as receiver:
        await post.endpoint(receiver)
        await post.grant()
        async with sending(post.sender()):
            await asyncio.wait_for(hanging.wait(), 20)
        async with sending(post.sender()):
            (received,) = await receiver.until(1, within_s=10)
        assert receiver.received[0].id == received.id


async def test_a_lease_that_ends_before_its_worker_comes_back_has_the_message_sent_again(post: Post):
    """K7, and what K8 asks: at least once, the same webhook-id."""
    first = asyncio.Event()

    async def stuck(_: Received) -> Answer:
        if not first.is_set():
            first.set()
            await asyncio.sleep(3)
        return 200

    async with receiving(stuck) as receiver:
        endpoint = await post.endpoint(receiver)
        await post.grant()
        lease = timedelta(seconds=1)
        async with sending(post.sender(lease=lease)):
            await asyncio.wait_for(first.wait(), 20)
            async with sending(post.sender(lease=lease)):
                await receiver.until(2)
        (delivery,) = await post.until_settled(endpoint)
    assert {received.id for received in receiver.received} == {delivery.message_id}
    assert delivery.attempts == 2, "also the one that nobody came back from"


async def test_while_a_rotation_overlaps_either_secret_verifies(post: Post):
    async with receiving() as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver)
        async with post.till.database.transaction(post.till.workspace_id) as connection:
            rotated = await rotate_secret(connection, endpoint.id, pepper=PEPPER, actor_id=None)
        assert isinstance(rotated, tuple)
        await post.grant()
        (received,) = await receiver.until(1)
        for secret in (post.secrets[endpoint.number], rotated[1]):
            assert received.verify(secret)["type"] == "grant.created"
        async with post.till.database.hot(post.till.workspace_id) as hot:
            await hot.execute("UPDATE webhook_endpoints SET rotated_at = rotated_at - interval '24 hours'")
        await post.grant()
        _, received = await receiver.until(2)
        assert received.verify(rotated[1])
        with pytest.raises(WebhookVerificationError):
            received.verify(post.secrets[endpoint.number])


async def test_a_replay_comes_with_the_same_id_and_content(post: Post):
    async with receiving() as receiver, sending(post.sender()):
        endpoint = await post.endpoint(receiver)
        await post.grant()
        await receiver.until(1)
        (delivery,) = await post.until_settled(endpoint)
        async with post.till.database.transaction(post.till.workspace_id) as connection:
            await replay(connection, delivery.id, actor_id=None)
        first, second = await receiver.until(2)
        assert (first.id, first.body) == (second.id, second.body)


async def test_who_is_not_there_is_a_failure_that_says_why(post: Post):
    async with receiving() as receiver:
        endpoint = await post.endpoint(receiver)
    async with sending(post.sender(schedule=[])):
        await post.grant()
        (delivery,) = await post.until_settled(endpoint)
    assert delivery.status == "FAILED"
    assert delivery.response_code is None
    assert "connect" in (delivery.error or "").lower()


async def test_a_full_disk_stops_the_sender_before_it_writes(post: Post):
    async with receiving() as receiver:
        await post.endpoint(receiver)
        await post.grant()
        sender = post.sender(refuse_writes=lambda: True)
        assert await sender.look() == 0
        assert receiver.connections == 0


async def test_operators_see_what_was_sent_what_failed_and_how_long_something_waits(post: Post):
    def read(metric: Any) -> float:
        return float(metric._value.get())

    sent, failed = read(metrics.WEBHOOKS_SENT), read(metrics.WEBHOOKS_FAILED)

    async def once_not(_: Received) -> Answer:
        return 500 if len(receiver.received) == 1 else 200

    async with receiving(once_not) as receiver:
        endpoint = await post.endpoint(receiver)
        await post.grant()
        async with post.till.database.hot(post.till.workspace_id) as hot:
            await hot.execute("UPDATE webhook_deliveries SET created_at = created_at - interval '1 hour'")
        sender = post.sender()
        await sender.measure()
        assert 3_600 <= read(metrics.WEBHOOKS_OLDEST_WAITING_S) < 3_700
        async with sending(sender):
            await post.until_settled(endpoint)
        await sender.measure()
    assert (read(metrics.WEBHOOKS_SENT), read(metrics.WEBHOOKS_FAILED)) == (sent + 1, failed + 1)
    assert read(metrics.WEBHOOKS_OLDEST_WAITING_S) == 0
