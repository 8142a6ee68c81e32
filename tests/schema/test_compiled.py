"""What is compiled must answer as graphql-core and Strawberry do: the two are held against each other."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
)
from graphql.execution import Executor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schema.execution import Answer, Engine
from schema.scalars import encode_other
from tests.schema.sample import ADMIN, BACKEND, SampleContext, build

ENGINE = Engine(build())
STOCK = build()
BROKEN = [
    "null",
    "nested null",
    "null item",
    "no list",
    "bad enum",
    "bad scalar",
    "bad class",
    "bad member",
    "raise",
    "unavailable",
]


@contextmanager
def stock_inputs() -> Iterator[None]:
    """Strawberry converts inputs itself: `install` has given the classes, which both schemas share, another way."""
    core = ENGINE._core
    definitions = [
        type_.extensions["strawberry-definition"]
        for type_ in core.type_map.values()
        if isinstance(type_, GraphQLInputObjectType)
    ]
    ways = [definition.from_input for definition in definitions]
    assert any(ways)
    try:
        for definition in definitions:
            definition.from_input = None
        yield
    finally:
        for definition, way in zip(definitions, ways, strict=True):
            definition.from_input = way


def comparable(data: Any, errors: Any) -> tuple[Any, list[Any]]:
    written = None if data is None else orjson.loads(orjson.dumps(data, default=encode_other))
    return written, sorted(str(error.path) for error in errors or ())


async def both(query: str, variables: dict[str, Any] | None = None) -> tuple[Answer, Any]:
    """The same operation by the engine, twice because the second time is remembered, and by the stock way."""
    seen = [SampleContext(ADMIN), SampleContext(ADMIN), SampleContext(ADMIN)]
    first = await ENGINE.execute(query, variables, None, seen[0])
    again = await ENGINE.execute(query, variables, None, seen[1])
    with stock_inputs():
        stock = await STOCK.execute(query, variable_values=variables, context_value=seen[2])
    assert comparable(first.data, first.errors) == comparable(again.data, again.errors)
    assert comparable(first.data, first.errors) == comparable(stock.data, stock.errors)
    assert seen[0].seen == seen[1].seen == seen[2].seen
    return first, stock


# ─── documents out of the schema itself ────────────────────────────────────────────────────────────
def arguments(draw: st.DrawFn, name: str) -> str:
    match name:
        case "entry":
            return draw(st.sampled_from(["", "(number: 0)", "(number: 2)", "(number: $n)"]))
        case "entries" | "siblings":
            return draw(st.sampled_from(["", "(first: 1)", "(first: $n)"]))
        case "broken":
            return draw(st.sampled_from([f'(how: "{how}")' for how in BROKEN]))
        case "echo":
            return draw(st.sampled_from(["", "(amount: 1)", "(value: {a: [1.50, $s]})", '(value: "x")']))
        case "sourced":
            return draw(st.sampled_from(["", "(source: $s)", '(source: "x", info_: "y")']))
        case "loud":
            return draw(st.sampled_from(["", "(word: $s)"]))
        case "burn":
            return draw(st.sampled_from(['(input: {customer: "nobody", idempotencyKey: $s})', "(input: $input)"]))
    return ""


def selection(draw: st.DrawFn, schema: Any, type_: GraphQLNamedType, depth: int) -> str:
    parts = [draw(st.sampled_from(["__typename", "t: __typename"]))]
    if isinstance(type_, GraphQLUnionType | GraphQLInterfaceType):
        chosen = [possible for possible in schema.get_possible_types(type_) if draw(st.booleans())]
        parts.extend(f"... on {possible.name} {selection(draw, schema, possible, depth)}" for possible in chosen)
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
        names = sorted(set(type_.fields) - {"mine"} - ({"siblings", "reverses"} if depth > 2 else set()))
        for name in draw(st.lists(st.sampled_from(names), min_size=1, max_size=5)):
            inner = get_named_type(type_.fields[name].type)
            if not is_leaf_type(inner) and depth > 3:
                continue
            # Unless the arguments are the same two fields of one key do not merge: each has its own key.
            given_arguments = arguments(draw, name)
            key = "" if not given_arguments else f"k{len(parts)}_{depth}: "
            directive = draw(st.sampled_from(["", "", "", "@include(if: $yes)", "@skip(if: $yes)", "@skip(if: false)"]))
            below = "" if is_leaf_type(inner) else selection(draw, schema, inner, depth + 1)
            parts.append(f"{key}{name}{given_arguments} {directive} {below}")
    if isinstance(type_, GraphQLObjectType) and draw(st.booleans()):
        parts.append(f"... on {type_.name} @include(if: $yes) {{ __typename }}")
    return "{ " + " ".join(parts) + " }"


VARIABLES = "$n: Int = 3, $s: String, $yes: Boolean!, $input: BurnInput!"


@st.composite
def operations(draw: st.DrawFn) -> str:
    core = STOCK._schema
    kind = draw(st.sampled_from(["query", "query", "mutation"]))
    root = core.query_type if kind == "query" else core.mutation_type
    assert root is not None
    body = selection(draw, core, root, 0)
    if kind == "mutation":
        body = "{ " + f"burn{arguments(draw, 'burn')} {selection(draw, core, core.type_map['BurnResult'], 1)}" + " }"
    used = [one for one in VARIABLES.split(", ") if one.split(":")[0] in body]
    return f"{kind}{'(' + ', '.join(used) + ')' if used else ''} {body}"


inputs = st.fixed_dictionaries(
    {"customer": st.sampled_from(["acme", "nobody"]), "idempotencyKey": st.text(max_size=3)},
    optional={
        "amount": st.one_of(st.none(), st.integers(-5, 5), st.sampled_from(["1.50", "-2"])),
        "kind": st.sampled_from(["BURN", "GRANT", None]),
        "dimensions": st.recursive(st.one_of(st.none(), st.booleans(), st.integers(0, 9)), st.lists, max_leaves=4),
        "tags": st.one_of(st.none(), st.lists(st.text(max_size=2), max_size=2), st.just("single")),
        "cost": st.one_of(st.none(), st.just({"amount": "1"}), st.just({"amount": "1", "currency": "EUR"})),
        "costs": st.lists(st.just({"amount": 1}), max_size=2),
        "occurredAt": st.sampled_from(["2026-01-01T00:00:00Z", None]),
        "count": st.integers(0, 3),
    },
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    query=operations(),
    variables=st.fixed_dictionaries(
        {"yes": st.booleans(), "input": inputs}, optional={"n": st.integers(0, 4), "s": st.sampled_from(["a", "b"])}
    ),
)
def test_any_operation_is_answered_as_graphql_core_answers_it(query: str, variables: dict[str, Any]):
    if variables.get("n") == 0 and "first: $n" in query:
        variables["n"] = 1  # the guard refuses it, which is tested there
    asyncio.run(both(query, variables))


wrong_inputs = st.fixed_dictionaries(
    {"customer": st.one_of(st.none(), st.integers(), st.just("acme")), "idempotencyKey": st.just("k")},
    optional={
        "amount": st.sampled_from(["NaN", 0.5, True, [], {}]),
        "kind": st.sampled_from(["NEITHER", 1, True]),
        "cost": st.sampled_from([{}, {"currency": "EUR"}, {"amount": "1", "more": 1}, "1", []]),
        "costs": st.sampled_from([[None], {"amount": "1"}, [{"amount": None}]]),
        "tags": st.sampled_from([[None], [1], {}, 7]),
        "unknown": st.just(1),
        "count": st.sampled_from([None, 2**31, "1", 1.0]),
    },
)


@settings(max_examples=200, deadline=None)
@given(given_input=st.one_of(wrong_inputs, st.sampled_from([None, [], "x", 1])))
def test_any_wrong_input_is_refused_as_graphql_core_refuses_it(given_input: Any):
    async def run() -> None:
        query = "mutation($input: BurnInput!) { burn(input: $input) { __typename } }"
        mine, theirs = SampleContext(BACKEND), SampleContext(BACKEND)
        answer = await ENGINE.execute(query, {"input": given_input}, None, mine)
        with stock_inputs():
            stock = await STOCK.execute(query, variable_values={"input": given_input}, context_value=theirs)
        assert bool(answer.errors) == bool(stock.errors)
        assert mine.seen == theirs.seen
        if stock.errors:
            assert answer.executed is False
            assert all(str(error.message).split("Did you mean")[0][:60] in answer.errors[0].message
                       for error in stock.errors[:1])  # fmt: skip

    asyncio.run(run())


async def test_a_resolver_that_turns_out_to_wait_is_left_to_graphql_core():
    query = "{ entries(first: 2) { edges { node { later place failing label } } } }"
    for _ in range(3):
        answer = await ENGINE.execute(query, None, None, SampleContext(BACKEND))
        assert answer.data is not None
        nodes = [edge["node"] for edge in answer.data["entries"]["edges"]]
        assert nodes[1] == {
            "later": "later",
            "place": "entries.edges.1.node.place",
            "failing": None,
            "label": "label of ent_1",
        }
        assert [str(error.path) for error in answer.errors] == [
            f"['entries', 'edges', {number}, 'node', 'failing']" for number in (0, 1)
        ]


async def test_null_is_a_json_value_only_where_null_may_be():
    query = "mutation($document: JSON!) { apply(document: $document) }"
    for variables in [{"document": None}, {}]:
        context = SampleContext(BACKEND)
        answer = await ENGINE.execute(query, variables, None, context)
        assert answer.executed is False
        assert not context.seen
    assert (await ENGINE.execute(query, {"document": [None]}, None, SampleContext(BACKEND))).data == {"apply": True}


async def test_a_missing_variable_and_an_unknown_one_are_as_in_graphql_core():
    query = "query($n: Int!) { entry(number: $n) { id } }"
    for variables in [None, {}, {"n": None}, {"n": "1"}, {"n": 1, "more": 2}]:
        answer = await ENGINE.execute(query, variables, None, SampleContext(BACKEND))
        stock = await STOCK.execute(query, variable_values=variables, context_value=SampleContext(BACKEND))
        assert (answer.data, bool(answer.errors)) == (stock.data, bool(stock.errors))


async def test_plain_selections_do_not_pass_through_graphql_core(monkeypatch: pytest.MonkeyPatch):
    fields: list[str] = []
    execute_field = Executor.execute_field

    def spy(self: Any, parent_type: Any, source: Any, details: Any, *rest: Any) -> Any:
        fields.append(f"{parent_type.name}.{details[0].node.name.value}")
        return execute_field(self, parent_type, source, details, *rest)

    monkeypatch.setattr(Executor, "execute_field", spy)
    plain = "{ __typename ... on BurnOk { entry { id allocations { amount creditType { key } } } } ... on Refusal { code } }"
    query = f'mutation {{ burn(input: {{customer: "a", idempotencyKey: "k"}}) {plain} }}'
    assert not (await ENGINE.execute(query, None, None, SampleContext(BACKEND))).errors
    assert fields == ["Mutation.burn"]
    fields.clear()
    query = "{ entries { edges { node { label askedBy { amount } allocations { amount } } } } }"
    assert not (await ENGINE.execute(query, None, None, SampleContext(BACKEND))).errors
    assert fields == ["Query.entries"]
    fields.clear()
    await ENGINE.execute("{ entries { edges { node { siblings { id } } } } }", None, None, SampleContext(BACKEND))
    assert fields.count("Entry.siblings") == 3
    assert "Entry.id" not in fields
