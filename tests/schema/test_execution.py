"""What stands around execution: errors masked, documents remembered, subscriptions that end cleanly."""

import logging
from contextlib import aclosing
from typing import Any

import orjson
import pytest
import strawberry
from strawberry.extensions import SchemaExtension

from schema import documents, execution
from schema.execution import Engine
from tests.schema.sample import ADMIN, BACKEND, CUSTOMER, SampleContext, build

ENGINE = Engine(build())
STOCK = build()
BROKEN = ["null", "nested null", "null item", "no list", "bad enum", "bad scalar", "bad class", "bad member", "raise"]


# ─── errors ────────────────────────────────────────────────────────────────────────────────────────
ENTRY = "{ id kind amount occurredAt missing { code } allocations { amount overdraft } reasons { __typename } }"


@pytest.mark.parametrize("how", BROKEN)
async def test_what_is_our_fault_is_masked_and_logged(how: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR, "scrip.graphql"):
        answer = await ENGINE.execute(
            f"query($how: String!) {{ broken(how: $how) {ENTRY} }}", {"how": how}, None, SampleContext(BACKEND)
        )
    error = answer.errors[0]
    assert answer.data is not None
    assert answer.data["broken"] is None or (how == "bad class" and answer.data["broken"]["missing"] is None)
    assert error.message == "internal error"
    assert error.extensions is not None
    assert error.extensions["code"] == "INTERNAL"
    assert error.path is not None
    assert error.path[0] == "broken"
    assert b"hunter2" not in orjson.dumps(answer.body())
    assert error.extensions["requestId"] in caplog.text
    assert caplog.records[0].exc_info is not None


async def test_a_store_that_cannot_answer_is_told_apart_and_its_address_kept():
    answer = await ENGINE.execute('{ broken(how: "unavailable") { id } }', None, None, SampleContext(BACKEND))
    assert answer.data == {"broken": None}
    assert answer.errors[0].extensions == {"code": "UNAVAILABLE"}
    assert "10.0.0.7" not in str(answer.body())


async def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(execution, "EXECUTION_S", 0.01)
    answer = await ENGINE.execute('{ broken(how: "wait") { id } }', None, None, SampleContext(BACKEND))
    assert answer.errors[0].extensions == {"code": "UNAVAILABLE"}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{ hello", "Syntax Error"),
        ("", "Syntax Error"),
        ("fragment F on Query { hello }", "no operation"),
        ("query A { hello } query B { hello }", "name one"),
        ("{ helo }", "Cannot query field 'helo' on type 'Query'."),
        ("{ entry { idd } }", "Cannot query field 'idd' on type 'Entry'."),
        ("{ entry(nmber: 1) { id } }", "Unknown argument 'nmber' on field 'Query.entry'."),
        ("{ hello {} }", "Syntax Error"),
        ("subscription { counted { id } }", "over the socket"),
    ],
)
async def test_a_wrong_document_is_refused_without_suggestions(query: str, says: str):
    answer = await ENGINE.execute(query, None, None, SampleContext(BACKEND))
    assert "data" not in answer.body()
    assert says in answer.errors[0].message
    assert "Did you mean" not in str(answer.body())
    assert answer.errors[0].extensions == {"code": "BAD_REQUEST"}


async def test_a_long_wrong_input_is_not_repeated_at_length():
    query = "mutation($input: BurnInput!) { noop(input: $input) }"
    given_input = {"customer": "c" * 100_000, "idempotencyKey": "k" * 100_000, "amount": "x" * 100_000}
    answer = await ENGINE.execute(query, {"input": given_input}, None, SampleContext(BACKEND))
    assert len(orjson.dumps(answer.body())) < 2_000


async def test_many_wrong_inputs_are_reported_up_to_a_bound():
    query = "mutation($inputs: [BurnInput!]!) { burnMany(inputs: $inputs) { __typename } }"
    answer = await ENGINE.execute(query, {"inputs": [{"customer": 1}] * 1_000}, None, SampleContext(BACKEND))
    assert len(orjson.dumps(answer.body())) < 2_000


# ─── documents ─────────────────────────────────────────────────────────────────────────────────────
async def test_the_operation_is_chosen_by_its_name():
    query = "query A { hello } query B { entry { id } }"
    for name, data in [("A", {"hello": "hello"}), ("B", {"entry": {"id": "ent_1"}})]:
        assert (await ENGINE.execute(query, None, name, SampleContext(BACKEND))).data == data
    assert (await ENGINE.execute(query, None, "C", SampleContext(BACKEND))).errors


async def test_a_remembered_document_is_checked_for_each_caller_anew():
    query = "{ secrets }"
    assert (await ENGINE.execute(query, None, None, SampleContext(ADMIN))).data == {"secrets": ["a"]}
    refused = await ENGINE.execute(query, None, None, SampleContext(BACKEND))
    assert refused.errors[0].extensions == {"code": "FORBIDDEN"}
    assert (await ENGINE.execute(query, None, None, SampleContext(CUSTOMER))).errors


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "_CHARACTERS_MAX", 1_000)
    engine = Engine(build())
    for number in range(100):
        await engine.execute(f"{{ a{number}: hello }}", None, None, SampleContext(BACKEND))
    known = engine._servers._known
    assert sum(map(len, known)) <= 1_000
    assert engine._servers._characters == sum(map(len, known))
    assert "{ a99: hello }" in known
    await engine.execute("{ helo }", None, None, SampleContext(BACKEND))
    assert "{ helo }" not in known
    await engine.execute("{ hello } " + "#" * 9_000, None, None, SampleContext(BACKEND))
    assert max(map(len, known)) < 9_000
    assert not engine._customers._known


async def test_what_a_document_keeps_is_nothing_of_the_request():
    query = "query($yes: Boolean!, $s: String) { entry { id @include(if: $yes) loud(word: $s) } }"
    engine = Engine(build())
    for yes in [True, False, True]:
        answer = await engine.execute(query, {"yes": yes, "s": "canary"}, None, SampleContext(BACKEND))
        assert answer.data is not None
        assert ("id" in answer.data["entry"]) is yes
    operation = engine._servers._known[query].operation(None)
    assert [selections.variables.coerced for selections in operation._selections.values()] == [
        {"yes": True},
        {"yes": False},
    ]


def test_schema_extensions_are_not_passed_over_in_silence():
    schema = strawberry.Schema(STOCK.query, extensions=[SchemaExtension], config=STOCK.config)
    with pytest.raises(ValueError, match="extensions"):
        Engine(schema)


# ─── subscriptions ─────────────────────────────────────────────────────────────────────────────────
async def collect(query: str, context: SampleContext) -> list[dict[str, Any]]:
    return [answer.body() async for answer in ENGINE.stream(query, None, None, context)]


async def test_a_subscription_answers_each_event_and_closes():
    context = SampleContext(BACKEND)
    answers = await collect("subscription { counted(to: 2) { id } }", context)
    assert answers == [{"data": {"counted": {"id": "ent_0"}}}, {"data": {"counted": {"id": "ent_1"}}}]
    assert context.seen == ["closed"]


async def test_a_subscription_that_is_left_closes_its_source():
    context = SampleContext(BACKEND)
    async with aclosing(ENGINE.stream("subscription { counted { id } }", None, None, context)) as answers:
        await anext(answers)
    assert context.seen == ["closed"]


async def test_a_refused_subscription_is_refused_before_any_event():
    foreign = await collect('subscription { counted(customer: "cus_2") { id } }', SampleContext(CUSTOMER))
    assert [answer["errors"][0]["extensions"]["code"] for answer in foreign] == ["FORBIDDEN"]
    assert "data" not in foreign[0]
    theirs = await collect("subscription { theirs }", SampleContext(CUSTOMER))
    assert [answer["errors"][0]["extensions"]["code"] for answer in theirs] == ["FORBIDDEN"]


async def test_a_subscription_that_fails_says_so_without_details():
    answers = await collect("subscription { failing }", SampleContext(BACKEND))
    assert answers[0] == {"data": {"failing": "once"}}
    assert answers[1]["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in str(answers)


async def test_queries_and_mutations_run_over_the_stream_once():
    assert await collect("{ hello }", SampleContext(BACKEND)) == [{"data": {"hello": "hello"}}]
    context = SampleContext(BACKEND)
    await collect('mutation { burn(input: {customer: "a", idempotencyKey: "k"}) { __typename } }', context)
    assert len(context.seen) == 1
