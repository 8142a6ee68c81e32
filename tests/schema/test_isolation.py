"""Nobody sees, or changes, what is another's: every root field of the built schema × everybody who may not.

The documents are written from the schema, with the ids of real things of a victim. A root field that is new here
fails until `AIMED` says how to aim it at somebody.
"""

import json

import asyncpg
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)

from schema.permission import SCOPES, refusal, rule_of
from tests.schema.foreign import FOREIGN
from tests.schema.tenants import (
    AIMED,
    BELOW,
    CANARY,
    FIELDS,
    REAL,
    ROLES,
    SHOWN_BY,
    Tenants,
    document,
    everything_of,
    owner,
    requests,
    selection,
    tenants,
    without_names,
)
from tests.schema.test_permission import a_key, a_token

__all__ = ["owner", "tenants"]

# Lists that are empty for a token without that scope, because a refusal would take with it what they are part of; see
# test_recharge_over_http.
EMPTY_WITHOUT = {"RechargeRule.attempts": "topup:create"}
# Says the present instant, or makes something of one's own.
PRESENT = {"Query.viewer", "Query.apiKeys", "Query.reconciliation", "Mutation.killSwitch", "Mutation.createApiKey"} | {
    *("Mutation.upsertCustomer", "Mutation.createWebhookEndpoint"),
}


def test_every_root_field_has_a_rule_and_an_aim():
    assert set(FIELDS) == set(AIMED), "say in AIMED how a new field is aimed at somebody, and declare who may ask"
    assert [name for name, field in FIELDS.items() if rule_of(field) is None] == []


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


NOT_FOR_CUSTOMERS = (
    {"Payback", "PaymentIssue"}
    | {"ApiKey", "DeadLetter", "EnforcementPolicy", "CustomerConnection", "Promotion", "AuditEvent"}
    | {
        *("WebhookEndpoint", "WebhookDelivery"),
        *("RevenueReport", "JournalLine"),
    }
)


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
            if f"{type_.name}.{name}" in EMPTY_WITHOUT and EMPTY_WITHOUT[f"{type_.name}.{name}"] != scope:
                continue
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
    assert len(guarded) >= 16
    holding = f'{{ hold(id: "{tenants.victim["hold"]}") {{ x: NAME }} }}'
    asking = '{ check(input: {creditType: "ai", amount: "901"}) { ... on Decision { reason { ... on LimitReached { x: NAME } } } } }'
    ways = {
        "Customer": ("", "{ customer { x: NAME } }"),
        "LedgerEntry": ("ledger:read", f'{{ entry(id: "{tenants.victim["entry"]}") {{ x: NAME }} }}'),
        "Dispute": ("dispute:create", "{ customer { disputes { x: NAME } } }"),
        "Hold": ("ledger:read", holding),
        "Grant": ("ledger:read", "{ customer { grants { edges { node { x: NAME } } } } }"),
        "TopUp": ("topup:create", f'{{ topUp(id: "{tenants.victim["top_up"]}") {{ x: NAME }} }}'),
        "LimitReached": ("balance:read", asking),
        "Member": ("usage:read", "{ customer { members { edges { node { x: NAME } } } } }"),
        "UsageEvent": ("usage:read", f'{{ event(source: "{CANARY}", eventId: "{CANARY}-0") {{ x: NAME }} }}'),
    }
    for type_name, name, rule in guarded:
        scope, way = ways[type_name]
        assert rule.customer is None or rule.customer - {scope}
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
        depth = 3 if "token" in who else 4  # as much as its guard lets through
        _, real = await tenants.ask(credential, document(name, tenants.victim, depth))
        assert "aborted" not in json.dumps(real), f"{name}: refused before it was looked at"
        assert CANARY not in without_names(real, tenants.victim), (name, real)
        if refusal(rule, asked) is not None:
            assert [error["extensions"]["code"] for error in real["errors"]] == ["FORBIDDEN"], name
            continue
        if name in PRESENT:
            continue
        _, other = await tenants.ask(credential, document(name, tenants.made_up, depth))
        assert without_names(real, tenants.victim) == without_names(other, tenants.made_up), name
        compared += 1
    assert compared >= (6 if "token" in who else 20)
    assert await everything_of(owner, tenants) == before


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_foreign_thing_is_answered_with_these_words(tenants: Tenants, name: str):
    callers = {"another workspace's key": tenants.other}
    if name.startswith("Query.") or name in ("Mutation.openDispute", "Mutation.withdrawDispute"):
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
        "gra_1_1_zzzzzz",
        "dsp_1_zzzzzz",
        "dsp_-1_1",
        "dsp_zzzzzzzzzzzzz_1",
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
    span = 'from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"'
    for text in HOSTILE_IDS:
        queries += [f'{{ entry(id: "{text}") {{ id }} }}', f'{{ hold(id: "{text}") {{ id }} }}']
        queries += [
            f'mutation {{ {verb}(id: "{text}") {{ __typename }} }}'
            for verb in ("revokeApiKey", "removePolicy", "removeLimit")
        ]
        queries += [
            f'mutation {{ {verb}(grant: "{text}", reason: OTHER, idempotencyKey: "k") {{ __typename }} }}'
            for verb in ("voidGrant", "extendGrant")
        ]
        queries += [
            f'mutation {{ openDispute(entries: ["{text}"], reason: "r") {{ __typename }} }}',
            f'mutation {{ withdrawDispute(id: "{text}") {{ __typename }} }}',
            f'mutation {{ updateDispute(id: "{text}", assignee: "{text}") {{ __typename }} }}',
            f'mutation {{ resolveDispute(id: "{text}", uphold: true, resolution: "{text}", idempotencyKey: "k") {{ __typename }} }}',
            f'mutation {{ reverseBurn(entry: "{text}", reason: OTHER, idempotencyKey: "k") {{ __typename }} }}',
            f'mutation {{ release(hold: "{text}", idempotencyKey: "k") {{ __typename }} }}',
            f'mutation {{ extendHold(hold: "{text}", ttl: "PT1H") {{ __typename }} }}',
            f'{{ event(source: "{text}", eventId: "{text}") {{ id }} }}',
            f'{{ customer(key: "{text}") {{ id }} customers(search: "{text}") {{ edges {{ cursor }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{event: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{feature: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ ledger(filter: {{member: "{text}"}}) {{ edges {{ cursor }} }} }} }}',
            f'{{ customer(key: "bystander") {{ usage(creditType: "{text}", {span}) {{ total }} }} }}',
            f'{{ customer(key: "bystander") {{ usage(creditType: "ai", {span}, timezone: "{text}") {{ total }} }} }}',
            f'mutation {{ upsertMember(customer: "{text}", key: "{text}") {{ __typename }} }}',
            f'{{ customer(key: "bystander") {{ grants(creditType: "{text}") {{ edges {{ cursor }} }} }} }}',
        ]
    for after in HOSTILE_CURSORS:
        queries += [
            f'{{ customer(key: "bystander") {{ {name}(after: "{after}") {{ edges {{ cursor }} }} }} }}'
            for name in ("ledger", "grants", "holds", "members")
        ]
        queries += [f'{{ customers(after: "{after}") {{ edges {{ cursor }} }} }}']
        queries += [f'{{ deadLetters(after: "{after}") {{ edges {{ cursor }} }} }}']
    for query in queries:
        status, answer = await tenants.ask(tenants.keys["ADMIN"], query)
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        assert codes <= {"BAD_REQUEST"}, (query, answer)
        assert status < 500, query
