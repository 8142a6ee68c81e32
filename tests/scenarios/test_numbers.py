"""Numbers at the edge: exact, bounded, and refused where they are not plain decimals (faults.md N1 to N5, N7).

N6 (minor units of currencies at the payment provider) comes with payments.
"""

import orjson
import pytest

from tests.harness.client import Client
from tests.harness.documents import MUTATIONS
from tests.harness.world import extend_catalog, give
from tests.model.rating import micro, rated_micro

INT64 = "9223372036854.775807"  # credits: 2^63 - 1 micro-credits

# Text that Python's Decimal, or a careless reader, would take.
NOT_PLAIN = [
    *("NaN", "sNaN", "-NaN", "Infinity", "-Infinity", "inf", "1e400", "1e2", "1E-2", "0x10", "1_000", "1,000", " 1 "),
    *(
        "1 ",
        "\t1",
        "٣",
        "１",
        "²",
        "½",
        "+1",
        ".5",
        "1.",
        "",
        "-",
        "--1",
        "1.2.3",
        "12345678901234",
        "0.0000000000001",
        "1\u2028",
    ),
]
# The same as JSON values: a float is never taken, and nothing else is a number.
NOT_DECIMAL_JSON = [b"1.5", b"1e2", b"true", b"[]", b"{}", b'["1"]', b"1.0", b"12345678901234567890123"]


@pytest.fixture
async def client(world):
    return await world.client()


async def raw(client: Client, verb: str, amount: bytes, customer: str) -> tuple[int, dict[str, object]]:
    """A mutation whose amount is exactly these JSON bytes."""
    variables = {"customer": customer, "creditType": "ai", "amount": "@", "idempotencyKey": "n"}
    body = orjson.dumps({"query": MUTATIONS[verb], "variables": {"input": variables}}).replace(b'"@"', amount)
    response = await client.post("/graphql", body)
    return response.status, orjson.loads(response.body)


@pytest.mark.parametrize("text", NOT_PLAIN, ids=repr)
async def test_what_is_no_plain_decimal_is_an_input_error_that_names_its_path(client, text):
    await client.must("upsertCustomer", key="plain")
    for verb in ("burn", "grantCredits", "hold"):
        status, body = await raw(client, verb, orjson.dumps(text), "plain")
        assert status < 500, (verb, body)
        assert body.get("errors"), (verb, text, body)
        assert "amount" in str(body["errors"]), (verb, body)
    assert (await client.balance("plain"))["version"] == 0


@pytest.mark.parametrize("value", NOT_DECIMAL_JSON, ids=repr)
async def test_a_json_number_with_a_point_is_never_an_amount(client, value):
    await client.must("upsertCustomer", key="json")
    status, body = await raw(client, "burn", value, "json")
    assert status < 500
    assert "amount" in str(body.get("errors")), body


async def test_a_float_literal_in_the_document_is_refused_and_an_integer_is_taken(client):
    customer = "literal"
    await client.must("upsertCustomer", key=customer)
    document = """mutation { answer: grantCredits(input: { customer: "literal", creditType: "ai", amount: %s,
        idempotencyKey: "k" }) { __typename ... on GrantOk { grant { amount } } } }"""
    for literal, taken in (("1.5", False), ("1e1", False), ("NaN", False), ("true", False), ("7", True)):
        response = await client.post("/graphql", orjson.dumps({"query": document % literal}))
        body = orjson.loads(response.body)
        assert ("errors" not in body) == taken, (literal, body)
    assert micro((await client.balance(customer))["available"]) == micro("7")


@pytest.mark.parametrize("amount", ["0", "-1", "-0", "0.000", "-0.001"])
async def test_zero_and_negative_amounts_are_invalid_input(client, amount):
    await client.must("upsertCustomer", key="zero")
    base = {"customer": "zero", "creditType": "ai", "amount": amount, "idempotencyKey": "z"}
    for verb in ("burn", "grantCredits", "hold"):
        assert (await client.put(verb, **base)).code == "INVALID_INPUT", verb
    quantity = {"customer": "zero", "feature": "input-tokens", "quantity": amount, "idempotencyKey": "z"}
    assert (await client.put("burn", **quantity)).code == "INVALID_INPUT"
    assert (await client.balance("zero"))["version"] == 0


async def test_more_decimals_than_the_credit_type_has_are_invalid_input(client):
    await client.must("upsertCustomer", key="scale")
    for amount, code in (
        ("1.0001", "INVALID_INPUT"),
        ("1.0000001", "INVALID_INPUT"),
        ("1.0010", None),
        ("1.001", None),
    ):
        fields = {"customer": "scale", "creditType": "ai", "amount": amount, "idempotencyKey": amount}
        assert (await client.put("grantCredits", **fields)).code == code, amount


async def test_what_leaves_64_bits_is_invalid_input_and_changes_nothing(client):
    await extend_catalog(client, creditTypes=[_huge()])
    await client.must("upsertCustomer", key="huge")

    async def put(verb: str, amount: str, key: str) -> str | None:
        fields = {"customer": "huge", "creditType": "fine", "amount": amount, "idempotencyKey": key}
        return (await client.put(verb, **fields)).code

    assert await put("grantCredits", "9223372036854.775808", "a") == "INVALID_INPUT"
    assert await put("grantCredits", "9999999999999.999999", "b") == "INVALID_INPUT"
    assert await put("grantCredits", INT64, "c") is None
    assert await put("grantCredits", "0.000001", "d") == "INVALID_INPUT"
    balance = await client.balance("huge", "fine")
    assert (balance["available"], balance["version"]) == (INT64, 1)
    assert await put("burn", INT64, "e") is None
    assert await put("burn", "0.000001", "f") in ("INSUFFICIENT_CREDITS", "INVALID_INPUT")
    assert micro((await client.balance("huge", "fine"))["available"]) == 0


def _huge() -> dict[str, object]:
    words = {"name": "Fine", "unitSingular": "credit", "unitPlural": "credits"}
    return {"key": "fine", **words, "scale": 6, "burnOrder": "EXPIRY_FIRST"}


async def test_large_balances_stay_exact_beyond_what_a_double_can_hold(client):
    await extend_catalog(client, creditTypes=[_huge()])
    await client.must("upsertCustomer", key="exact")
    await give(client, "exact", "9007199254740.993001", "g", "fine")  # micro-credits beyond 2^53
    fields = {"customer": "exact", "creditType": "fine", "amount": "0.000001", "idempotencyKey": "b"}
    reply = await client.must("burn", **fields)
    assert reply["balance"]["available"] == "9007199254740.993"
    assert isinstance(reply["entry"]["amount"], str)


async def test_a_third_of_a_credit_three_times_and_three_at_once_round_as_the_rate_says(client):
    features = [{"key": f"third-{rounding.lower()}", "name": "Third", "unit": "call"} for rounding in _ROUNDINGS]
    rates = [
        {"feature": f"third-{rounding.lower()}", "creditType": "ai", "perUnit": "0.333333333333", "rounding": rounding}
        for rounding in _ROUNDINGS
    ]
    await extend_catalog(client, features=features, rateCards=[{"cohort": "thirds", "rates": rates}])
    await client.must("upsertCustomer", key="thirds", cohort="thirds")
    await give(client, "thirds", "100", "g")
    for rounding in _ROUNDINGS:
        burned = []
        for step, quantity in enumerate(("1", "1", "1", "3", "0.000000000001", "2.5")):
            request = {"customer": "thirds", "feature": f"third-{rounding.lower()}", "quantity": quantity}
            reply = await client.must("burn", **request, idempotencyKey=f"{rounding}.{step}")
            expected = rated_micro(quantity, "0.333333333333", scale=3, rounding=rounding)
            assert micro(reply["entry"]["amount"]) == -expected, (rounding, quantity)
            burned.append(expected)
        assert len(set(burned[:3])) == 1
    ledger = await client.ledger("thirds")
    assert sum(entry["kind"] == "BURN" for entry in ledger) == 6 * len(_ROUNDINGS), "a burn of zero is recorded too"


_ROUNDINGS = ("UP", "HALF_EVEN", "DOWN")
