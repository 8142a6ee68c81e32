"""Nobody sees, or changes, what is another's: every root field of the built schema × everybody who may not.

The documents are written from the schema, with the ids of real things of a victim. A root field that is new here
fails until `AIMED` says how to aim it at somebody.
"""

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

from schema.permission import SCOPES, refusal, root_fields, rule_of
from schema.schema import build
from tests.harness.client import Client
from tests.harness.server import Server
from tests.harness.world import CATALOG, build_world
from tests.schema.test_permission import a_key, a_token

REAL = build()
FIELDS = dict(root_fields(REAL))
ROLES = ("VIEWER", "INGEST", "BACKEND", "SUPPORT", "SALES", "FINANCE", "ADMIN")
CANARY = "canary-7f3a"  # in everything of the victim that can carry text

# What each field is aimed with: literals, `{name}` is a thing of the victim, or a made-up one of the same form.
_SPEND = '{{customer: "{customer}", creditType: "ai", amount: "1", idempotencyKey: "{fresh}"}}'
AIMED: dict[str, str] = {
    "Query.viewer": "",
    "Query.customer": '(key: "{customer}")',
    "Query.customers": '(search: "{customer}")',
    "Query.catalog": "",
    "Query.entry": '(id: "{entry}")',
    "Query.event": '(source: "{source}", eventId: "{event}")',
    "Query.hold": '(id: "{hold}")',
    "Query.check": '(input: {{customer: "{customer}", creditType: "ai", amount: "1"}})',
    "Query.deadLetters": "",
    "Query.policies": "",
    "Query.apiKeys": "",
    "Mutation.grantCredits": f"(input: {_SPEND})",
    "Mutation.grantMany": f"(inputs: [{_SPEND}])",
    "Mutation.burn": f"(input: {_SPEND})",
    "Mutation.burnMany": f"(inputs: [{_SPEND}])",
    "Mutation.hold": f"(input: {_SPEND})",
    "Mutation.settle": '(input: {{hold: "{hold}", amount: "1", idempotencyKey: "{fresh}"}})',
    "Mutation.release": '(hold: "{hold}", idempotencyKey: "{fresh}")',
    "Mutation.extendHold": '(hold: "{hold}", ttl: "PT1H")',
    "Mutation.ingestEvents": '(events: [{{id: "{fresh}", source: "s", type: "llm.tokens", subject: "{customer}", data: {{}}}}])',
    "Mutation.upsertCustomer": '(input: {{key: "{fresh}"}})',
    "Mutation.createEmbedToken": '(input: {{customer: "{customer}"}})',
    "Mutation.applyCatalog": '(document: {{creditTypes: [{{key: "{fresh}"}}]}}, dryRun: true)',
    "Mutation.setPolicy": '(input: {{mode: OFF, customer: "{customer}"}})',
    "Mutation.removePolicy": '(id: "{policy}")',
    "Mutation.createApiKey": '(name: "n", role: VIEWER)',
    "Mutation.revokeApiKey": '(id: "{key}")',
    "Mutation.advanceClock": '(to: "2020-01-01T00:00:00Z")',
    "Subscription.balanceUpdated": '(customer: "{customer}")',
    "Subscription.ledgerEntryAdded": '(customer: "{customer}")',
}
# Arguments that fields below the root need.
BELOW = {"Customer.balance": '(creditType: "ai")'}


def test_every_root_field_has_a_rule_and_an_aim():
    assert set(FIELDS) == set(AIMED), "say in AIMED how a new field is aimed at somebody, and declare who may ask"
    assert [name for name, field in FIELDS.items() if rule_of(field) is None] == []


# ─── documents, written from the schema ────────────────────────────────────────────────────────────
def selection(type_: Any, depth: int, *, member: bool = False) -> str:
    """Everything that can be asked of a type, to that depth."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return ""
    if isinstance(named, GraphQLUnionType):
        parts = [f"... on {inner.name} {selection(inner, depth, member=True)}" for inner in named.types]
        return "{ __typename " + " ".join(parts) + " }"
    assert isinstance(named, GraphQLObjectType | GraphQLInterfaceType)
    parts = ["__typename"]
    for name, inner in named.fields.items():
        leaf = is_leaf_type(get_named_type(inner.type))
        if leaf or depth > 1:
            # One name means different things in different members of a union.
            alias = f"{named.name}_{name}: " if member and not leaf else ""
            aim = BELOW.get(f"{named.name}.{name}", "")
            parts.append(f"{alias}{name}{aim} {selection(inner.type, depth - 1)}")
    return "{ " + " ".join(parts) + " }"


def document(name: str, victim: dict[str, str], depth: int) -> str:
    root, short = name.split(".")
    return f"{root.lower()} {{ {short}{AIMED[name].format(**victim)} {selection(FIELDS[name].type, depth)} }}"


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
    await admin.must("grantCredits", **amount, amount="1000", idempotencyKey=f"{CANARY}-g", **fields)
    burned = await admin.must("burn", **amount, amount="7", note=CANARY, member=CANARY, idempotencyKey=f"{CANARY}-b")
    held = await admin.must("hold", **amount, amount="5", member=CANARY, idempotencyKey=f"{CANARY}-h")
    policy = await admin.must("setPolicy", mode="SOFT", customer=customer)
    key = await admin.must("createApiKey", name=CANARY, role="VIEWER")
    data = {"input_tokens": 5, "output_tokens": 1, "secret": CANARY}
    for number, type_ in enumerate(("llm.tokens", CANARY)):
        event = {"specversion": "1.0", "source": CANARY, "id": f"{CANARY}-{number}", "type": type_}
        await admin.send_events([{**event, "subject": customer, "data": data}])
    return {
        "customer": customer,
        "entry": burned["entry"]["id"],
        "hold": held["hold"]["id"],
        "policy": policy["policy"]["id"],
        "key": key["apiKey"]["id"],
        "source": CANARY,
        "event": f"{CANARY}-0",
        "fresh": f"fresh-{uuid4()}",
    }


def made_up(victim: dict[str, str]) -> dict[str, str]:
    """Names of the same form that nobody has."""
    last = {name: value[:-1] + ("1" if value[-1] == "0" else "0") for name, value in victim.items()}
    entry, hold = (victim[name].split("_") for name in ("entry", "hold"))
    return {
        **last,
        "entry": "_".join([*entry[:-1], "zzz"]),
        "hold": "_".join([*hold[:-1], "zzz"]),
        "policy": "pol_zzzz",
        "key": "key_zzzz",
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


# ─── no credential, or none of ours ────────────────────────────────────────────────────────────────
async def test_without_a_valid_credential_every_field_says_the_same(tenants: Tenants):
    nobody = {
        None: "no credential: send Authorization: Bearer …",
        "": "no credential: send Authorization: Bearer …",
        "sk_test_" + "x" * 43: "unknown or revoked key",
        tenants.keys["ADMIN"][:-1]: "unknown or revoked key",
        tenants.tokens["victim all"][:-5]: "expired or invalid token",
        "nonsense": "expired or invalid token",
    }
    for credential, message in nobody.items():
        for name, _ in requests():
            status, answer = await tenants.ask(credential, document(name, tenants.victim, 2))
            assert status == 200, (name, credential, answer)  # GraphQL answers in GraphQL
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
            assert answer["errors"][0]["message"] == message
            assert not answer.get("data")


# ─── who may not ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("role", ROLES)
async def test_a_role_reaches_what_the_schema_declares_for_it(tenants: Tenants, owner: asyncpg.Connection, role: str):
    before = await everything_of(owner, tenants)
    for name, field_ in requests():
        rule = rule_of(field_)
        assert rule is not None
        allowed = refusal(rule, a_key(role)) is None
        if allowed and name.startswith("Mutation."):
            continue  # it would happen
        _, answer = await tenants.ask(tenants.keys[role], document(name, tenants.victim, 2))
        codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
        if allowed:
            assert codes == [], (name, answer)
        else:
            assert codes == ["FORBIDDEN"], (name, answer)
            assert answer["errors"][0]["message"] == f"the role {role} may not do that"
            assert not answer.get("data")
    assert await everything_of(owner, tenants) == before


@pytest.mark.parametrize("scope", ["", *sorted(SCOPES)])
async def test_a_token_reaches_what_its_scope_opens_and_nothing_by_a_detour(tenants: Tenants, scope: str):
    """A13. The victim's own token: what its scope does not open is FORBIDDEN, wherever it stands."""
    credential = tenants.tokens[f"victim {scope}"]
    for name, field_ in requests():
        rule = rule_of(field_)
        assert rule is not None
        refused = refusal(rule, a_token(*([scope] if scope else [])))
        _, answer = await tenants.ask(credential, document(name, tenants.victim, 3))
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if refused is not None:
            assert codes == {"FORBIDDEN"}, (name, answer)
            assert not answer.get("data"), name
        else:
            assert codes <= {"FORBIDDEN"}, (name, answer)


# Type → the scope that lets a customer see it.
SHOWN_BY = {
    "Balance": "balance:read",
    "LedgerEntry": "ledger:read",
    "Hold": "ledger:read",
    "Allocation": "ledger:read",
    "UsageEvent": "usage:read",
    "EffectiveEnforcement": "limits:read",
}
NOT_FOR_CUSTOMERS = {
    "ApiKey",
    "DeadLetter",
    "EnforcementPolicy",
    "CustomerConnection",
    "Promotion",
    "AuditEvent",
    "WebhookEndpoint",
}


@pytest.mark.parametrize("scope", ["", *sorted(SCOPES)])
def test_no_path_through_the_schema_leads_a_token_to_what_another_scope_shows(scope: str):
    """A10: nested edges. Walks every field that the token may follow, from every root field that it may ask."""
    token = a_token(*([scope] if scope else []))
    reached: dict[str, str] = {}
    waiting = [
        (get_named_type(field_.type), name)
        for name, field_ in FIELDS.items()
        if (rule := rule_of(field_)) and refusal(rule, token) is None
    ]
    while waiting:
        type_, path = waiting.pop()
        if type_.name in reached or is_leaf_type(type_):
            continue
        reached[type_.name] = path
        if isinstance(type_, GraphQLUnionType):
            waiting += [(member, path) for member in type_.types]
            continue
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for name, inner in type_.fields.items():
            rule = rule_of(inner)
            if rule is None or refusal(rule, token) is None:
                waiting.append((get_named_type(inner.type), f"{path}.{name}"))
    for type_name, needed in SHOWN_BY.items():
        if needed != scope:
            assert type_name not in reached, reached[type_name]
        assert type_name in REAL._schema.type_map
    assert not NOT_FOR_CUSTOMERS & reached.keys(), {reached[name] for name in NOT_FOR_CUSTOMERS & reached.keys()}


async def test_each_edge_below_the_root_is_refused_where_it_stands(tenants: Tenants):
    """Every field below the root that has a rule, asked for by a token that lacks its scope."""
    guarded = [
        (type_.name, name, rule)
        for type_ in REAL._schema.type_map.values()
        if isinstance(type_, GraphQLObjectType) and type_.name not in ("Query", "Mutation", "Subscription")
        for name, inner in type_.fields.items()
        if (rule := rule_of(inner)) is not None
    ]
    assert len(guarded) >= 9
    ways = {
        "Customer": ("", "{ customer { x: NAME } }"),
        "LedgerEntry": ("ledger:read", f'{{ entry(id: "{tenants.victim["entry"]}") {{ x: NAME }} }}'),
        "UsageEvent": ("usage:read", f'{{ event(source: "{CANARY}", eventId: "{CANARY}-0") {{ x: NAME }} }}'),
    }
    for type_name, name, rule in guarded:
        scope, way = ways[type_name]
        assert rule.customer is not None
        assert rule.customer - {scope}
        inner = REAL._schema.type_map[type_name].fields[name]  # type: ignore[union-attr]
        wanted = f"{name}{BELOW.get(f'{type_name}.{name}', '')} {selection(inner.type, 2)}"
        _, answer = await tenants.ask(tenants.tokens[f"victim {scope}"], way.replace("NAME", wanted))
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"], (type_name, name)
        assert answer["errors"][0]["path"][-1] == "x"
        assert CANARY not in json.dumps(answer.get("data")), (type_name, name)


# ─── what is foreign does not exist ────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("who", ["another customer's token", "another workspace's key"])
async def test_what_is_foreign_is_answered_like_what_does_not_exist(
    tenants: Tenants, owner: asyncpg.Connection, who: str
):
    """A9. Word for word: the victim's real ids and made-up ones, nothing of the victim in either, nothing changed."""
    credential = tenants.tokens["bystander all"] if "token" in who else tenants.other
    before = await everything_of(owner, tenants)
    compared = 0
    for name, field_ in requests():
        rule = rule_of(field_)
        assert rule is not None
        asked = a_token(*SCOPES) if "token" in who else a_key("ADMIN")
        _, real = await tenants.ask(credential, document(name, tenants.victim, 4))
        assert CANARY not in without_names(real, tenants.victim), (name, real)
        if refusal(rule, asked) is not None:
            assert [error["extensions"]["code"] for error in real["errors"]] == ["FORBIDDEN"], name
            continue
        if name in ("Query.viewer", "Query.apiKeys", "Mutation.createApiKey", "Mutation.upsertCustomer"):
            continue  # says the present instant, or makes something of one's own
        _, other = await tenants.ask(credential, document(name, tenants.made_up, 4))
        assert without_names(real, tenants.victim) == without_names(other, tenants.made_up), name
        compared += 1
    assert compared >= (6 if "token" in who else 20)
    assert await everything_of(owner, tenants) == before


FOREIGN = {  # what a foreign thing is answered with, exactly
    "Query.customer": {"data": {"customer": None}},
    "Query.entry": {"data": {"entry": None}},
    "Query.event": {"data": {"event": None}},
    "Query.hold": {"data": {"hold": None}},
    "Query.check": {"code": "NOT_FOUND", "message": "no such customer"},
    "Mutation.settle": {"code": "NOT_FOUND", "message": "no such hold"},
    "Mutation.release": {"code": "NOT_FOUND", "message": "no such hold"},
    "Mutation.extendHold": {"code": "NOT_FOUND", "message": "no such hold"},
    "Mutation.burn": {"code": "NOT_FOUND", "message": "no customer '{customer}'"},
    "Mutation.hold": {"code": "NOT_FOUND", "message": "no customer '{customer}'"},
    "Mutation.grantCredits": {"code": "NOT_FOUND", "message": "no customer '{customer}'"},
    "Mutation.createEmbedToken": {"code": "NOT_FOUND", "message": "no such customer"},
    "Mutation.revokeApiKey": {"code": "NOT_FOUND", "message": "no such key"},
    "Mutation.removePolicy": {"code": "NOT_FOUND", "message": "no policy '{policy}'"},
    "Mutation.setPolicy": {"code": "NOT_FOUND", "message": "no customer '{customer}'"},
}


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_thing_is_answered_with_these_words(tenants: Tenants, name: str):
    callers = {"another workspace's key": tenants.other}
    if name in ("Query.customer", "Query.entry", "Query.event", "Query.hold", "Query.check"):
        callers["another customer's token"] = tenants.tokens["bystander all"]
    for who, credential in callers.items():
        _, answer = await tenants.ask(credential, document(name, tenants.victim, 1))
        wanted = FOREIGN[name]
        if "data" in wanted:
            assert answer == wanted, who
            continue
        (found,) = answer["data"].values()
        assert found["__typename"] == "NotFound", (who, answer)
        words = {key: value for key, value in found.items() if key != "__typename"}
        assert words == {key: value.format(**tenants.victim) for key, value in wanted.items()}, who


async def test_the_victims_own_credentials_do_see_it(tenants: Tenants):
    """Else everything above would prove nothing."""
    for credential in (tenants.keys["ADMIN"], tenants.tokens["victim all"]):
        for name in ("Query.customer", "Query.entry", "Query.event", "Query.hold", "Query.check"):
            _, answer = await tenants.ask(credential, document(name, tenants.victim, 3))
            assert not answer.get("errors"), answer
            (found,) = answer["data"].values()
            assert found is not None
    _, answer = await tenants.ask(tenants.keys["ADMIN"], document("Query.customer", tenants.victim, 4))
    assert CANARY in json.dumps(answer)


@pytest.mark.parametrize("name", [name for name in FIELDS if name.startswith("Subscription.")])
async def test_a_foreign_subscription_is_forbidden_and_the_socket_lives(tenants: Tenants, name: str):
    words = set()
    for credential in (tenants.other, tenants.tokens["bystander all"]):
        for names in (tenants.victim, tenants.made_up):
            first, second = await tenants.answers(credential, document(name, names, 1))
            assert first["type"] == "error", first
            assert [error["extensions"]["code"] for error in first["payload"]] == ["FORBIDDEN"]
            words.add(first["payload"][0]["message"])
            assert second["type"] == "next", "the socket lives on"
    assert len(words) == 1, "what is foreign and what does not exist are not told apart"


# ─── who acts, as the customer may know it ─────────────────────────────────────────────────────────
async def test_a_customer_sees_neither_the_names_nor_the_notes_of_operators(
    tenants: Tenants, owner: asyncpg.Connection
):
    operator = await owner.fetchval(
        """INSERT INTO actors (workspace_id, kind, subject, name)
           SELECT workspace_id, 'OPERATOR', 'opr_1', 'Ada Lovelace' FROM customers WHERE key = $1 RETURNING id""",
        tenants.victim["customer"],
    )
    await owner.execute("SET session_replication_role = replica")
    for table in ("entries", "grants"):
        update = f"UPDATE {table} SET actor_id = $1 WHERE note IS NOT NULL AND customer_id = (SELECT id FROM customers WHERE key = $2)"
        await owner.execute(update, operator, tenants.victim["customer"])
    await owner.execute("RESET session_replication_role")
    query = """{ customer(key: "VICTIM") { ledger(first: 500) { edges { node { note actor { kind id name } } } }
                 grants { edges { node { note issuedBy { kind id name } } } }
                 expirations(within: "P9Y") { grant { note issuedBy { id name } } } } }"""
    query = query.replace("VICTIM", tenants.victim["customer"])
    _, shown = await tenants.ask(tenants.tokens["victim all"], query)
    assert not shown.get("errors")
    text = json.dumps(shown)
    assert "Ada" not in text
    assert "opr_1" not in text
    entries = [edge["node"] for edge in shown["data"]["customer"]["ledger"]["edges"]]
    operators = [entry for entry in entries if entry["actor"]["kind"] == "OPERATOR"]
    assert operators
    assert {(entry["actor"]["id"], entry["actor"]["name"], entry["note"]) for entry in operators} == {
        ("support", "Support", None)
    }
    _, full = await tenants.ask(tenants.keys["ADMIN"], query)
    assert "Ada Lovelace" in json.dumps(full)
    assert CANARY in json.dumps([edge["node"]["note"] for edge in full["data"]["customer"]["ledger"]["edges"]])


# ─── hostile arguments ─────────────────────────────────────────────────────────────────────────────
HOSTILE_IDS = [
    *(
        "ent_-1_1_1",
        "ent_1_-1_1",
        "hld_-1_-1_-1",
        "key_-1",
        "pol_-1",
        "ent_1_1_zzzzzz",
        "ent_1_zzzzzz_1",
        "key_zzzzzzz",
    ),
    *(
        "pol_zzzzzzz",
        "ent_zzzzzzzzzzzz_1_1",
        "hld_1_zzzzzz_1",
        "",
        "_",
        "ent_",
        "\\u0000",
        "ent_1_1_1\\u0000",
        "é",
        "ent_١_1_1",
    ),
]
HOSTILE_CURSORS = [
    *("!", "", "AAAA", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OjE", "MTo0NzIyMzY2NDgyODY5NjQ1", "LTE6LTE", "MTox", "AA", "YQBi"),
    *(
        "NDYxMTY4NjAxODQyNzM4NzkwMzoxOjE",
        "LTQ2MTE2ODYwMTg0MjczODc5MDM6MTox",
        "MTo0MDAwMDAwMDAwOjE",
        "MTotNDAwMDAwMDAwMDox",
    ),
]


async def test_hostile_ids_cursors_and_texts_are_answered_at_once_and_never_as_our_fault(tenants: Tenants):
    """Answered: the connection of these requests times out after 30 s, and a number below zero once never ended."""
    queries = []
    for text in HOSTILE_IDS:
        queries += [f'{{ entry(id: "{text}") {{ id }} }}', f'{{ hold(id: "{text}") {{ id }} }}']
        queries += [
            f'mutation {{ {verb}(id: "{text}") {{ __typename }} }}' for verb in ("revokeApiKey", "removePolicy")
        ]
        queries += [
            f'mutation {{ release(hold: "{text}", idempotencyKey: "k") {{ __typename }} }}',
            f'mutation {{ extendHold(hold: "{text}", ttl: "PT1H") {{ __typename }} }}',
            f'{{ event(source: "{text}", eventId: "{text}") {{ id }} }}',
            f'{{ customer(key: "{text}") {{ id }} customers(search: "{text}") {{ edges {{ cursor }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{event: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{feature: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{member: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ grants(creditType: "{text}") {{ edges {{ cursor }} }} }} }}',
        ]
    for after in HOSTILE_CURSORS:
        queries += [
            f'{{ customer(key: "bystander") {{ {name}(after: "{after}") {{ edges {{ cursor }} }} }} }}'
            for name in ("ledger", "grants", "holds")
        ]
        queries += [f'{{ customers(after: "{after}") {{ edges {{ cursor }} }} }}']
        queries += [f'{{ deadLetters(after: "{after}") {{ edges {{ cursor }} }} }}']
    for query in queries:
        status, answer = await tenants.ask(tenants.keys["ADMIN"], query)
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert codes <= {"BAD_REQUEST"}, (query, answer)
        assert status < 500, query
