"""Six weeks in a workspace, played on a real server: what the README's audit chapter asks about.

A test workspace has a clock of its own; it is moved through March and April 2040, so that every day that an answer
names is the same whenever this runs. All that happens, happens on the hour.
"""

from typing import Any

from tests.harness.client import Client, Json

WORKSPACE = "acme"
TOKENS = {
    "key": "output-tokens",
    "name": "Output tokens",
    "eventType": "chat.answer",
    "quantity": "tokens",
    "unit": "token",
}
IMAGES = {"key": "images", "name": "Images", "eventType": "image.made", "quantity": "count", "unit": "image"}
RATES: list[Json] = [
    {"feature": "output-tokens", "creditType": "ai", "perUnit": "0.002"},
    {"feature": "output-tokens", "creditType": "ai", "perUnit": "0.010", "match": {"model": "large"}},
]
CATALOG: Json = {
    "creditTypes": [{"key": "ai", "name": "AI credits", "unitSingular": "credit", "unitPlural": "credits", "scale": 3}],
    "features": [TOKENS],
    "rateCards": [{"cohort": "default", "rates": RATES}],
}
WITH_IMAGES: Json = {
    "features": [TOKENS, IMAGES],
    "rateCards": [
        {
            "cohort": "default",
            "existing": "follow",
            "effectiveAt": "2040-03-01T09:00:00Z",
            "rates": [*RATES, {"feature": "images", "creditType": "ai", "perUnit": "2"}],
        }
    ],
}
_LETTERS = "query($outcome: EventOutcome) { deadLetters(outcome: $outcome) { edges { node { id } } } }"
_BURN_OF = "query($source: String!, $id: String!) { event(source: $source, eventId: $id) { entries { id } } }"
_RETRY = "mutation($ids: [ID!]!, $late: Boolean) { retryDeadLetters(ids: $ids, acceptLate: $late) { accepted } }"
_SOURCE = "gateway"


async def play(client: Client) -> dict[str, str]:
    """Everything, in order. What is random of each customer's ids, by the customer's key."""
    await clock(client, "2040-03-01T09:00:00Z")
    await client.must("applyCatalog", document=CATALOG)
    names = {"northwind": "Northwind", "lumen": "Lumen"}
    ids = {
        key: (await client.must("upsertCustomer", key=key, name=name))["customer"]["id"] for key, name in names.items()
    }
    for member, name in {"mia": "Mia", "noor": "Noor"}.items():
        await client.must("upsertMember", customer="northwind", key=member, name=name)
    support = Client(client.url, (await client.must("createApiKey", name="Support desk", role="SUPPORT"))["secret"])
    await march(client)
    await april(client)
    await dispute(client, support)
    await debt(client)
    support.wire.drop()
    return {key: public.removeprefix("cus_") for key, public in ids.items()}


async def clock(client: Client, to: str) -> None:
    await client.must("advanceClock", to=to)


async def buy(client: Client, customer: str, order: str, amount: str) -> None:
    price = {"amount": "0.10", "currency": "EUR"}
    fields = {"customer": customer, "creditType": "ai", "amount": amount, "source": "PURCHASE", "costBasis": price}
    await client.must("grantCredits", **fields, idempotencyKey=order)


async def use(client: Client, event: str, kind: str, time: str, /, **data: Any) -> None:
    """A usage event of Northwind's, however it ends."""
    sent = {"id": event, "source": _SOURCE, "type": kind, "subject": "northwind", "time": time, "data": data}
    await client.must("ingestEvents", events=[sent])


async def march(client: Client) -> None:
    """A trial that ends with the month, two purchases, usage, and a kind of usage that the catalog does not know."""
    trial = {"customer": "northwind", "creditType": "ai", "amount": "20", "source": "TRIAL"}
    await client.must("grantCredits", **trial, expiresAt="2040-04-01T00:00:00Z", idempotencyKey="trial")
    await buy(client, "northwind", "order-1", "30")
    await clock(client, "2040-03-10T14:00:00Z")
    await use(client, "run-1", "chat.answer", "2040-03-10T14:00:00Z", member="mia", model="large", tokens=1500)
    await clock(client, "2040-03-25T10:00:00Z")
    await buy(client, "northwind", "order-2", "100")
    await clock(client, "2040-03-30T16:00:00Z")
    await use(client, "pictures-1", "image.made", "2040-03-30T16:00:00Z", member="mia", count=3)


async def april(client: Client) -> None:
    """After the month was closed: a week's last usage comes in late, some of it too late; images are priced at last."""
    await clock(client, "2040-04-02T09:00:00Z")
    await use(client, "run-3", "chat.answer", "2040-04-02T09:00:00Z", member="mia", tokens=12500)
    await clock(client, "2040-04-03T08:00:00Z")
    nightly = {"member": "noor", "model": "large", "client": "load-test/1.4"}
    await use(client, "run-2", "chat.answer", "2040-03-31T03:00:00Z", **nightly, tokens=2400)
    await use(client, "run-0", "chat.answer", "2040-03-05T12:00:00Z", member="mia", tokens=4000)
    await clock(client, "2040-04-04T11:00:00Z")
    await client.must("applyCatalog", document=WITH_IMAGES)
    unknown = await client.ask(_LETTERS, outcome="UNKNOWN_TYPE")
    letters = [edge["node"]["id"] for edge in unknown["deadLetters"]["edges"]]
    taken = await client.ask(_RETRY, ids=letters)
    assert taken["retryDeadLetters"]["accepted"] == 1, taken


async def dispute(client: Client, support: Client) -> None:
    """Northwind contests the late usage with its own token; Support finds that it is right."""
    await clock(client, "2040-04-05T10:00:00Z")
    token = (await client.must("createEmbedToken", customer="northwind"))["token"]
    own = Client(client.url, token)
    (burn,) = (await client.ask(_BURN_OF, source=_SOURCE, id="run-2"))["event"]["entries"]
    opened = await own.must("openDispute", entries=[burn["id"]], reason="Nobody here works on a Saturday night.")
    own.wire.drop()
    of = {"id": opened["dispute"]["id"]}
    await clock(client, "2040-04-06T09:00:00Z")
    await support.must("updateDispute", **of, status="INVESTIGATING", note="The client is our own load test.")
    words = "Our load test ran with your key."
    await support.must("resolveDispute", **of, uphold=True, resolution=words, idempotencyKey="dispute-1")


async def debt(client: Client) -> None:
    """Lumen may go on without credits, does, and buys more on the day after."""
    await client.must("setPolicy", mode="SOFT", customer="lumen")
    await buy(client, "lumen", "order-8", "10")
    for number, tokens in enumerate(("700", "900"), 1):
        fields = {"feature": "output-tokens", "quantity": tokens, "dimensions": {"model": "large"}}
        await client.must("burn", customer="lumen", **fields, idempotencyKey=f"answer-{number}")
    await clock(client, "2040-04-07T09:00:00Z")
    await buy(client, "lumen", "order-9", "50")
    await clock(client, "2040-04-08T09:00:00Z")
