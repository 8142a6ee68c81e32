"""Members, spend limits and usage series as a host and a customer's page meet them, over HTTP; also under contention."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.harness import documents
from tests.harness.client import Client, Reply
from tests.harness.world import give
from tests.model.rating import micro

CLIENTS = 64
CAP = 1_000
PATIENCE = 5  # refusals in a row until a client gives up

SHOWN = """query($key: String, $from: DateTime!, $to: DateTime!, $zone: String) { customer(key: $key) {
  usage(creditType: "ai", from: $from, to: $to, interval: HOUR, groupBy: FEATURE, timezone: $zone) {
    creditType { key } interval timezone total points { start end group amount quantity events } }
  members { edges { node { key name group burned(creditType: "ai", from: $from, to: $to) limits { amount used } } } }
  limits { amount window member group feature used resetsAt creditType { key } }
  ledger { edges { node { member { key name group } } } } } }"""


async def customer(client: Client, key: str, amount: str = "100000") -> str:
    await client.must("upsertCustomer", key=key)
    await give(client, key, amount, f"g-{key}")
    return key


async def cap(client: Client, key: str, amount: str, window: str = "MONTH", **scope: Any) -> Any:
    given = {"creditType": "ai", "amount": amount, "window": window, **scope}
    return (await client.must("setLimit", customer=key, input=given))["limit"]


async def limits(client: Client, key: str) -> list[Any]:
    found: list[Any] = (await client.ask(documents.LIMITS, key=key))["customer"]["limits"]
    return found


async def burn(client: Client, key: str, amount: str, name: str, **more: Any) -> Reply:
    fields = {"customer": key, "creditType": "ai", "amount": amount, "idempotencyKey": name, **more}
    return await client.put("burn", **fields)


# ─── contention ────────────────────────────────────────────────────────────────────────────────────
async def spend_until_refused(client: Client, key: str, number: int, draw: random.Random) -> int:
    """Burns, and holds that are settled in full or given up; what it burned, in credits."""
    burned = step = refused = 0
    while refused < PATIENCE:
        step += 1
        amount, name = draw.choice((1, 1, 2, 5)), f"{number}.{step}"
        fields = {"customer": key, "creditType": "ai", "amount": str(amount), "member": "ann"}
        if draw.random() < 0.6:
            reply = await client.put("burn", **fields, idempotencyKey=name)
            burned += amount if reply.ok else 0
        else:
            reply = await client.put("hold", **fields, idempotencyKey=name)
            if reply.ok and draw.random() < 0.7:
                await client.must("settle", hold=reply["hold"]["id"], amount=str(amount), idempotencyKey=name + "s")
                burned += amount
            elif reply.ok:
                await client.must("release", hold=reply["hold"]["id"], idempotencyKey=name + "r")
        assert reply.ok or reply.code == "LIMIT_REACHED", reply
        refused = 0 if reply.ok else refused + 1
    return burned


async def race(world: Any, key: str, urls: list[str]) -> None:
    client = await world.client()
    await customer(client, key)
    await client.must("upsertMember", customer=key, key="ann", name="Ann")
    await cap(client, key, str(CAP), member="ann")
    clients = [await world.client(urls[number % len(urls)]) for number in range(CLIENTS)]
    async with asyncio.timeout(120):
        burned = sum(
            await asyncio.gather(
                *(spend_until_refused(each, key, i, random.Random(i)) for i, each in enumerate(clients))
            )
        )
    while (await burn(client, key, "1", f"drain.{burned}", member="ann")).ok:
        burned += 1
    assert burned == CAP, "exactly the limit, and not a credit more"
    (found,) = await limits(client, key)
    assert micro(found["used"]) == micro(str(CAP))
    assert micro((await client.balance(key))["burned"]) == micro(str(CAP))
    assert (await burn(client, key, "1", "somebody-else", member="bob")).ok


async def test_sixty_four_clients_spend_exactly_what_a_members_limit_allows(world):
    """C8, for limits: never more than 1,000, whoever comes first."""
    await race(world, "capped", [world.url])


async def test_two_server_processes_spend_exactly_what_a_members_limit_allows(world, second_server):
    await race(world, "capped-twice", [world.url, second_server.url])


@pytest.mark.parametrize("verb", ["burn", "hold"])
async def test_the_last_credit_below_a_limit_goes_to_one(world, verb):
    client = await world.client()
    key = await customer(client, f"last-capped-{verb}")
    await cap(client, key, "1")
    clients = [await world.client() for _ in range(32)]
    fields = {"customer": key, "creditType": "ai", "amount": "1"}
    replies = await asyncio.gather(
        *(each.put(verb, **fields, idempotencyKey=f"k{i}") for i, each in enumerate(clients))
    )
    assert sum(reply.ok for reply in replies) == 1
    assert {reply.code for reply in replies if not reply.ok} == {"LIMIT_REACHED"}


async def test_a_limit_that_is_set_while_burns_rush_in_misses_none_of_them(world):
    client = await world.client()
    key = await customer(client, "rushed")
    rushing = [await world.client() for _ in range(16)]
    stopping = asyncio.Event()

    async def rush(number: int, each: Client) -> int:
        step = 0
        while not stopping.is_set():
            reply = await burn(each, key, "1", f"{number}.{step}")
            step += reply.ok
        return step

    tasks = [asyncio.create_task(rush(number, each)) for number, each in enumerate(rushing)]
    for number in range(6):
        await asyncio.sleep(0.05)
        await cap(client, key, "90000", ("HOUR", "DAY", "WEEK", "MONTH")[number % 4], feature=None)
    stopping.set()
    burned = sum(await asyncio.gather(*tasks))
    assert [micro(each["used"]) for each in await limits(client, key)] == [micro(str(burned))] * 4


# ─── what a host sees ──────────────────────────────────────────────────────────────────────────────
async def test_a_reached_limit_is_told_in_burn_hold_and_check(world):
    client = await world.client()
    key = await customer(client, "told")
    made = await cap(client, key, "10", "DAY", member="ann")
    assert (await burn(client, key, "7", "b1", member="ann")).ok
    for verb in ("burn", "hold"):
        fields = {"customer": key, "creditType": "ai", "amount": "4", "member": "ann", "idempotencyKey": verb}
        reply = await client.put(verb, **fields)
        assert (reply.answer["__typename"], reply.code) == ("LimitReached", "LIMIT_REACHED")
        assert (micro(reply.answer["used"]), reply.answer["limit"]["id"]) == (micro("7"), made["id"])
        assert reply.answer["resetsAt"] == made["resetsAt"]
    asked = {"customer": key, "creditType": "ai", "member": "ann"}
    check = (await client.ask(documents.CHECK, input={**asked, "amount": "4"}))["check"]
    assert (check["allowed"], check["wouldBlock"]) == (False, True)
    assert check["reason"] == {"__typename": "LimitReached", "code": "LIMIT_REACHED"}
    assert (await client.ask(documents.CHECK, input={**asked, "amount": "3"}))["check"]["allowed"]
    assert (await client.ask(documents.CHECK, input={**asked, "amount": "4", "member": "bob"}))["check"]["allowed"]
    await client.must("setPolicy", mode="SOFT", customer=key)
    soft = await client.must("burn", **asked, amount="4", idempotencyKey="soft")
    decision = soft["decision"]
    assert (decision["allowed"], decision["wouldBlock"], decision["reason"]["code"]) == (True, True, "LIMIT_REACHED")


async def test_limits_and_members_refuse_what_they_cannot_be(world):
    client = await world.client()
    key = await customer(client, "careful")
    good = {"creditType": "ai", "amount": "1", "window": "DAY"}
    for changes, code in (
        ({"amount": "0"}, "INVALID_INPUT"),
        ({"amount": "-1"}, "INVALID_INPUT"),
        ({"amount": "0.0001"}, "INVALID_INPUT"),  # the credit type has three decimals
        ({"creditType": "none"}, "NOT_FOUND"),
        ({"feature": "none"}, "UNKNOWN_FEATURE"),
        ({"member": ""}, "INVALID_INPUT"),
    ):
        assert (await client.put("setLimit", customer=key, input={**good, **changes})).code == code, changes
    assert (await client.put("setLimit", customer="nobody", input=good)).code == "NOT_FOUND"
    assert (await client.put("removeLimit", id="lim_1_1")).code == "NOT_FOUND"
    assert (await client.put("upsertMember", customer="nobody", key="a")).code == "NOT_FOUND"
    for bad in ("", "a\n", "x" * 256):
        assert (await client.put("upsertMember", customer=key, key=bad)).code == "INVALID_INPUT"
    assert (await client.put("upsertMember", customer=key, key="a", name="\t")).code == "INVALID_INPUT"


async def test_a_member_keeps_what_is_left_out_and_loses_what_is_null(world):
    client = await world.client()
    key = await customer(client, "team")
    for given, told in (
        ({}, ("ann", "ann", None)),
        ({"name": "Ann", "group": "red"}, ("ann", "Ann", "red")),
        ({"name": "Anna"}, ("ann", "Anna", "red")),
        ({"group": None}, ("ann", "Anna", None)),
        ({"name": None}, ("ann", "ann", None)),
    ):
        made = (await client.must("upsertMember", customer=key, key="ann", **given))["member"]
        assert (made["key"], made["name"], made["group"]) == told


async def test_members_are_listed_by_key_and_paged(world):
    client = await world.client()
    key = await customer(client, "many-members")
    for name in ("b", "a", "Z", "ä", "c"):
        await client.must("upsertMember", customer=key, key=name)
    query = """query($key: String!, $after: String) { customer(key: $key) { members(first: 2, after: $after) {
                 edges { node { key } } pageInfo { hasNextPage endCursor } } } }"""
    assert [node["key"] for node in await client.pages(query, "customer", "members", key=key)] == [
        "Z",
        "a",
        "b",
        "c",
        "ä",
    ]


async def test_a_page_sees_its_own_usage_members_and_limits(world):
    client = await world.client()
    key = await customer(client, "shown")
    await client.must("upsertMember", customer=key, key="ann", name="Ann", group="red")
    await cap(client, key, "10", member="ann")
    await cap(client, key, "100", "DAY", feature="input-tokens")
    data = {"input_tokens": 1000, "output_tokens": 500, "member": "ann"}
    event = {"specversion": "1.0", "source": "s", "id": "e1", "type": "llm.tokens", "subject": key, "data": data}
    await client.send_events([event])
    assert (await burn(client, key, "2", "b1", member="never-upserted")).ok
    now = datetime.fromisoformat(await client.now())
    asked = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(hours=1)).isoformat()}
    token = (await client.must("createEmbedToken", customer=key, ttlSeconds=60))["token"]
    page = await world.client(secret=token)
    for caller, variables in ((client, {"key": key, **asked}), (page, asked)):
        found = (await caller.ask(SHOWN, **variables, zone="Asia/Kathmandu"))["customer"]
        usage = found["usage"]
        assert (usage["creditType"]["key"], usage["interval"], usage["timezone"]) == ("ai", "HOUR", "Asia/Kathmandu")
        assert micro(usage["total"]) == micro("4")
        points = {point["group"]: (micro(point["amount"]), point["events"]) for point in usage["points"]}
        assert points == {"input-tokens": (micro("1"), 1), "output-tokens": (micro("1"), 1), None: (micro("2"), 1)}
        assert {datetime.fromisoformat(point["start"]).minute for point in usage["points"]} == {15}
        (ann,) = [edge["node"] for edge in found["members"]["edges"]]
        assert (ann["key"], ann["name"], ann["group"], micro(ann["burned"])) == ("ann", "Ann", "red", micro("2"))
        assert [(micro(each["amount"]), micro(each["used"])) for each in ann["limits"]] == [(micro("10"), micro("2"))]
        told = [(each["window"], each["member"], each["feature"], micro(each["used"])) for each in found["limits"]]
        assert told == [("MONTH", "ann", None, micro("2")), ("DAY", None, "input-tokens", micro("1"))]
        members = {(edge["node"]["member"] or {}).get("name") for edge in found["ledger"]["edges"]}
        assert members == {"Ann", "never-upserted", None}


async def test_usage_that_cannot_be_asked_is_an_input_error_that_names_its_argument(world):
    client = await world.client()
    key = await customer(client, "asked-badly")
    query = """query($key: String!, $type: String!, $from: DateTime!, $to: DateTime!, $zone: String) {
        customer(key: $key) { usage(creditType: $type, from: $from, to: $to, interval: HOUR, timezone: $zone) { total } } }"""
    good = {"key": key, "type": "ai", "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z"}
    for changes, named in (
        ({"type": "none"}, "creditType: no credit type 'none'"),
        ({"zone": "Mars/Olympus"}, "timezone: 'Mars/Olympus'"),
        ({"to": "2025-12-31T23:59:59Z"}, "to: lies before from"),
        ({"to": "2028-01-01T00:00:00Z"}, "interval: would be more than 10000"),
        ({"from": "9999-12-31T00:00:00Z", "to": "9999-12-31T23:59:59Z"}, "interval: reaches beyond"),
    ):
        with pytest.raises(AssertionError, match="BAD_REQUEST") as error:
            await client.ask(query, **{**good, **changes})
        assert named in str(error.value), changes


async def test_moving_to_another_timezone_counts_in_its_windows_from_then_on(world):
    client = await world.client()
    key = await customer(client, "traveller")
    await cap(client, key, "10", "DAY")
    await burn(client, key, "4", "b1")
    (before,) = await limits(client, key)
    await client.must("upsertCustomer", key=key, timezone="Asia/Kathmandu")
    (after,) = await limits(client, key)
    assert (datetime.fromisoformat(before["resetsAt"]).minute, datetime.fromisoformat(after["resetsAt"]).minute) == (
        0,
        15,
    )
    assert micro(after["used"]) == micro("4")
