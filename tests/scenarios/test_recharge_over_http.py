"""A rule that buys, over the real API, in one server process and in two."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.harness.client import Client, QueryFailed
from tests.harness.server import Server
from tests.scenarios.conftest import World
from tests.scenarios.recharging import BUNDLES, Ruled, ended


@pytest.fixture(scope="module")
async def client(world: World) -> Client:
    client = await world.client()
    await client.must("applyCatalog", document={"bundles": BUNDLES})
    return client


@pytest.fixture
async def ruled(client: Client, request: pytest.FixtureRequest) -> Ruled:
    return Ruled(client, request.node.name[:60])


@pytest.fixture
async def there(world: World, second_server: Server) -> Client:
    """The same credential at another process."""
    return await world.client(second_server.url)


async def test_a_burn_below_the_threshold_is_refilled_within_a_second_or_so(ruled: Ruled):
    await ruled.begin()
    rule = (await ruled.set())["rule"]
    assert (rule["enabled"], rule["attempts"], rule["paymentMethod"]) == (True, [], "Sandbox card •••• 4242")
    assert rule["spentThisMonth"] == {"amount": "0", "currency": "USD"}
    await ruled.burn("900", "at the threshold")
    await asyncio.sleep(0.3)
    assert (await ruled.rule())["attempts"] == []
    began = time.monotonic()
    await ruled.burn("1", "below it")
    rule = await ruled.until(ended())
    took = time.monotonic() - began
    (attempt,) = rule["attempts"]
    assert (attempt["status"], attempt["automatic"], attempt["quantity"]) == ("SUCCEEDED", True, 1)
    assert attempt["grant"] == {"source": "RECHARGE", "amount": "1000"}
    assert rule["spentThisMonth"]["amount"] == "10"
    assert (rule["suspendedReason"], rule["nextAttemptAt"]) == (None, None)
    assert await ruled.available() == 99 + 1_000
    assert took < 10, "about a second; a busy machine may be slow"


async def test_a_declining_card_is_seen_and_a_better_one_is_charged_soon(ruled: Ruled):
    await ruled.begin("50", card="declining")
    assert (await ruled.set(target="1500"))["rule"]["target"] == "1500"
    rule = await ruled.until(ended())
    assert [(each["status"], each["failure"]) for each in rule["attempts"]] == [("FAILED", "The card was declined.")]
    assert rule["nextAttemptAt"]
    assert rule["spentThisMonth"]["amount"] == "0"
    await ruled.card("ok")
    rule = await ruled.until(ended(2))
    assert [(each["status"], each["quantity"]) for each in rule["attempts"]] == [("SUCCEEDED", 2), ("FAILED", 2)]
    assert (rule["paymentMethod"], rule["nextAttemptAt"]) == ("Sandbox card •••• 4242", None)
    assert await ruled.available() == 50 + 2_000


async def test_without_a_card_the_rule_says_why_it_rests(ruled: Ruled):
    await ruled.begin("50", card=None)
    await ruled.set()
    rule = await ruled.until(lambda rule: rule["suspendedReason"] is not None)
    assert rule["suspendedReason"] == "no payment method is saved"
    assert (rule["attempts"], rule["paymentMethod"]) == ([], None)


async def test_the_cap_of_the_month_is_seen_as_an_attempt_that_failed(ruled: Ruled):
    await ruled.begin("50")
    await ruled.set(monthlyCap={"amount": "10.00", "currency": "USD"})
    await ruled.until(ended())
    await ruled.burn("1000", "all of it")
    rule = await ruled.until(ended(2))
    assert [each["status"] for each in rule["attempts"]] == ["FAILED", "SUCCEEDED"]
    assert rule["attempts"][0]["failure"] == "the monthly cap leaves too little for one bundle"
    assert rule["nextAttemptAt"]
    await asyncio.sleep(1)
    assert len((await ruled.rule())["attempts"]) == 2


async def test_a_rule_that_cannot_be_is_refused(ruled: Ruled, live_world: World):
    await ruled.begin()
    refused = await ruled.set(monthlyCap={"amount": "9.99", "currency": "USD"})
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", "monthlyCap.amount")
    assert (await ruled.set(bundle="none"))["code"] == "NOT_FOUND"
    assert (await ruled.set(customer="nobody"))["code"] == "NOT_FOUND"
    assert await ruled.rule() is None
    live = Ruled(await live_world.client(), "live")
    await live.client.must("applyCatalog", document={"bundles": BUNDLES})
    await live.begin(card=None)
    refused = await live.set()
    assert (refused["code"], refused["message"]) == ("NOT_ALLOWED", "no payment provider is set up")
    assert (await live.set(enabled=False))["rule"]["enabled"] is False


async def test_200_burns_at_once_in_two_processes_are_one_recharge(
    ruled: Ruled, there: Client, world: World, second_server: Server
):
    await ruled.begin()
    await ruled.set()
    await asyncio.sleep(6)  # until the other process knows of the rule, too
    async with AsyncExitStack() as stack:
        callers = [
            await stack.enter_async_context(Client(url, world.secret))
            for url in (ruled.client.url, second_server.url)
            for _ in range(10)
        ]

        async def spend(number: int, caller: Client) -> None:
            for part in range(10):
                await ruled.burn("4.6", f"{number}.{part}", caller)

        await asyncio.gather(*(spend(number, caller) for number, caller in enumerate(callers)))
    rule = await ruled.until(ended())
    assert [each["status"] for each in rule["attempts"]] == ["SUCCEEDED"]
    assert await ruled.available() == 1_000 - 920 + 1_000
    assert await Ruled(there, ruled.key).rule() == rule


async def test_a_rule_set_in_one_process_is_noticed_by_the_other(ruled: Ruled, there: Client):
    await ruled.begin()
    await ruled.set()
    began = time.monotonic()
    await ruled.burn("901", "elsewhere", there)
    await ruled.until(ended(), within_s=30)
    first = time.monotonic() - began  # by a sweep at the latest
    await ruled.burn("1000", "again", there)
    began = time.monotonic()
    await ruled.until(ended(2), within_s=30)
    assert first < 20
    assert await ruled.available() == 99 + 1_000
    await ruled.set(enabled=False)
    await ruled.burn("1050", "switched off", there)
    await asyncio.sleep(7)
    rule = await ruled.rule()
    assert (rule["enabled"], len(rule["attempts"])) == (False, 2)


async def test_whoever_holds_the_customers_token_sets_its_rule_with_the_scope_alone(ruled: Ruled, world: World):
    await ruled.begin()

    async def holder(*scopes: str) -> Ruled:
        token = await ruled.client.must("createEmbedToken", customer=ruled.key, scopes=list(scopes))
        return Ruled(await world.client(secret=token["token"]), ruled.key)

    with pytest.raises(QueryFailed, match="FORBIDDEN"):
        await (await holder("balance:read", "topup:create")).set(customer=None)
    manager = await holder("recharge:manage", "balance:read")
    assert (await manager.set(customer=None))["rule"]["enabled"] is True
    assert (await manager.rule())["threshold"] == "100"
    await ruled.burn("950", "below")
    (attempt,) = (await ruled.until(ended()))["attempts"]
    assert (await manager.rule())["attempts"] == []  # top-ups are another scope's
    buyer = await holder("balance:read", "ledger:read", "topup:create")
    assert [each["id"] for each in (await buyer.rule())["attempts"]] == [attempt["id"]]


async def test_a_recharge_is_seen_by_whoever_watches_the_balance(ruled: Ruled):
    await ruled.begin()
    await ruled.set()
    watch = "subscription($key: String!) { balanceUpdated(customer: $key) { available } }"

    async def refilled(news: AsyncIterator[dict[str, dict[str, str]]]) -> None:
        async for each in news:
            if each["balanceUpdated"]["available"] == "1099":
                return

    async with asyncio.timeout(20), ruled.client.subscribe(watch, key=ruled.key) as news:
        await ruled.burn("901", "all but 99")
        await refilled(news)
