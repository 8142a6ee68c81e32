"""Two tenants with something of everything, and documents aimed from one at the other: see test_isolation.py."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)
from websockets.asyncio.client import connect

from schema.permission import SCOPES, root_fields
from schema.schema import build
from tests.harness.client import Client
from tests.harness.documents import WEBHOOKS
from tests.harness.server import Server
from tests.harness.world import CATALOG, PACK, build_world

REAL = build()
FIELDS = dict(root_fields(REAL))
ROLES = ("VIEWER", "INGEST", "BACKEND", "SUPPORT", "SALES", "FINANCE", "ADMIN")
CANARY = "canary-7f3a"  # in everything of the victim that can carry text

# What each field is aimed with: literals, `{name}` is a thing of the victim, or a made-up one of the same form.
_SPEND = '{{customer: "{customer}", creditType: "ai", amount: "1", idempotencyKey: "{fresh}"}}'
_RULE = 'enabled: true, threshold: "5", bundle: "pack", monthlyCap: {{amount: "90", currency: "EUR"}}'
AIMED: dict[str, str] = {
    "Query.viewer": "",
    "Query.customer": '(key: "{customer}")',
    "Query.customers": '(search: "{customer}")',
    "Query.catalog": "",
    "Query.entry": '(id: "{entry}")',
    "Query.event": '(source: "{source}", eventId: "{event}")',
    "Query.hold": '(id: "{hold}")',
    "Query.topUp": '(id: "{top_up}")',
    "Query.paymentIssues": "",
    "Query.check": '(input: {{customer: "{customer}", creditType: "ai", amount: "1"}})',
    "Query.deadLetters": "",
    "Query.disputes": "",
    "Query.policies": "",
    "Query.auditLog": '(subject: "{customer}")',
    "Query.reconciliation": "",
    "Query.apiKeys": "",
    "Query.revenue": '(from: "2020-01-01", to: "2030-01-01", creditType: "ai", currency: "USD")',
    "Query.revenueByCurrency": '(from: "2020-01-01", to: "2030-01-01", creditType: "ai")',
    "Query.journal": '(from: "2020-01-01", to: "2030-01-01")',
    "Query.webhookEndpoints": "",
    "Mutation.grantCredits": f"(input: {_SPEND})",
    "Mutation.grantMany": f"(inputs: [{_SPEND}])",
    "Mutation.burn": f"(input: {_SPEND})",
    "Mutation.burnMany": f"(inputs: [{_SPEND}])",
    "Mutation.hold": f"(input: {_SPEND})",
    "Mutation.settle": '(input: {{hold: "{hold}", amount: "1", idempotencyKey: "{fresh}"}})',
    "Mutation.release": '(hold: "{hold}", idempotencyKey: "{fresh}")',
    "Mutation.extendHold": '(hold: "{hold}", ttl: "PT1H")',
    "Mutation.voidGrant": '(grant: "{grant}", reason: OTHER, idempotencyKey: "{fresh}")',
    "Mutation.extendGrant": '(grant: "{grant}", reason: OTHER, idempotencyKey: "{fresh}")',
    "Mutation.reverseBurn": '(entry: "{entry}", reason: OTHER, idempotencyKey: "{fresh}")',
    "Mutation.openDispute": '(entries: ["{entry}"], reason: "r")',
    "Mutation.withdrawDispute": '(id: "{dispute}")',
    "Mutation.updateDispute": '(id: "{dispute}", note: "n")',
    "Mutation.resolveDispute": '(id: "{dispute}", uphold: true, resolution: "r", idempotencyKey: "{fresh}")',
    "Mutation.startTopUp": '(input: {{customer: "{customer}", bundle: "pack", idempotencyKey: "{fresh}"}})',
    "Mutation.cancelTopUp": '(id: "{top_up}")',
    "Mutation.refundTopUp": '(id: "{top_up}", reason: OTHER, note: "n", idempotencyKey: "{fresh}")',
    "Mutation.setupPaymentMethod": '(customer: "{customer}")',
    "Mutation.setRecharge": f'(input: {{{{customer: "{{customer}}", creditType: "ai", {_RULE}}}}})',
    "Mutation.resolvePaymentIssue": '(id: "{issue}", note: "n")',
    "Mutation.ingestEvents": '(events: [{{id: "{fresh}", source: "s", type: "llm.tokens", subject: "{customer}", data: {{}}}}])',
    "Mutation.upsertCustomer": '(input: {{key: "{fresh}"}})',
    "Mutation.createEmbedToken": '(input: {{customer: "{customer}"}})',
    "Mutation.applyCatalog": '(document: {{creditTypes: [{{key: "{fresh}"}}]}}, dryRun: true)',
    "Mutation.setPolicy": '(input: {{mode: OFF, customer: "{customer}"}})',
    "Mutation.removePolicy": '(id: "{policy}")',
    "Mutation.killSwitch": '(on: false, reason: "{fresh}")',
    "Mutation.upsertMember": '(customer: "{customer}", key: "{fresh}", name: "n")',
    "Mutation.setLimit": '(customer: "{customer}", input: {{creditType: "ai", amount: "5", window: DAY}})',
    "Mutation.removeLimit": '(id: "{limit}")',
    "Mutation.createApiKey": '(name: "n", role: VIEWER)',
    "Mutation.revokeApiKey": '(id: "{key}")',
    "Mutation.createWebhookEndpoint": '(url: "https://8.8.8.8/{fresh}", events: ["topup.failed"])',
    "Mutation.removeWebhookEndpoint": '(id: "{webhook}")',
    "Mutation.rotateWebhookSecret": '(id: "{webhook}")',
    "Mutation.enableWebhookEndpoint": '(id: "{webhook}", enabled: false)',
    "Mutation.replayWebhook": '(id: "{delivery}")',
    "Mutation.advanceClock": '(to: "2020-01-01T00:00:00Z")',
    "Mutation.retryDeadLetters": '(ids: ["{letter}"])',
    "Mutation.discardDeadLetters": '(ids: ["{letter}"], note: "n")',
    "Mutation.setLateEventCutoff": '(customer: "{customer}")',
    "Subscription.balanceUpdated": '(customer: "{customer}")',
    "Subscription.ledgerEntryAdded": '(customer: "{customer}")',
    "Subscription.topUpUpdated": '(id: "{top_up}")',
    "Subscription.disputeUpdated": '(customer: "{customer}")',
    "Subscription.enforcementChanged": '(customer: "{customer}")',
}
# Of tables that the server itself writes to: what it does not.
STEADY = {
    "webhook_endpoints": "id, url, events, enabled, salt, previous_salt",
    "webhook_messages": "customer_id, key, body",
    "webhook_deliveries": "customer_id, id, message, endpoint_id",
    "top_ups": "customer_id, number, status, version, changed_at",  # the reconciler looks again, and finds nothing new
}
# Type → the scope that lets a customer see it.
SHOWN_BY = {
    "Balance": "balance:read",
    "Runway": "balance:read",
    "Expiration": "balance:read",
    "Explanation": "ledger:read",
    "LedgerEntry": "ledger:read",
    "Hold": "ledger:read",
    "Allocation": "ledger:read",
    "UsageEvent": "usage:read",
    "EffectiveEnforcement": "limits:read",
    "Dispute": "dispute:create",
    "DisputeEvent": "dispute:create",
    "SpendLimit": "limits:read",
    "TopUp": "topup:create",
    "TopUpConnection": "topup:create",
    "PaymentMethod": "recharge:manage",
    "Member": "usage:read",
    "UsageSeries": "usage:read",
}
# Arguments that fields below the root need.
_SPAN = 'creditType: "ai", from: "2020-01-01T00:00:00Z", to: "2030-01-01T00:00:00Z"'
BELOW = {
    "Customer.balance": '(creditType: "ai")',
    "Customer.explain": f"({_SPAN})",
    "Customer.recharge": '(creditType: "ai")',
    "Customer.runway": '(creditType: "ai")',
    "Customer.usage": f"({_SPAN}, interval: MONTH, groupBy: MEMBER)",
    "Member.burned": f"({_SPAN})",
}


# ─── documents, written from the schema ────────────────────────────────────────────────────────────
def selection(type_: Any, depth: int, *, member: bool = False, written: dict[str, str] | None = None) -> str:
    """Everything that can be asked of a type, to that depth. With `written`, what is below is a fragment, kept there:
    a document that wrote each of them wherever it stands would be longer than a token may send."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType):
        parts = [
            f"... on {inner.name} {selection(inner, depth, member=True, written=written)}" for inner in named.types
        ]
        return "{ __typename " + " ".join(parts) + " }"
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    parts = ["__typename"]
    for name, inner in named.fields.items():
        leaf = is_leaf_type(get_named_type(inner.type))
        if leaf or depth > 1:
            # One name means different things in different members of a union.
            alias = f"{named.name}_{name}: " if member and not leaf else ""
            aim = BELOW.get(f"{named.name}.{name}", "")
            parts.append(f"{alias}{name}{aim} {_below(inner.type, depth - 1, written)}")
    return "{ " + " ".join(parts) + " }"


def _below(type_: Any, depth: int, written: dict[str, str] | None) -> str:
    named = get_named_type(type_)
    if written is None or not isinstance(named, GraphQLObjectType):
        return selection(type_, depth, written=written)
    if all(is_leaf_type(get_named_type(inner.type)) for inner in named.fields.values()):
        depth = 1  # the same at any depth
    name = f"{named.name}{depth}"
    if name not in written:
        written[name] = ""  # a type within itself has less depth, and so another name
        written[name] = f"fragment {name} on {named.name} {selection(type_, depth, written=written)}"
    return f"{{ ...{name} }}"


def document(name: str, victim: dict[str, str], depth: int) -> str:
    root, short = name.split(".")
    written: dict[str, str] = {}
    asked = selection(FIELDS[name].type, depth, written=written)
    return f"{root.lower()} {{ {short}{AIMED[name].format(**victim)} {asked} }} {' '.join(written.values())}"


# ─── two tenants ───────────────────────────────────────────────────────────────────────────────────
@dataclass
class Tenants:
    """A victim's workspace with a bystander's and the victim's things; another tenant who knows all their ids."""

    url: str
    keys: dict[str, str]  # role → secret key of the victim's workspace
    other: str  # ADMIN key of another workspace
    victim: dict[str, str]
    made_up: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)

    async def ask(self, credential: str | None, query: str) -> tuple[int, Any]:
        client = self.clients.setdefault(credential or "", Client(self.url, credential or ""))
        headers = {"Content-Type": "application/json"}
        if credential is not None:
            headers["Authorization"] = f"Bearer {credential}"
        answer = await client.wire.request("POST", "/graphql", headers, orjson.dumps({"query": query}))
        return answer.status, orjson.loads(answer.body)

    async def answers(self, credential: str, query: str) -> list[Any]:
        """The first answer to a subscription, data or error, then what a query on the same socket says."""
        address = self.url.replace("http", "ws", 1) + "/graphql"
        async with asyncio.timeout(20), connect(address, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            init = {"type": "connection_init", "payload": {"authorization": f"Bearer {credential}"}}
            await socket.send(json.dumps(init))
            assert json.loads(await socket.recv())["type"] == "connection_ack"
            found = []
            for number, text in enumerate((query, "{ viewer { kind } }")):
                await socket.send(json.dumps({"id": str(number), "type": "subscribe", "payload": {"query": text}}))
                while (message := json.loads(await socket.recv())).get("id") != str(number):
                    pass
                found.append(message)
            return found

    def close(self) -> None:
        for client in self.clients.values():
            client.wire.drop()


async def fill(admin: Client, customer: str) -> dict[str, str]:
    """Things of a customer, each with the canary where it can carry text; what they are called."""
    await admin.must(
        "upsertCustomer", key=customer, name=f"Name {CANARY}", email=f"{CANARY}@x.test", metadata={"a": CANARY}
    )
    amount = {"customer": customer, "creditType": "ai"}
    fields = {"note": CANARY, "metadata": {"a": CANARY}}
    granted = await admin.must("grantCredits", **amount, amount="1000", idempotencyKey=f"{CANARY}-g", **fields)
    told = await admin.must("createWebhookEndpoint", url=f"https://8.8.8.8/{CANARY}", events=["dispute.opened"])
    burned = await admin.must("burn", **amount, amount="7", note=CANARY, member=CANARY, idempotencyKey=f"{CANARY}-b")
    contested = await admin.must("openDispute", entries=[burned["entry"]["id"]], reason=CANARY)
    await admin.must("updateDispute", id=contested["dispute"]["id"], assignee=CANARY, note=CANARY)
    await admin.must("enableWebhookEndpoint", id=told["endpoint"]["id"], enabled=False)
    ((delivery,),) = [each["deliveries"] for each in (await admin.ask(WEBHOOKS))["webhookEndpoints"]]
    held = await admin.must("hold", **amount, amount="5", member=CANARY, idempotencyKey=f"{CANARY}-h")
    await admin.must("upsertMember", customer=customer, key=CANARY, name=f"Member {CANARY}", group=CANARY)
    capped = {"creditType": "ai", "amount": "20", "window": "MONTH", "member": CANARY, "group": CANARY}
    limit = await admin.must("setLimit", customer=customer, input=capped)
    await admin.must("setLimit", customer=customer, input={"creditType": "ai", "amount": "900", "window": "DAY"})
    policy = await admin.must("setPolicy", mode="SOFT", customer=customer)
    key = await admin.must("createApiKey", name=CANARY, role="VIEWER")
    data = {"input_tokens": 5, "output_tokens": 1, "secret": CANARY}
    for number, type_ in enumerate(("llm.tokens", CANARY)):
        event = {"specversion": "1.0", "source": CANARY, "id": f"{CANARY}-{number}", "type": type_}
        await admin.send_events([{**event, "subject": customer, "data": data}])
    (letter,) = await admin.dead_letters("UNKNOWN_TYPE")
    await admin.must("applyCatalog", document={"bundles": [PACK]})
    bought = await admin.must("startTopUp", customer=customer, bundle="pack", idempotencyKey=f"{CANARY}-t")
    rule = {"creditType": "ai", "threshold": "5", "bundle": "pack", "monthlyCap": {"amount": "90", "currency": "EUR"}}
    await admin.must("setRecharge", customer=customer, enabled=True, **rule)
    return {
        "customer": customer,
        "letter": letter["id"],
        "entry": burned["entry"]["id"],
        "grant": granted["grant"]["id"],
        "dispute": contested["dispute"]["id"],
        "top_up": bought["topUp"]["id"],
        "issue": "iss_1",
        "hold": held["hold"]["id"],
        "policy": policy["policy"]["id"],
        "limit": limit["limit"]["id"],
        "key": key["apiKey"]["id"],
        "webhook": told["endpoint"]["id"],
        "delivery": delivery["id"],
        "source": CANARY,
        "event": f"{CANARY}-0",
        "fresh": f"fresh-{uuid4()}",
    }


def made_up(victim: dict[str, str]) -> dict[str, str]:
    """Names of the same form that nobody has."""
    last = {name: value[:-1] + ("1" if value[-1] == "0" else "0") for name, value in victim.items()}
    entry, hold, grant, dispute = (victim[name].split("_") for name in ("entry", "hold", "grant", "dispute"))
    return {
        **last,
        "entry": "_".join([*entry[:-1], "zzz"]),
        "hold": "_".join([*hold[:-1], "zzz"]),
        "grant": "_".join([*grant[:-1], "zzz"]),
        "dispute": "_".join([*dispute[:-1], "zzz"]),
        "top_up": "_".join([*victim["top_up"].split("_")[:-1], "zzz"]),
        "issue": "iss_zzzz",
        "policy": "pol_zzzz",
        "limit": "_".join([*victim["limit"].split("_")[:-1], "zzz"]),
        "key": "key_zzzz",
        "webhook": "whe_zzzz",
        "delivery": "_".join([*victim["delivery"].split("_")[:-1], "zzz"]),
        "customer": f"nobody-{uuid4()}",
        "source": "nowhere",
        "event": "never",
    }


@pytest.fixture(scope="module")
async def tenants(server: Server) -> AsyncIterator[Tenants]:
    name = f"victim-{uuid4()}"
    keys = {"ADMIN": await server.create_key(name, "ADMIN")}
    other = await server.create_key(f"stranger-{uuid4()}", "ADMIN")
    async with Client(server.url, keys["ADMIN"]) as admin:
        for role in set(ROLES) - {"ADMIN"}:
            keys[role] = (await admin.must("createApiKey", name="a role", role=role))["secret"]
        await build_world(admin, [])
        await admin.must("upsertCustomer", key="bystander")
        await admin.must("grantCredits", customer="bystander", creditType="ai", amount="1", idempotencyKey="g")
        victim = await fill(admin, f"victim-{CANARY}")
        tokens = {}
        for who, customer in (("victim", victim["customer"]), ("bystander", "bystander")):
            for scopes in [sorted(SCOPES), [], *([scope] for scope in sorted(SCOPES))]:
                made = await admin.must("createEmbedToken", customer=customer, scopes=scopes, ttlSeconds=900)
                tokens[f"{who} {','.join(scopes) if len(scopes) < 2 else 'all'}"] = made["token"]
    async with Client(server.url, other) as stranger:
        await stranger.must("applyCatalog", document=CATALOG)
        await stranger.must("upsertCustomer", key="own")
    opened = Tenants(server.url, keys, other, victim, made_up(victim), tokens)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
async def owner(server: Server) -> AsyncIterator[asyncpg.Connection]:
    """Who sees everything, to find out whether anything changed."""
    connection = await asyncpg.connect(server.settings["DATABASE_URL"])
    yield connection
    await connection.close()


async def everything_of(owner: asyncpg.Connection, tenants: Tenants) -> dict[str, list[Any]]:
    """Every row of the victim's workspace, but for when its keys were used."""
    workspace = await owner.fetchval("SELECT workspace_id FROM customers WHERE key = $1", tenants.victim["customer"])
    tables = (
        "customers",
        "accounts",
        "grants",
        "holds",
        "entries",
        "policies",
        "credit_types",
        "usage_events",
        "disputes",
        "dispute_entries",
        "dispute_events",
        "top_ups",
        "paybacks",
        "payment_methods",
        "payment_issues",
        "money_movements",
        "members",
        "spend_limits",
        "limit_windows",
        "api_keys",
    )
    found = {
        table: [
            tuple(row.values())
            for row in await owner.fetch(
                f"SELECT * FROM {table} WHERE workspace_id = $1 ORDER BY 1, 2, 3, 4, 5", workspace
            )
        ]
        for table in tables
        if table != "api_keys"
    }
    for table, steady in STEADY.items():
        rows = await owner.fetch(f"SELECT {steady} FROM {table} WHERE workspace_id = $1 ORDER BY 1, 2", workspace)
        found[table] = [tuple(row.values()) for row in rows]
    found["api_keys"] = [
        tuple(row.values())
        for row in await owner.fetch(
            "SELECT id, role, revoked_at FROM api_keys WHERE workspace_id = $1 ORDER BY id", workspace
        )
    ]
    return found


def without_names(answer: Any, names: dict[str, str]) -> str:
    """The answer as text, without the names that were asked for, instants and request ids."""
    text = json.dumps(answer, sort_keys=True)
    for name, value in sorted(names.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"<{name}>")
    return text


def requests() -> Iterator[tuple[str, GraphQLField]]:
    """Root fields that are asked over HTTP."""
    for name, field_ in FIELDS.items():
        if not name.startswith("Subscription."):
            yield name, field_
