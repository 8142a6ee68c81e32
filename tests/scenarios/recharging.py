"""A customer whose rule buys, as its host sees it: GraphQL to set the rule and to burn, the sandbox's card to pay."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from tests.harness.client import Client, Json
from tests.harness.wire import Wire
from tests.harness.world import give

BUNDLES = [
    {
        "key": "refill",
        "name": "A refill",
        "creditType": "ai",
        "credits": "1000",
        "price": {"amount": "10.00", "currency": "USD"},
    }
]
RULE = """fragment R on RechargeRule { enabled threshold target bundle { key } suspendedReason paymentMethod nextAttemptAt
  monthlyCap { amount currency } spentThisMonth { amount currency }
  attempts(first: 500) { id status automatic quantity failure price { amount } grant { source amount } } }"""
SET = f"""mutation($input: RechargeInput!) {{ answer: setRecharge(input: $input) {{
  ... on RechargeOk {{ rule {{ ...R }} }} ... on InvalidInput {{ code message field }} ... on NotFound {{ code message }}
  ... on NotAllowed {{ code message }} }} }} {RULE}"""
READ = f'query($key: String!) {{ customer(key: $key) {{ recharge(creditType: "ai") {{ ...R }} }} }} {RULE}'


class Ruled:
    """One customer, asked for by one caller."""

    def __init__(self, client: Client, key: str) -> None:
        self.client, self.key = client, key

    async def begin(self, amount: str = "1000", card: str | None = "ok") -> None:
        await self.client.must("upsertCustomer", key=self.key)
        await give(self.client, self.key, amount, f"{self.key}-given")
        if card is not None:
            await self.card(card)

    async def card(self, kind: str) -> None:
        wire = Wire(self.client.url)
        headers = {"accept": "application/json", "authorization": f"Bearer {self.client.secret}"}
        assert (await wire.request("POST", f"/sandbox/setup/{self.key}/{kind}", headers)).status == 200
        wire.drop()

    async def set(self, **wish: Any) -> Json:
        fixed = {"creditType": "ai", "enabled": True, "threshold": "100", "bundle": "refill"}
        cap = {"monthlyCap": {"amount": "100.00", "currency": "USD"}}
        found: Json = (await self.client.ask(SET, input={"customer": self.key, **fixed, **cap, **wish}))["answer"]
        return found

    async def rule(self) -> Json:
        found: Json = (await self.client.ask(READ, key=self.key))["customer"]["recharge"]
        return found

    async def burn(self, amount: str, name: str, client: Client | None = None) -> None:
        fields = {
            "customer": self.key,
            "creditType": "ai",
            "amount": amount,
            "idempotencyKey": f"{self.key}-{name}".replace(" ", "-"),
        }
        await (client or self.client).must("burn", **fields)

    async def available(self) -> Decimal:
        return Decimal((await self.client.balance(self.key))["available"])

    async def until(self, so: Callable[[Json], bool], within_s: float = 30) -> Json:
        """The rule, once it is so."""

        async def found() -> Json | None:
            rule = await self.rule()
            return rule if so(rule) else None

        return await until(found, within_s)


async def until(found: Callable[[], Awaitable[Any]], within_s: float = 30) -> Any:
    ends = time.monotonic() + within_s
    while not (answer := await found()):
        assert time.monotonic() < ends, f"not within {within_s:g} s"
        await asyncio.sleep(0.05)
    return answer


def ended(count: int = 1) -> Callable[[Json], bool]:
    """So many attempts, all of them ended."""
    return lambda rule: len(rule["attempts"]) >= count and all(each["status"] != "PENDING" for each in rule["attempts"])
