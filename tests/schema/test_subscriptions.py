"""What is pushed over real sockets: the present at once, nothing older after something newer, and the last for sure."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from credits import ids
from server.tokens import TokenKey, mint_token
from tests.harness.client import Client
from tests.harness.documents import BALANCE_UPDATED, ENTRY_ADDED
from tests.harness.following import check_never_back, following, until_subscribed, until_told
from tests.harness.server import SECRET_KEY, Server
from tests.harness.world import give
from tests.model.rating import micro
from tests.scenarios.conftest import World, new_world

Json = dict[str, Any]
# Whether each entry comes, not what it says.
SEQUENCES = """subscription($customer: String, $type: String) { ledgerEntryAdded(customer: $customer, creditType: $type) {
    sequence kind recordedAt creditType { key } } }"""


@pytest.fixture(scope="module")
async def world(server: Server) -> AsyncIterator[World]:
    async with new_world(server) as opened:
        yield opened


@pytest.fixture(scope="module")
async def live_world(server: Server) -> AsyncIterator[World]:
    """A workspace whose clock is real time."""
    async with new_world(server, test=False) as opened:
        yield opened


async def customer(world: World, key: str, credits_: str | None = None) -> Client:
    """A client, and a customer of that key with so many credits."""
    client = await world.client()
    await client.must("upsertCustomer", key=key)
    if credits_ is not None:
        await give(client, key, credits_, "g")
    return client


# ─── balanceUpdated ────────────────────────────────────────────────────────────────────────────────
async def test_the_present_comes_at_once_then_each_newer_balance(world: World):
    client = await customer(world, "present", "100")
    async with following(client, BALANCE_UPDATED, customer="present", type="ai") as follower:
        await follower.until(bool)
        assert (follower.seen[0]["available"], follower.seen[0]["version"]) == ("100", 1)
        for number in range(1, 6):
            await client.must("burn", customer="present", creditType="ai", amount="1", idempotencyKey=f"b{number}")
            await follower.until(lambda seen, n=number: seen[-1]["version"] == 1 + n)  # type: ignore[misc]
            assert follower.seen[-1]["available"] == str(100 - number)
        check_never_back(follower.seen)


async def test_an_account_that_is_not_there_yet_is_zero_and_then_is(world: World):
    client = await customer(world, "nothing-yet")
    async with (
        following(client, BALANCE_UPDATED, customer="nothing-yet", type="ai") as one,
        following(client, BALANCE_UPDATED, customer="nothing-yet", type=None) as every,
    ):
        await one.until(bool)
        assert (one.seen[0]["available"], one.seen[0]["version"]) == ("0", 0)
        await give(client, "nothing-yet", "5", "g1")
        await give(client, "nothing-yet", "7", "g2", "oldest")
        await one.until(lambda seen: seen[-1]["available"] == "5")
        await every.until(lambda seen: {b["creditType"]["key"] for b in seen} == {"ai", "oldest"})
        assert {b["creditType"]["key"] for b in one.seen} == {"ai"}, "another account is not this one's news"
        check_never_back(one.seen)


async def test_two_thousand_burns_later_the_last_balance_has_arrived_and_none_went_back(world: World):
    client = await customer(world, "busy", "100000")
    async with following(client, BALANCE_UPDATED, customer="busy", type="ai") as follower:

        async def burn(number: int) -> None:
            own = await world.client()
            for part in range(5):
                keys = (f"{number}.{part}.{n}" for n in range(100))
                inputs = [
                    {"customer": "busy", "creditType": "ai", "amount": "1", "idempotencyKey": key} for key in keys
                ]
                reply = await own.act("burnMany", inputs=inputs)
                assert len(reply.items) == 100

        await asyncio.gather(*(burn(number) for number in range(4)))
        await follower.until(lambda seen: seen[-1]["version"] == 2_001)
        check_never_back(follower.seen)
        last = follower.seen[-1]
        stored = await client.balance("busy")
        assert {name: last[name] for name in ("available", "version", "burned")} == {
            name: stored[name] for name in ("available", "version", "burned")
        }
        assert len(follower.seen) < 500, "a busy account is told now and then, not for each burn"
        for balance in follower.seen:
            assert Decimal(balance["available"]) == 100_000 - (balance["version"] - 1), "no balance was ever torn"


async def test_what_changes_nothing_is_not_pushed(world: World):
    client = await customer(world, "quiet", "10")
    async with following(client, BALANCE_UPDATED, customer="quiet", type="ai") as follower:
        await follower.until(bool)
        refused = await client.put("burn", customer="quiet", creditType="ai", amount="11", idempotencyKey="x")
        assert refused.code == "INSUFFICIENT_CREDITS"
        replay = await client.put("grantCredits", customer="quiet", creditType="ai", amount="10", idempotencyKey="g")
        assert replay["replayed"]
        await client.must("burn", customer="quiet", creditType="ai", amount="1", idempotencyKey="b")
        await follower.until(lambda seen: seen[-1]["version"] >= 2)
        assert [balance["version"] for balance in follower.seen] == [1, 2]


async def test_at_a_due_instant_available_changes_and_the_entry_follows_within_a_second(live_world: World):
    """Nobody asks anything: an expiry, a lapse and a scheduled grant happen by themselves, in real time."""
    client = await customer(live_world, "due", "100")
    async with (
        following(client, BALANCE_UPDATED, customer="due", type="ai") as balances,
        following(client, ENTRY_ADDED, customer="due", type="ai") as entries,
    ):
        version = await until_subscribed(entries, client, "due", "ai")
        await balances.until(lambda seen: seen[-1]["version"] == version)
        whole = micro(balances.seen[-1]["available"])
        balances.forget()
        entries.forget()
        begin = datetime.fromisoformat(await client.now())
        ends, starts = begin + timedelta(seconds=2.0), begin + timedelta(seconds=3.5)
        await give(client, "due", "10", "ends", expiresAt=ends.isoformat())
        await give(client, "due", "5", "starts", effectiveAt=starts.isoformat())
        await client.must("hold", customer="due", creditType="ai", amount="20", ttl="PT1S", idempotencyKey="h")
        await balances.until(lambda seen: micro(seen[-1]["available"]) == whole + micro("5"))
        kinds = ["GRANT", "HOLD", "LAPSE", "EXPIRE", "GRANT"]
        await entries.until(lambda seen: [entry["kind"] for entry in seen] == kinds)
        check_never_back(balances.seen)
        seen = zip(balances.seen[::-1], balances.at[::-1], strict=True)
        changes = {micro(balance["available"]): at for balance, at in seen}
        booked = {entry["kind"]: (entry, at) for entry, at in zip(entries.seen, entries.at, strict=True)}
        for kind, due, available in (("EXPIRE", ends, whole), ("GRANT", starts, whole + micro("5"))):
            entry, at = booked[kind]
            assert datetime.fromisoformat(entry["recordedAt"]) == due, (
                "booked at its due instant, whenever that was done"
            )
            assert timedelta(0) <= changes[available] - due < timedelta(seconds=2), kind
            assert at - due < timedelta(seconds=2), "one second, and another for a busy machine"


async def test_a_clock_that_is_moved_is_news(world: World):
    client = await customer(world, "moved", "10")
    now = datetime.fromisoformat(await client.now())
    await give(client, "moved", "5", "e", expiresAt=(now + timedelta(days=1)).isoformat())
    async with following(client, BALANCE_UPDATED, customer="moved", type="ai") as follower:
        await follower.until(lambda seen: seen[-1]["available"] == "15")
        await client.must("advanceClock", to=(now + timedelta(days=2)).isoformat())
        await follower.until(lambda seen: seen[-1]["available"] == "10")
        check_never_back(follower.seen)


# ─── ledgerEntryAdded ──────────────────────────────────────────────────────────────────────────────
async def test_every_entry_comes_once_and_in_order_under_load(world: World):
    client = await customer(world, "loaded")
    types = ("ai", "oldest", "soonest")
    for credit_type in types:
        await give(client, "loaded", "10000", f"g-{credit_type}", credit_type)
    async with (
        following(client, SEQUENCES, customer="loaded", type=None) as every,
        following(client, SEQUENCES, customer="loaded", type="oldest") as one,
    ):
        base = {"soonest": 1, "ai": await until_subscribed(every, client, "loaded", "ai")}
        base["oldest"] = await until_subscribed(one, client, "loaded", "oldest")
        await until_told(every, "oldest", base["oldest"])
        every.forget()
        one.forget()

        async def burn(number: int) -> None:
            own = await world.client()
            for part in range(3):
                inputs = [
                    {
                        "customer": "loaded",
                        "creditType": types[n % 3],
                        "amount": "1",
                        "idempotencyKey": f"{number}.{part}.{n}",
                    }
                    for n in range(120)
                ]
                await own.act("burnMany", inputs=inputs)
                await own.must(
                    "hold", customer="loaded", creditType="ai", amount="1", idempotencyKey=f"h{number}.{part}"
                )

        await asyncio.gather(*(burn(number) for number in range(3)))
        await every.until(lambda seen: len(seen) >= 1_080 + 9)
        await one.until(lambda seen: len(seen) >= 360)
        for credit_type in types:
            sequences = [entry["sequence"] for entry in every.seen if entry["creditType"]["key"] == credit_type]
            begin = base[credit_type] + 1
            assert sequences == list(range(begin, begin + len(sequences))), credit_type
        assert [entry["sequence"] for entry in one.seen] == [base["oldest"] + 1 + n for n in range(360)]
        assert len(every.seen) == 1_089


async def test_only_what_comes_after_is_told_and_what_is_due_then_is_told(world: World):
    client = await customer(world, "later", "10")
    now = datetime.fromisoformat(await client.now())
    await give(client, "later", "5", "e", expiresAt=(now + timedelta(days=1)).isoformat())
    async with following(client, SEQUENCES, customer="later", type="ai") as follower:
        before = (await client.balance("later"))["version"]
        await until_subscribed(follower, client, "later", "ai")
        assert all(entry["sequence"] > before for entry in follower.seen)
        follower.forget()
        await client.must("advanceClock", to=(now + timedelta(days=2)).isoformat())
        await follower.until(lambda seen: len(seen) == 1)
        assert follower.seen[0]["kind"] == "EXPIRE"


async def test_more_entries_than_one_read_takes_all_come(world: World):
    """A customer's whole import between two looks."""
    client = await customer(world, "imported")
    async with following(client, SEQUENCES, customer="imported", type="ai") as follower:
        base = await until_subscribed(follower, client, "imported", "ai")
        follower.forget()
        events = [
            {
                "specversion": "1.0",
                "id": str(n),
                "source": "import",
                "type": "llm.tokens",
                "subject": "imported",
                "data": {"input_tokens": 1, "output_tokens": 1},
            }
            for n in range(1_500)
        ]
        assert (await client.send_events(events)).status == 202
        await follower.until(lambda seen: len(seen) == 3_000)
        assert [entry["sequence"] for entry in follower.seen] == [base + n for n in range(1, 3_001)]


# ─── what cannot be subscribed to ──────────────────────────────────────────────────────────────────
@asynccontextmanager
async def socket(url: str, credential: str) -> AsyncIterator[ClientConnection]:
    address = url.replace("http", "ws", 1) + "/graphql"
    async with connect(address, subprotocols=["graphql-transport-ws"]) as opened:  # type: ignore[list-item]
        init = {"type": "connection_init", "payload": {"authorization": f"Bearer {credential}"}}
        await opened.send(json.dumps(init))
        assert json.loads(await opened.recv())["type"] == "connection_ack"
        yield opened


async def told(opened: ClientConnection, name: str, query: str, **variables: Any) -> Json:
    """The first message to a subscription of that name."""
    payload = {"query": query, "variables": variables}
    await opened.send(json.dumps({"id": name, "type": "subscribe", "payload": payload}))
    async with asyncio.timeout(10):
        while (message := json.loads(await opened.recv())).get("id") != name:
            pass
    found: Json = message
    return found


@pytest.mark.parametrize("document", [BALANCE_UPDATED, ENTRY_ADDED], ids=["balanceUpdated", "ledgerEntryAdded"])
async def test_what_does_not_exist_is_an_error_message_and_the_socket_lives(world: World, document: str):
    await customer(world, "there", "3")
    async with socket(world.url, world.secret) as opened:
        for number, (who, kind, code) in enumerate(
            [
                ("nobody", "ai", "FORBIDDEN"),
                ("there", "euros", "BAD_REQUEST"),
                ("", "ai", "FORBIDDEN"),
                ("nobody", "euros", "FORBIDDEN"),
            ]
        ):
            message = await told(opened, str(number), document, customer=who, type=kind)
            assert message["type"] == "error", message
            assert [error["extensions"]["code"] for error in message["payload"]] == [code]
        message = await told(opened, "good", BALANCE_UPDATED, customer="there", type="ai")
        assert (message["type"], message["payload"]["data"]["balanceUpdated"]["available"]) == ("next", "3")


async def test_a_customers_token_need_not_say_whom_it_means(world: World):
    client = await customer(world, "own", "4")
    token = (await client.must("createEmbedToken", customer="own"))["token"]
    async with socket(world.url, token) as opened:
        for name, variables in (("1", {"type": "ai"}), ("2", {"type": "ai", "customer": "own"})):
            message = await told(opened, name, BALANCE_UPDATED, **variables)
            assert message["payload"]["data"]["balanceUpdated"]["available"] == "4"
        lacking = (await client.must("createEmbedToken", customer="own", scopes=["ledger:read"]))["token"]
    async with socket(world.url, lacking) as opened:
        message = await told(opened, "1", BALANCE_UPDATED, type="ai")
        assert [error["extensions"]["code"] for error in message["payload"]] == ["FORBIDDEN"]


async def until_closed(opened: ClientConnection, within_s: float) -> int | None:
    async with asyncio.timeout(within_s):
        await opened.wait_closed()
    return opened.close_code


async def end_of_a_token(world: World, client: Client) -> tuple[str, Callable[[], Awaitable[None]]]:
    """A token of three seconds, as nobody can order one."""
    found = (await client.ask('{ customer(key: "ending") { id } }'))["customer"]["id"]
    numbers = ids.parse("cus", found, 1)
    assert numbers is not None
    wrong = (await client.must("createEmbedToken", customer="ending"))["token"]
    import jwt  # noqa: PLC0415

    claims = jwt.decode(wrong, options={"verify_signature": False})
    token, _ = mint_token(
        TokenKey(SECRET_KEY),
        workspace_id=claims["ws"],
        customer_id=numbers[0],
        scopes=claims["scopes"],
        ttl_s=3,
        now=datetime.now(UTC),
    )

    async def nothing() -> None:
        pass

    return token, nothing


async def end_of_a_key(world: World, client: Client) -> tuple[str, Callable[[], Awaitable[None]]]:
    made = await client.must("createApiKey", name="short-lived", role="BACKEND")

    async def revoke() -> None:
        await client.must("revokeApiKey", id=made["apiKey"]["id"])

    return made["secret"], revoke


@pytest.mark.parametrize("ending", [end_of_a_token, end_of_a_key])
async def test_a_credential_that_ends_while_subscribed_closes_the_socket_with_4403(
    world: World, ending: Callable[[World, Client], Awaitable[tuple[str, Callable[[], Awaitable[None]]]]]
):
    """W4, T9: within five seconds; never 4401, which stock clients take for the end of all trying."""
    client = await customer(world, "ending", "4")
    credential, end = await ending(world, client)
    async with socket(world.url, credential) as opened:
        message = await told(opened, "1", BALANCE_UPDATED, customer="ending", type="ai")
        assert message["type"] == "next"
        await end()
        assert await until_closed(opened, within_s=8) == 4403


async def test_a_hundred_subscribers_that_leave_take_nothing_with_them(world: World):
    """W9: those who stay are told; whoever left is not waited for."""
    client = await customer(world, "crowd", "1000")
    async with following(client, BALANCE_UPDATED, customer="crowd", type="ai") as staying:
        await staying.until(bool)

        async def visit(number: int) -> None:
            async with socket(world.url, world.secret) as opened:
                assert (await told(opened, "1", BALANCE_UPDATED, customer="crowd", type="ai"))["type"] == "next"
                if number % 2:
                    opened.transport.abort()  # without a word

        for part in range(5):
            await asyncio.gather(*(visit(number) for number in range(20)))
            await client.must("burn", customer="crowd", creditType="ai", amount="1", idempotencyKey=f"b{part}")
        await staying.until(lambda seen: seen[-1]["available"] == "995")
        check_never_back(staying.seen)
