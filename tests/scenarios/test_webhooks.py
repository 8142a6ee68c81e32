"""Webhooks out, end to end: real servers, a real receiver, kill -9 in between."""

import asyncio
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from standardwebhooks import WebhookVerificationError

from tests.harness.client import Client, Reply
from tests.harness.databases import fresh_database
from tests.harness.documents import WEBHOOKS
from tests.harness.receiver import Answer, Received, Receiver, receiving
from tests.harness.server import Server
from tests.harness.world import build_world, give

SETTINGS = {"webhook_private_addresses": "127.0.0.0/8", "webhook_retries": "PT0.1S,PT0.2S,PT0.5S,PT1S,PT1S,PT1S"}


@pytest.fixture(scope="module")
async def told_url(template: str) -> AsyncIterator[str]:
    async with fresh_database(template) as url:
        yield url


@asynccontextmanager
async def serving(folder: Path, url: str, **more: str) -> AsyncIterator[Server]:
    server = Server(folder, database_url=url, broadcast_url=url, **{**SETTINGS, **more})
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture(scope="module")
async def telling(told_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server that may call receivers on this machine."""
    async with serving(tmp_path_factory.mktemp("telling") / "data", told_url) as server:
        yield server


@pytest.fixture
async def admin(telling: Server) -> AsyncIterator[Client]:
    """Of a workspace of this test's own, with two customers."""
    async with Client(telling.url, await telling.create_key(f"told-{uuid4()}", "ADMIN")) as client:
        await build_world(client, ["acme", "other"])
        yield client


async def endpoint(client: Client, receiver: Receiver, *events: str) -> dict[str, Any]:
    made: dict[str, Any] = (await client.must("createWebhookEndpoint", url=receiver.url, events=list(events) or ["*"]))[
        "endpoint"
    ]
    return made


async def listed(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.ask(WEBHOOKS))["webhookEndpoints"]
    return found


async def burn(client: Client, amount: str, customer: str = "acme") -> Reply:
    return await client.must("burn", customer=customer, creditType="ai", amount=amount, idempotencyKey=str(uuid4()))


async def until_settled(client: Client) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            found = [each for one in await listed(client) for each in one["deliveries"]]
            if all(each["status"] != "WAITING" for each in found):
                return found
            await asyncio.sleep(0.1)


# ─── the API ───────────────────────────────────────────────────────────────────────────────────────
async def test_what_happens_to_a_customer_arrives_signed_and_in_order(admin: Client):
    async with receiving() as receiver:
        made = await endpoint(admin, receiver)
        assert made["secret"].startswith("whsec_")
        assert made["events"] == ["*"]
        await give(admin, "acme", "100", "g")
        for amount in ("81", "19"):
            await burn(admin, amount)
        received = await receiver.until(3)
        assert [each.verify(made["secret"])["type"] for each in received] == [
            "grant.created",
            "balance.low",
            "balance.depleted",
        ]
        assert [each.data["version"] for each in received] == [1, 2, 3]
        found = await until_settled(admin)
        assert [each["messageId"] for each in found[::-1]] == [each.id for each in received]
        assert {each["status"] for each in found} == {"DELIVERED"}
        (shown,) = await listed(admin)
        assert shown["secret"] is None
        assert shown["lastDeliveryAt"] is not None


REFUSED = (
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://10.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://100.64.0.1/",
    "https://user:pass@hooks.example/",
    "file:///etc/passwd",
    "http://8.8.8.8/",
    "ftp://127.0.0.1/",
    "",
)


@pytest.mark.parametrize("url", REFUSED)
async def test_a_refused_address_makes_no_endpoint_and_names_the_field(admin: Client, url: str):
    reply = await admin.act("createWebhookEndpoint", url=url, events=["*"])
    assert (reply.code, reply.answer["field"]) == ("INVALID_INPUT", "url"), reply
    assert await listed(admin) == []


async def test_without_the_setting_this_machine_is_no_receiver(world: Any):
    client = await world.client()
    for url in ("http://127.0.0.1:9/", "https://127.0.0.1/", "https://localhost/"):
        reply = await client.act("createWebhookEndpoint", url=url, events=["*"])
        assert (reply.code, reply.answer["field"]) == ("INVALID_INPUT", "url"), reply


async def test_an_unknown_event_is_refused_by_its_name(admin: Client):
    for events in ([], ["grant.created", "grant.creatd"]):
        reply = await admin.act("createWebhookEndpoint", url="http://127.0.0.1:9/", events=events)
        assert (reply.code, reply.answer["field"]) == ("INVALID_INPUT", "events"), reply
    assert "grant.creatd" in reply.answer["message"]


async def test_a_rotated_secret_is_shown_once_and_both_verify(admin: Client):
    async with receiving() as receiver:
        made = await endpoint(admin, receiver)
        rotated = (await admin.must("rotateWebhookSecret", id=made["id"]))["endpoint"]
        assert rotated["secret"] not in (None, made["secret"])
        assert (await listed(admin))[0]["secret"] is None
        await give(admin, "acme", "1", "g")
        (received,) = await receiver.until(1)
        for secret in (made["secret"], rotated["secret"]):
            assert received.verify(secret)
        with pytest.raises(WebhookVerificationError):
            received.verify("whsec_" + "A" * 43 + "=")


async def test_switched_off_it_is_told_nothing_and_removed_it_is_gone(admin: Client):
    async with receiving() as receiver:
        made = await endpoint(admin, receiver)
        off = (await admin.must("enableWebhookEndpoint", id=made["id"], enabled=False))["endpoint"]
        assert (off["enabled"], off["secret"]) == (False, None)
        await give(admin, "acme", "1", "one")
        await admin.must("enableWebhookEndpoint", id=made["id"], enabled=True)
        await give(admin, "acme", "2", "two")
        (received,) = await receiver.until(1)
        assert received.data["amount"] == "2"
        await admin.must("removeWebhookEndpoint", id=made["id"])
        await give(admin, "acme", "3", "three")
        assert await listed(admin) == []
        assert (await admin.act("removeWebhookEndpoint", id=made["id"])).code == "NOT_FOUND"
        await asyncio.sleep(1.5)
        assert len(receiver.received) == 1


async def test_a_failed_message_is_shown_with_its_error_and_replayed_by_hand(admin: Client):
    broken = True

    async def repaired_by_and_by(_: Received) -> Answer:
        return (500, {}, b"not today") if broken else 200

    async with receiving(repaired_by_and_by) as receiver:
        await endpoint(admin, receiver, "grant.created")
        await give(admin, "acme", "1", "g")
        (failed,) = await until_settled(admin)
        assert (failed["status"], failed["attempts"], failed["responseCode"]) == ("FAILED", 7, 500)
        assert failed["error"] == "500: not today"
        assert (await listed(admin))[0]["failures"] == 7
        broken = False
        again = (await admin.must("replayWebhook", id=failed["id"]))["delivery"]
        assert (again["status"], again["messageId"]) == ("WAITING", failed["messageId"])
        (received,) = await receiver.until(1)
        assert received.id == failed["messageId"]
        (done,) = await until_settled(admin)
        assert (done["status"], done["attempts"]) == ("DELIVERED", 8)
        assert (await listed(admin))[0]["failures"] == 0


async def test_everything_else_that_is_told_of(admin: Client):
    """Expiring and expired grants, lapsed holds, dead letters, disputes and enforcement, as a host would cause them."""
    async with receiving() as receiver:
        made = await endpoint(admin, receiver)
        now = datetime.fromisoformat(await admin.now())
        await asyncio.sleep(1.5)  # until somebody wants to know of what expires, nothing is kept for it
        await give(admin, "acme", "10", "g", expiresAt=(now + timedelta(days=31)).isoformat())
        contested = (await burn(admin, "1"))["entry"]["id"]
        dispute = (await admin.must("openDispute", entries=[contested], reason="no"))["dispute"]["id"]
        await admin.must("resolveDispute", id=dispute, uphold=True, resolution="so", idempotencyKey="r")
        await give(admin, "other", "5", "o")
        await admin.must("hold", customer="other", creditType="ai", amount="1", ttl="PT1H", idempotencyKey="h")
        event = {"id": "1", "source": "s", "type": "llm.tokens", "subject": "nobody", "data": {}}
        await admin.must("ingestEvents", events=[event])
        await admin.must("setPolicy", mode="SOFT")
        for days in (2, 22, 6.5, 2):
            now += timedelta(days=days)
            await admin.ask(f'mutation {{ advanceClock(to: "{now.isoformat()}") {{ __typename }} }}')
            await asyncio.sleep(1.5)
        wanted = {
            *("grant.created", "dispute.opened", "dispute.resolved", "hold.lapsed", "event.dead_lettered"),
            *("enforcement.changed", "grant.expiring", "grant.expired", "balance.depleted"),
        }
        async with asyncio.timeout(30):
            while not wanted <= {each.type for each in receiver.taken}:
                await asyncio.sleep(0.1)
        for received in receiver.taken:
            received.verify(made["secret"])
        expiring = [each.data["days"] for each in receiver.taken if each.type == "grant.expiring"]
        assert expiring == [30, 7, 1]
        order = [each.type for each in receiver.taken if each.data.get("customer") == "acme"]
        assert order.index("grant.created") < order.index("dispute.opened") < order.index("dispute.resolved")
        assert order.index("grant.expiring") < order.index("grant.expired")


# ─── crashes and several processes ─────────────────────────────────────────────────────────────────
async def let_leases_end(url: str) -> None:
    """As if the minute of a lease had passed."""
    owner = await asyncpg.connect(url)
    await owner.execute("UPDATE webhook_lanes SET next_at = now(), leased_until = NULL")
    await owner.close()


@pytest.mark.parametrize("when", ["before it was sent", "while it was sent"])
async def test_kill_9_between_outbox_and_receiver_sends_it_again_under_the_same_id(
    template: str, scratch: Path, when: str
):
    """K8."""
    hanging = True

    async def hangs(_: Received) -> Answer:
        if hanging:
            await asyncio.sleep(600)
        return 200

    async with (
        fresh_database(template) as url,
        receiving(hangs) as receiver,
        serving(scratch / "killed", url) as server,
    ):
        async with Client(server.url, await server.create_key("killed", "ADMIN")) as client:
            await build_world(client, ["acme"])
            await endpoint(client, receiver, "grant.created")
            for number in range(3):
                await give(client, "acme", "1", f"g{number}")
            if when == "while it was sent":
                await receiver.until(1, taken=False)
        await server.kill()
        came = [each.id for each in receiver.received]
        owner = await asyncpg.connect(url)
        rows = await owner.fetch("SELECT message, status FROM webhook_deliveries ORDER BY id")
        await owner.close()
        assert [row["status"] for row in rows] == ["WAITING"] * 3
        hanging = False
        await server.start()
        await let_leases_end(url)
        received = await receiver.until(3)
        assert [each.id for each in received] == [f"msg_{row['message'].hex}" for row in rows]
        assert came in ([], [received[0].id])


async def test_no_message_without_its_fact_and_no_fact_without_its_message_across_kills(template: str, scratch: Path):
    async with (
        fresh_database(template) as url,
        receiving() as receiver,
        serving(scratch / "crashed", url) as server,
    ):
        secret = await server.create_key("crashed", "ADMIN")
        async with Client(server.url, secret) as client:
            await build_world(client, ["acme", "other"])
            await endpoint(client, receiver, "grant.created")

        async def grants(customer: str) -> None:
            number = 0
            async with Client(server.url, secret, timeout_s=5) as client:
                while not stopping.is_set():
                    fields = {"customer": customer, "creditType": "ai", "amount": "1", "idempotencyKey": f"g{number}"}
                    reply = await client.put("grantCredits", **fields)
                    number += reply.ok
                    if reply.outcome == "unknown":
                        await asyncio.sleep(0.05)

        stopping = asyncio.Event()
        tasks = [asyncio.create_task(grants(customer)) for customer in ("acme", "other")]
        for _ in range(4):
            await asyncio.sleep(0.7)
            await server.kill()
            await server.start()
            await let_leases_end(url)
        stopping.set()
        await asyncio.gather(*tasks)
        owner = await asyncpg.connect(url)
        facts = await owner.fetch("SELECT customer_id, credit_type_id, number FROM grants")
        await let_leases_end(url)
        await owner.close()
        assert len(facts) > 50
        async with Client(server.url, secret) as client:
            async with asyncio.timeout(90):
                while len({each.id for each in receiver.taken}) < len(facts):
                    await asyncio.sleep(0.1)
            assert len({each.data["grant"] for each in receiver.taken}) == len(facts)
            wire: Counter[str] = Counter()
            for customer in ("acme", "other"):
                last = 0
                for each in receiver.taken:
                    if each.data["customer"] == customer:
                        version = each.data["version"]
                        assert version in (last, last + 1), "in order, or the same one once more"
                        wire[customer] += version == last
                        last = version
            assert sum(wire.values()) <= 8, "again after a crash alone"


async def test_two_processes_send_each_message_once(telling: Server, told_url: str, admin: Client, scratch: Path):
    async with receiving() as receiver, serving(scratch / "second", told_url) as second:
        await endpoint(admin, receiver, "grant.created")
        there = Client(second.url, admin.secret)
        for number in range(20):
            await give(admin, "acme", "1", f"here-{number}")
            await give(there, "acme", "1", f"there-{number}")
            await give(there, "other", "1", f"other-{number}")
        there.wire.drop()
        await until_settled(admin)
        assert Counter(Counter(each.id for each in receiver.received).values()) == {1: 60}
        versions = [each.data["version"] for each in receiver.taken if each.data["customer"] == "acme"]
        assert versions == list(range(1, 41))


async def test_metrics_tell_what_was_sent(telling: Server, admin: Client):
    async with receiving() as receiver:
        await endpoint(admin, receiver)
        await give(admin, "acme", "1", "g")
        await receiver.until(1)
        await until_settled(admin)

    def read() -> str:
        with urllib.request.urlopen(f"{telling.url}/metrics") as answer:
            return str(answer.read().decode())

    told = await asyncio.to_thread(read)
    for name in ("sent_total", "failed_total", "oldest_waiting_seconds"):
        assert f"\nscrip_webhooks_{name} " in told
