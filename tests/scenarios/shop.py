"""A shop whose server is paid by the fake Stripe: what people buy, and what has become of it in every book."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import asyncpg
import orjson

from tests.harness.client import Client, Json, Reply, classify
from tests.harness.server import Server
from tests.harness.stripe.handle import TEST_KEY, Handle
from tests.harness.wire import Lost
from tests.harness.world import build_world

SECRETS = ("whsec_the_first_of_two", "whsec_the_second_of_two")
RETURN = "https://shop.example/credits"
CREDITS = 100
PRICE = 500  # minor units
BUNDLE = {
    "key": "pack",
    "name": "100 credits",
    "creditType": "ai",
    "credits": str(CREDITS),
    "bonus": "0",
    "price": {"amount": "5.00", "currency": "USD"},
}

TOP_UP = """fragment P on TopUp {
  id status credits checkoutUrl clientSecret failure quantity price { amount } refunded { amount } grant { id }
}"""
REFUSED = "... on Refusal { code message }"
MUTATIONS = {
    "startTopUp": f"""mutation($input: TopUpInput!) {{ answer: startTopUp(input: $input) {{
        __typename ... on TopUpOk {{ topUp {{ ...P }} }} {REFUSED} }} }} {TOP_UP}""",
    "cancelTopUp": f"""mutation($id: ID!) {{ answer: cancelTopUp(id: $id) {{
        __typename ... on TopUpOk {{ topUp {{ ...P }} }} {REFUSED} }} }} {TOP_UP}""",
    "refundTopUp": f"""mutation($id: ID!, $amount: MoneyInput, $key: String!) {{
        answer: refundTopUp(id: $id, amount: $amount, reason: GOODWILL, idempotencyKey: $key) {{
        __typename ... on TopUpOk {{ topUp {{ ...P }} }} {REFUSED} }} }} {TOP_UP}""",
    "setupPaymentMethod": f"""mutation($customer: String) {{ answer: setupPaymentMethod(customer: $customer) {{
        __typename ... on PaymentSetupOk {{ url }} {REFUSED} }} }}""",
}
READ = f"query($id: ID!) {{ topUp(id: $id) {{ ...P }} }} {TOP_UP}"
ISSUES = "query { paymentIssues(resolved: null) { kind expected actual event } }"
METHODS = "query($key: String!) { customer(key: $key) { paymentMethods { label expires isDefault } } }"


def stripe_settings(fake: Handle, every: str = "PT1S") -> dict[str, str]:
    return {
        "stripe_secret_key": TEST_KEY,
        "stripe_webhook_secret": ",".join(SECRETS),
        "stripe_api_base": fake.url,
        "payments_every": every,
    }


async def eventually(found: Callable[[], Awaitable[Any]], within_s: float = 30.0) -> Any:
    """What it answers once that is true."""
    until = time.monotonic() + within_s
    while True:
        answer = await found()
        if answer or time.monotonic() > until:
            assert answer, f"not within {within_s:g} s"
            return answer
        await asyncio.sleep(0.05)


class Shop:
    """One workspace that sells packs of 100 credits for 5.00 USD."""

    def __init__(self, server: Server, fake: Handle, secret: str) -> None:
        self.server, self.fake, self.secret = server, fake, secret
        self.client = Client(server.url, secret)

    @classmethod
    async def open(cls, server: Server, fake: Handle) -> "Shop":
        secret = await server.create_key(f"shop-{uuid4()}", "ADMIN", test=True)
        shop = cls(server, fake, secret)
        await build_world(shop.client, [])
        await shop.client.must("applyCatalog", document={"bundles": [BUNDLE]})
        fake.register(f"{server.url}/webhooks/stripe", [SECRETS[0]])
        return shop

    def close(self) -> None:
        self.client.wire.drop()

    # ─── people ──────────────────────────────────────────────────────────────────────────────────────────
    async def customer(self) -> str:
        key = f"customer-{uuid4()}"
        await self.client.must("upsertCustomer", key=key)
        return key

    async def act(self, verb: str, client: Client | None = None, **variables: Any) -> Reply:
        body = orjson.dumps({"query": MUTATIONS[verb], "variables": variables})
        try:
            return classify(verb, await (client or self.client).post("/graphql", body))
        except Lost:
            return Reply(verb, "unknown")

    async def start(
        self,
        customer: str,
        *,
        key: str | None = None,
        quantity: int = 1,
        client: Client | None = None,
        mode: str = "HOSTED",
        replaces: str | None = None,
    ) -> Reply:
        wish = {"customer": customer, "bundle": "pack", "quantity": quantity, "mode": mode, "returnUrl": RETURN}
        wish["replaces"] = replaces
        return await self.act("startTopUp", client, input={**wish, "idempotencyKey": key or str(uuid4())})

    async def buy(self, customer: str, **options: Any) -> Json:
        """A top-up that can be paid."""
        reply = await self.start(customer, **options)
        assert reply.ok, reply
        top_up: Json = reply["topUp"]
        return top_up

    async def paid(self, customer: str | None = None, **options: Any) -> Json:
        """A top-up that is paid and credited."""
        top_up = await self.buy(customer or await self.customer(), **options)
        self.fake.pay(self.session(top_up["id"])["id"])
        return await self.until(top_up["id"], "SUCCEEDED")

    def session(self, top_up: str) -> Json:
        """The checkout of a top-up, as Stripe has it."""
        return next(each for each in self.fake.objects("checkout.session") if each["client_reference_id"] == top_up)

    def charge(self, top_up: str) -> str:
        return str(self.fake.charges(scrip_top_up=top_up)[0]["id"])

    def sent(self, kind: str) -> list[Json]:
        """Every attempt at a webhook of that type."""
        return [each for each in self.fake.sent if each["type"] == kind]  # type: ignore[attr-defined]

    async def counted(self, outcome: str) -> int:
        """How many webhooks had that outcome, by the server's metrics."""
        lines = (await self.client.wire.request("GET", "/metrics", {})).body.decode().splitlines()
        wanted = f'scrip_stripe_webhooks_total{{outcome="{outcome}"}} '
        return next((int(float(line.removeprefix(wanted))) for line in lines if line.startswith(wanted)), 0)

    # ─── books ───────────────────────────────────────────────────────────────────────────────────────────
    async def read(self, top_up: str) -> Json:
        found: Json = (await self.client.ask(READ, id=top_up))["topUp"]
        return found

    async def until(self, top_up: str, status: str, within_s: float = 30.0) -> Json:
        async def so() -> Json | None:
            found = await self.read(top_up)
            return found if found["status"] == status else None

        found: Json = await eventually(so, within_s)
        return found

    async def issues(self) -> list[Json]:
        found: list[Json] = (await self.client.ask(ISSUES))["paymentIssues"]
        return found

    async def balance(self, customer: str) -> int:
        """In whole credits."""
        return int((await self.client.balance(customer))["balance"].partition(".")[0])

    async def sql(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """As the owner of the database, past all walls."""
        connection = await asyncpg.connect(self.server.settings["DATABASE_URL"])
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, *arguments)
            return rows
        finally:
            await connection.close()
