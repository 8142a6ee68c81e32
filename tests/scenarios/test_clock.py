"""A test workspace's clock moved forward: what falls due on the way is recorded at its due instant, in order.

The whole ledger of each story is compared with the reference model, which knows nothing of jobs or sweeps.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.harness.client import Client
from tests.harness.documents import CHECK
from tests.harness.history import History
from tests.harness.replay import compare_state, instant, read_account, replay
from tests.harness.world import TYPES, give
from tests.model.rating import micro

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
async def client(world):
    return await world.client()


class Story:
    """One customer's doings, told in hours from its beginning."""

    def __init__(self, client: Client, customer: str, begin: datetime) -> None:
        self.client, self.customer, self.begin = client, customer, begin
        self.history = History()
        self.step = 0

    @classmethod
    async def open(cls, client: Client, customer: str) -> "Story":
        await client.must("upsertCustomer", key=customer)
        return cls(client, customer, datetime.fromisoformat(await client.now()))

    def at(self, hours: float) -> str:
        return (self.begin + hours * HOUR).isoformat()

    async def do(self, verb: str, **fields: Any) -> Any:
        self.step += 1
        if verb in ("grantCredits", "burn", "hold"):
            fields = {"customer": self.customer, "creditType": "ai", **fields}
        if verb != "extendHold":
            fields["idempotencyKey"] = f"s{self.step}"
        return (await self.history.perform(self.client, self.customer, "ai", verb, **fields)).reply

    async def advance(self, hours: float) -> list[str]:
        reply = await self.client.must("advanceClock", to=self.at(hours))
        assert instant(reply["now"]) >= instant(self.at(hours))
        return list(reply["happened"])

    async def lines(self) -> list[tuple[str, float]]:
        """Kind and the hour it was recorded at, of each entry by the clock."""
        hours = []
        for entry in await self.client.ledger(self.customer):
            recorded = datetime.fromisoformat(entry["recordedAt"]) - self.begin
            hours.append((entry["kind"], round(recorded / HOUR, 2)))
        return hours

    async def check(self, *, floor: int | None = 0) -> None:
        pages = await read_account(self.client, self.customer, "ai")
        result = replay(pages, self.history, self.customer, "ai", order=TYPES["ai"], floor=floor)
        compare_state(pages, result.model)


async def test_what_falls_due_on_the_way_happens_in_order_at_its_own_instant(client):
    story = await Story.open(client, "in-order")
    await story.do("grantCredits", amount="10", expiresAt=story.at(48))
    await story.do("grantCredits", amount="20", effectiveAt=story.at(24), expiresAt=story.at(72))
    held = (await story.do("hold", amount="4", ttl="P4D"))["hold"]["id"]
    await story.do("grantCredits", amount="5", effectiveAt=story.at(120))
    happened = await story.advance(200)
    assert happened, "what happened is told"
    assert await story.lines() == [
        ("GRANT", 0.0),
        ("HOLD", 0.0),
        ("GRANT", 24.0),
        ("EXPIRE", 48.0),
        ("EXPIRE", 72.0),
        ("LAPSE", 96.0),
        ("EXPIRE", 96.0),
        ("GRANT", 120.0),
    ]
    assert (await story.do("settle", hold=held, amount="1")).code == "HOLD_NOT_OPEN"
    await story.check()


async def test_at_one_instant_expiries_come_before_lapses_before_grants_before_the_burn(client):
    story = await Story.open(client, "one-instant")
    meet = story.at(24)
    held = (await story.do("hold", amount="1", ttl="PT1S")).code
    assert held == "INSUFFICIENT_CREDITS"
    await story.do("grantCredits", amount="5", expiresAt=meet)
    await story.do("grantCredits", amount="3", effectiveAt=meet)
    await story.advance(24)
    kinds = [kind for kind, _ in await story.lines()]
    assert kinds == ["GRANT", "EXPIRE", "GRANT"]
    assert (await story.do("burn", amount="3.001")).code == "INSUFFICIENT_CREDITS"
    assert (await story.do("burn", amount="3")).ok
    await story.check()


async def test_moving_in_one_step_or_in_many_makes_the_same_ledger(client):
    ledgers = []
    for name, stops in (("one-step", [90.0]), ("many-steps", [1.0, 23.999, 24.0, 24.001, 47.0, 60.0, 89.0, 90.0])):
        story = await Story.open(client, name)
        for number in range(1, 4):
            await story.do("grantCredits", amount=str(number), expiresAt=story.at(24 * number))
            await story.do(
                "grantCredits", amount="2", effectiveAt=story.at(20 * number), expiresAt=story.at(22 * number)
            )
        await story.do("hold", amount="1", ttl="PT36H")
        for stop in stops:
            await story.advance(stop)
        await story.check()
        amounts = [
            (entry["kind"], entry["amount"], entry["heldAmount"]) for entry in await client.ledger(story.customer)
        ]
        ledgers.append((amounts, await story.lines()))
        # The next story begins where the workspace's clock stands now: hours are counted from there.
    assert ledgers[0] == ledgers[1]


async def test_a_hold_keeps_its_grant_beyond_the_expiry_and_the_rest_expires_at_once(client):
    story = await Story.open(client, "kept")
    await story.do("grantCredits", amount="10", expiresAt=story.at(24))
    first = (await story.do("hold", amount="6", ttl="P3D"))["hold"]["id"]
    second = (await story.do("hold", amount="3", ttl="P3D"))["hold"]["id"]
    await story.advance(30)
    balance = await client.balance("kept")
    assert (micro(balance["balance"]), micro(balance["held"]), micro(balance["available"])) == (
        micro("9"),
        micro("9"),
        0,
    )
    assert (await story.do("settle", hold=first, amount="4")).ok
    assert (await story.do("release", hold=second)).ok
    balance = await client.balance("kept")
    assert (micro(balance["balance"]), micro(balance["expired"]), micro(balance["burned"])) == (
        0,
        micro("6"),
        micro("4"),
    )
    await story.check()


async def test_an_extended_hold_lapses_at_its_new_end(client):
    story = await Story.open(client, "extended")
    await story.do("grantCredits", amount="10")
    held = (await story.do("hold", amount="6", ttl="PT2H"))["hold"]["id"]
    await story.advance(1)
    extended = await story.do("extendHold", hold=held, ttl="PT10H")
    assert round((datetime.fromisoformat(extended["hold"]["expiresAt"]) - story.begin) / HOUR, 2) == 11.0
    await story.advance(10.9)
    assert micro((await client.balance("extended"))["held"]) == micro("6")
    await story.advance(11.1)
    assert await story.lines() == [("GRANT", 0.0), ("HOLD", 0.0), ("LAPSE", 11.0)]
    assert (await story.do("extendHold", hold=held, ttl="PT1H")).code == "HOLD_NOT_OPEN"
    await story.check()


async def test_a_scheduled_grant_pays_the_debt_first_when_its_hour_comes(client):
    await client.must("setPolicy", mode="ENFORCE", customer=await _known(client, "debtor"), overdraftLimit="8")
    story = await Story.open(client, "debtor")
    assert (await story.do("burn", amount="9")).code == "INSUFFICIENT_CREDITS"
    assert (await story.do("burn", amount="5")).ok
    scheduled = await story.do("grantCredits", amount="20", effectiveAt=story.at(5))
    assert (scheduled["grant"]["status"], scheduled.answer["entry"]) == ("SCHEDULED", None)
    await story.advance(6)
    balance = await client.balance("debtor")
    assert (micro(balance["available"]), micro(balance["overdraftLimit"])) == (micro("15"), micro("8"))
    await story.check(floor=micro("8"))


async def _known(client: Client, customer: str) -> str:
    await client.must("upsertCustomer", key=customer)
    return customer


async def test_what_a_release_frees_pays_the_debt_first(client):
    customer = await _known(client, "released")
    await client.must("setPolicy", mode="ENFORCE", customer=customer, overdraftLimit="100")
    story = await Story.open(client, customer)
    await story.do("grantCredits", amount="10")
    held = (await story.do("hold", amount="25", ttl="P1D"))["hold"]["id"]
    assert (await story.do("burn", amount="3")).ok
    assert (await story.do("settle", hold=held, amount="2", partial=True)).ok
    await story.do("grantCredits", amount="4")
    assert (await story.do("release", hold=held)).ok
    assert micro((await client.balance(customer))["available"]) == micro("9")
    await story.check(floor=micro("100"))


async def test_the_clock_moves_forward_alone_and_in_test_workspaces_alone(client, live_world):
    now = datetime.fromisoformat(await client.now())
    back = await client.put("advanceClock", to=(now - HOUR).isoformat())
    assert back.code == "INVALID_INPUT"
    await client.must("advanceClock", to=(now + 40 * DAY).isoformat())
    later = datetime.fromisoformat(await client.now())
    assert timedelta(0) <= later - (now + 40 * DAY) < timedelta(minutes=5), "it goes on running"
    live = await live_world.client()
    refused = await live.put("advanceClock", to=(now + 400 * DAY).isoformat())
    assert refused.outcome == "refused"
    assert datetime.fromisoformat(await live.now()) < now + DAY


async def test_reads_show_what_is_due_also_where_nothing_was_written_since(client):
    customer = await _known(client, "reader")
    now = datetime.fromisoformat(await client.now())
    await give(client, customer, "10", "g", expiresAt=(now + 2 * HOUR).isoformat())
    await client.must("advanceClock", to=(now + 3 * HOUR).isoformat())
    balance = await client.balance(customer)
    assert (micro(balance["available"]), micro(balance["expired"])) == (0, micro("10"))
    (grant,) = await client.grants(customer)
    assert grant["status"] == "EXPIRED"
    check = await client.ask(CHECK, input={"customer": customer, "creditType": "ai", "amount": "1"})
    assert check["check"]["allowed"] is False
    assert check["check"]["reason"]["code"] == "INSUFFICIENT_CREDITS"


@pytest.mark.parametrize("credit_type", TYPES)
async def test_each_burn_order_over_the_api_is_the_models(client, credit_type):
    customer = await _known(client, f"order-{credit_type}")
    history = History()
    now = datetime.fromisoformat(await client.now())
    cost = {"amount": "0.05", "currency": "USD"}
    grants: list[dict[str, Any]] = [
        {"priority": 50},
        {"priority": 10, "expiresAt": (now + 9 * DAY).isoformat(), "costBasis": cost},
        {"priority": 50, "expiresAt": (now + 5 * DAY).isoformat()},
        {"priority": 50, "expiresAt": (now + 5 * DAY).isoformat(), "effectiveAt": (now - HOUR).isoformat()},
        {"priority": 90, "effectiveAt": (now - 2 * HOUR).isoformat(), "costBasis": cost},
    ]
    base = {"customer": customer, "creditType": credit_type}
    for number, fields in enumerate(grants):
        await history.perform(
            client, customer, credit_type, "grantCredits", **base, amount="7", **fields, idempotencyKey=f"g{number}"
        )
    for number, amount in enumerate(("3", "5", "10", "4.5", "12.5")):
        await history.perform(client, customer, credit_type, "burn", **base, amount=amount, idempotencyKey=f"b{number}")
    assert {operation.reply.outcome for operation in history} == {"ok"}
    pages = await read_account(client, customer, credit_type)
    result = replay(pages, history, customer, credit_type, order=TYPES[credit_type], floor=0)
    compare_state(pages, result.model)
    assert micro(pages.balance["available"]) == 0
