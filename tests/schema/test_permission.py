"""Who may ask for what. A root field without a declared rule fails here, in the real schema too."""

from typing import Any

import pytest
import strawberry
from graphql import GraphQLField, GraphQLObjectType, get_named_type, is_leaf_type
from strawberry.schema.config import StrawberryConfig

from schema.context import Caller
from schema.execution import Engine
from schema.permission import (
    DEFAULT_SCOPES,
    ROLES,
    SCOPES,
    Rule,
    allow,
    customer,
    operator,
    refusal,
    root_fields,
    rule_of,
    secret,
    staff,
    undeclared,
)
from schema.scalars import SCALARS
from schema.schema import build as build_real
from tests.schema.sample import ADMIN, BACKEND, CUSTOMER, VIEWER, SampleContext, build

REAL = build_real()


def a_key(role: str) -> Caller:
    return Caller(kind="API_KEY", workspace_id=1, subject="key_9", role=role)


def an_operator(role: str) -> Caller:
    return Caller(kind="OPERATOR", workspace_id=1, subject="opr_9", role=role)


def a_token(*scopes: str) -> Caller:
    return Caller(kind="CUSTOMER", workspace_id=1, subject="cus_9", customer_id=9, scopes=frozenset(scopes))


@pytest.mark.parametrize(
    ("rule", "may", "may_not"),
    [
        (secret("BACKEND"), [a_key("BACKEND"), a_key("ADMIN")], [an_operator("BACKEND"), a_key("INGEST"), a_token()]),
        (operator("SUPPORT"), [an_operator("SUPPORT"), an_operator("ADMIN")], [a_key("SUPPORT"), a_key("ADMIN")]),
        (staff("SALES"), [a_key("SALES"), an_operator("SALES")], [a_key("FINANCE"), a_token(*SCOPES)]),
        (customer(), [a_token(), a_token("ledger:read")], [a_key("ADMIN"), an_operator("ADMIN")]),
        (customer("ledger:read"), [a_token("ledger:read", "usage:read")], [a_token("balance:read"), a_token()]),
        (customer("ledger:read", "usage:read"), [a_token("ledger:read", "usage:read")], [a_token("ledger:read")]),
        (staff() | customer(), [a_token(), a_key("ADMIN")], [a_key("VIEWER")]),
        (Rule(), [], [a_key("ADMIN"), an_operator("ADMIN"), a_token(*SCOPES)]),
        (staff("VIEWER"), [], [Caller(kind="OPERATOR", workspace_id=1, subject="opr_1", role=None)]),
    ],
)
def test_a_rule_admits_the_roles_and_scopes_it_names(rule: Rule, may: list[Caller], may_not: list[Caller]):
    assert [refusal(rule, caller) for caller in may] == [None] * len(may)
    codes = [refusal(rule, caller) for caller in may_not]
    assert [error.extensions if error else None for error in codes] == [{"code": "FORBIDDEN"}] * len(may_not)


def test_misspelt_roles_and_scopes_are_no_rules():
    for wrong in [lambda: secret("BACKENDS"), lambda: operator("admin"), lambda: customer("balance:write")]:
        with pytest.raises(ValueError, match="no such"):
            wrong()
    assert SCOPES > DEFAULT_SCOPES == SCOPES - {"recharge:manage"}


def test_every_root_field_of_the_schema_declares_who_may_ask():
    assert undeclared(REAL) == []
    assert len(list(root_fields(REAL))) > 20


async def test_a_root_field_without_a_rule_is_found_and_answers_nobody():
    @strawberry.type
    class Query:
        @strawberry.field(metadata=allow(staff("VIEWER")))
        def declared(self) -> str:
            return "yes"

        @strawberry.field
        def forgotten(self) -> str:
            return "no"

    schema = strawberry.Schema(Query, config=StrawberryConfig(scalar_map=SCALARS))
    assert undeclared(schema) == ["Query.forgotten"]
    answer = await Engine(schema).execute("{ forgotten }", None, None, SampleContext(ADMIN))
    assert answer.body()["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert answer.data is None


def a_value(type_: Any) -> str:
    """Some literal of an input type; what it means does not matter: it is never reached."""
    named = get_named_type(type_)
    if is_leaf_type(named):
        return {"Int": "1", "Boolean": "true", "JSON": "{}", "DateTime": '"2026-01-01T00:00:00Z"'}.get(
            named.name, next(iter(named.values), "X") if hasattr(named, "values") else '"1"'
        )
    return (
        "{" + ", ".join(f"{k}: {a_value(f.type)}" for k, f in named.fields.items() if str(f.type).endswith("!")) + "}"
    )


def a_document(kind: str, name: str, field: GraphQLField) -> str:
    needed = [
        f"{key}: {a_value(argument.type)}" for key, argument in field.args.items() if str(argument.type)[-1] == "!"
    ]
    below = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    return f"{kind} {{ {name}{'(' + ', '.join(needed) + ')' if needed else ''} {below} }}"


CALLERS = {
    **{f"key {role}": a_key(role) for role in sorted(ROLES)},
    **{f"operator {role}": an_operator(role) for role in sorted(ROLES - {"INGEST", "BACKEND"})},
    **{f"token {scope}": a_token(scope) for scope in sorted(SCOPES)},
    "token of no scope": a_token(),
    "token of all other scopes": a_token(*SCOPES),
}


@pytest.mark.parametrize("who", CALLERS)
async def test_the_matrix_of_every_root_field_and_credential(who: str):
    """Each document is written from the schema. Who may not is refused before anything else is looked at: there is no
    database here, so that a field that were reached would answer INTERNAL."""
    caller, engine = CALLERS[who], Engine(build_real())
    for name, field in root_fields(REAL):
        root, short = name.split(".")
        rule = rule_of(field)
        assert rule is not None
        if refusal(rule, caller) is None:
            continue
        stream = engine.stream(a_document(root.lower(), short, field), None, None, SampleContext(caller))
        answers = [answer.body() async for answer in stream]
        assert [answer["errors"][0]["extensions"]["code"] for answer in answers] == ["FORBIDDEN"], name
        assert answers[0]["errors"][0]["path"] == [short]
        assert "data" not in answers[0]


# What the contract lists for customer tokens (meaning.md, Embed scopes); what is not built yet is absent.
CUSTOMERS_MAY = {
    *("Query." + name for name in ["viewer", "customer", "catalog", "entry", "event", "hold", "topUp", "check"]),
    *("Mutation." + name for name in ["startTopUp", "cancelTopUp", "setRecharge", "setupPaymentMethod", "redeemCode"]),
    *("Mutation." + name for name in ["openDispute", "withdrawDispute"]),
    *("Subscription." + name for name in ["balanceUpdated", "ledgerEntryAdded", "topUpUpdated", "enforcementChanged"]),
    "Subscription.disputeUpdated",  # ours besides: its own
}


def test_customer_tokens_reach_what_the_contract_lists_and_nothing_else():
    open_to_all_scopes = {
        name
        for name, field in root_fields(REAL)
        if (rule := rule_of(field)) and refusal(rule, a_token(*SCOPES)) is None
    }
    assert open_to_all_scopes <= CUSTOMERS_MAY
    built = {name for name, _ in root_fields(REAL)}
    assert CUSTOMERS_MAY & built <= open_to_all_scopes


def test_ingest_keys_send_events_and_nothing_else():
    may = {name for name, field in root_fields(REAL) if (rule := rule_of(field)) and not refusal(rule, a_key("INGEST"))}
    assert may == {"Mutation.ingestEvents"}


def test_no_mutation_is_open_to_those_who_only_read():
    for name, field in root_fields(REAL):
        rule = rule_of(field)
        if name.startswith("Mutation.") and rule is not None:
            assert refusal(rule, an_operator("VIEWER")) is not None, name
            assert refusal(rule, a_key("VIEWER")) is not None, name


def test_admins_may_do_everything():
    for name, field in root_fields(REAL):
        rule = rule_of(field)
        assert rule is not None
        assert refusal(rule, a_key("ADMIN")) is None, name
        assert refusal(rule, an_operator("ADMIN")) is None, name


# ─── the order of checks, and fields below the root ────────────────────────────────────────────────
@pytest.mark.parametrize(
    "query",
    [
        "mutation { burnMany(inputs: []) { __typename } }",
        'mutation { burnMany(inputs: [{customer: "a", amount: 1.5}]) { __typename } }',
        "mutation { burnMany { nothing } }",
        "mutation($x: [BurnInput!]!) { burnMany(inputs: $x) { __typename } }",
        "mutation { ...F } fragment F on Mutation { b: burnMany(inputs: 1) { __typename } }",
        "mutation { burnMany(inputs: []) @skip(if: false) { __typename } }",
    ],
)
async def test_the_credential_comes_before_the_form_of_the_input(query: str):
    answer = await Engine(build()).execute(query, {"x": "wrong"}, None, SampleContext(CUSTOMER))
    assert [error.extensions for error in answer.errors] == [{"code": "FORBIDDEN"}]
    assert (await Engine(build()).execute(query, {"x": "wrong"}, None, SampleContext(ADMIN))).errors != answer.errors


async def test_one_forbidden_field_refuses_the_whole_document_before_anything_runs():
    context = SampleContext(CUSTOMER)
    query = 'mutation { noop(input: {customer: "a", idempotencyKey: "k"}) burnMany(inputs: []) { __typename } }'
    assert not (await Engine(build()).execute(query, None, None, context)).executed
    assert context.seen == []


async def test_a_field_below_the_root_may_need_more_than_its_parent():
    engine = Engine(build())
    query = "{ entries(first: 1) { edges { node { id note } } } entry { id note } }"
    seen = await engine.execute(query, None, None, SampleContext(VIEWER))
    assert not seen.errors
    assert seen.data is not None
    assert seen.data["entry"]["note"] == "for our eyes"
    hidden = await engine.execute(query, None, None, SampleContext(CUSTOMER))
    assert hidden.data is not None
    assert hidden.data["entry"] == {"id": "ent_1", "note": None}
    assert {str(error.path): error.extensions for error in hidden.errors} == {
        "['entry', 'note']": {"code": "FORBIDDEN"},
        "['entries', 'edges', 0, 'node', 'note']": {"code": "FORBIDDEN"},
    }


def test_the_sample_is_declared_in_full():
    assert undeclared(build()) == []
    core = build()._schema
    assert isinstance(core.query_type, GraphQLObjectType)
    rule = rule_of(core.query_type.fields["secrets"])
    assert rule is not None
    assert refusal(rule, BACKEND) is not None
