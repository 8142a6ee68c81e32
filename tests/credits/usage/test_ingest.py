"""Events through the real writer: what burns, what counts once, what is kept of the rest (faults.md E1 to E14)."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from credits.customers.customers import find_customer
from credits.ledger.reads import read_entries
from credits.posting.outcomes import EventOutcome
from credits.usage.envelope import event_key
from credits.usage.parse import Form, parse_body
from credits.usage.reads import find_event, find_event_by_source, list_dead_letters, read_events

# `shop` comes from conftest.py, which no test file imports.
Shop = Any
CENT = Decimal("0.01")


def told(ingested: Any) -> tuple[int, int, list[tuple[int, str | None, str]]]:
    return (
        ingested.accepted,
        ingested.duplicates,
        [(each.index, each.event_id, each.outcome.name) for each in ingested.rejected],
    )


async def test_one_event_burns_for_each_feature_in_its_own_credit_type(shop: Shop) -> None:
    data = {
        "model": "chat",
        "region": "eu",
        "member": "ann",
        "input_tokens": 1_234,
        "output_tokens": "7.5",
        "tags": [1],
    }
    assert told(await shop.send(shop.event("e1", data=data))) == (1, 0, [])
    assert await shop.burned() == {"ai": Decimal("1.234"), "sms": Decimal("0.015")}
    async with shop.database.transaction(shop.workspace_id) as connection:
        event = await find_event_by_source(connection, "tests", "e1")
        assert event is not None
        assert (event.outcome, event.type, orjson.loads(event.data)) == (EventOutcome.BURNED, "llm", data)
        entries = await read_entries(connection, event.entries)
    assert {entry.cause.quantity for entry in entries.values()} == {Decimal(1_234), Decimal("7.5")}
    for entry in entries.values():
        assert entry.cause.event == event.key
        assert (entry.cause.member, entry.cause.dimensions) == ("ann", '{"model":"chat","region":"eu"}')


async def test_an_event_whose_rate_gives_zero_is_burned_without_an_entry(shop: Shop) -> None:
    assert told(await shop.send(shop.event("e1", type="free"))) == (1, 0, [])
    assert await shop.burned() == {}
    async with shop.database.transaction(shop.workspace_id) as connection:
        event = await find_event_by_source(connection, "tests", "e1")
    assert event is not None
    assert (event.outcome, event.entries) == (EventOutcome.BURNED, ())


async def test_the_same_source_and_id_burn_once_in_one_request_and_in_the_next(shop: Shop) -> None:
    event = shop.event("e1")
    assert told(await shop.send(event, event, shop.event("e2"), event)) == (2, 2, [])
    assert told(await shop.send(event)) == (0, 1, [])
    assert told(await shop.send({**event, "source": "elsewhere"})) == (1, 0, [])
    assert await shop.burned() == {"ai": 3 * CENT, "sms": 3 * CENT}


async def test_a_contradiction_is_rejected_and_the_first_stands(shop: Shop) -> None:
    first, other = shop.event("e1"), shop.event("e1", data={"model": "chat", "input_tokens": 99, "output_tokens": 99})
    assert told(await shop.send(first, other)) == (1, 0, [(1, "e1", "INVALID")])
    assert told(await shop.send(shop.event("e1", "other"))) == (0, 0, [(0, "e1", "INVALID")])
    assert told(await shop.send(shop.event("e1", data=[]))) == (0, 0, [(0, "e1", "INVALID")])
    assert await shop.burned() == {"ai": CENT, "sms": CENT}
    assert await shop.stored() == 1


async def test_repeats_in_different_batches_of_one_request_burn_once(shop: Shop) -> None:
    events = [shop.event(f"e{number}", ("acme", "other")[number % 2]) for number in range(1_300)]
    ingested = await shop.send(*events, *events[:1_200], shop.event("e7", type="call"))
    assert told(ingested) == (1_300, 1_200, [(2_500, "e7", "INVALID")])
    assert await shop.burned() == await shop.burned("other") == {"ai": 650 * CENT, "sms": 650 * CENT}


async def test_the_same_events_through_many_processes_at_once_burn_once(shop: Shop) -> None:
    events = [shop.event(f"e{number}", ("acme", "other")[number % 2]) for number in range(200)]
    writers = [shop.writer, *[await shop.open_writer() for _ in range(3)]]
    sent = [
        shop.send(*(events if number % 2 else events[::-1]), writer=writer) for number, writer in enumerate(writers)
    ]
    answers = [told(answer) for answer in await asyncio.gather(*sent)]
    assert sum(accepted for accepted, _, _ in answers) == 200
    assert sum(duplicates for _, duplicates, _ in answers) == 600
    assert await shop.burned() == await shop.burned("other") == {"ai": 100 * CENT, "sms": 100 * CENT}


async def test_one_id_for_two_customers_at_once_burns_for_one_of_them(shop: Shop) -> None:
    """No lock keeps the two apart: the second finds out when it stores the event, and looks again."""
    rival = await shop.open_writer()
    for number in range(25):
        one, other = shop.event(f"e{number}"), shop.event(f"e{number}", "other")
        answers = await asyncio.gather(shop.send(one), shop.send(other, writer=rival))
        assert sorted(told(answer)[0] for answer in answers) == [0, 1]
        assert [told(answer)[2] for answer in answers if not answer.accepted] == [[(0, f"e{number}", "INVALID")]]
    burned = [(await shop.burned(key)).get("ai", Decimal(0)) for key in ("acme", "other")]
    assert sum(burned) == 25 * CENT


async def test_in_one_request_the_first_of_two_customers_stands(shop: Shop) -> None:
    pairs = [(shop.event(f"e{number}"), shop.event(f"e{number}", "other")) for number in range(300)]
    events = [event for number, pair in enumerate(pairs) for event in (pair if number % 2 else pair[::-1])]
    ingested = await shop.send(*events)
    assert (ingested.accepted, [each.index for each in ingested.rejected]) == (300, list(range(1, 600, 2)))
    assert await shop.burned() == await shop.burned("other") == {"ai": 150 * CENT, "sms": 150 * CENT}


async def test_each_outcome_says_why_and_nothing_of_it_is_dropped(shop: Shop) -> None:
    late, future = shop.now - timedelta(days=8), shop.now + timedelta(minutes=6)
    events = {
        "LATE": shop.event("late", time=late.isoformat()),
        "FUTURE": shop.event("future", time=future.isoformat()),
        "INVALID": shop.event("invalid", data={"input_tokens": -1, "output_tokens": 1}),
        "UNKNOWN_CUSTOMER": shop.event("stranger", "stranger"),
        "UNKNOWN_TYPE": shop.event("type", type="nobody.meters.this"),
        "UNRATED": shop.event("unrated", type="gpu"),
    }
    ingested = await shop.send(*events.values())
    assert told(ingested) == (0, 0, [(index, events[name]["id"], name) for index, name in enumerate(events)])
    assert told(await shop.send(*events.values())) == (0, 6, [])
    assert await shop.burned() == {}
    async with shop.database.transaction(shop.workspace_id) as connection:
        letters, more = await list_dead_letters(connection, None, 50)
    assert not more
    by_outcome = {letter.outcome.name: letter for letter in letters}
    for rejected in ingested.rejected:
        letter, sent = by_outcome[rejected.outcome.name], events[rejected.outcome.name]
        assert letter.message == rejected.message
        assert letter.message
        assert (letter.customer, letter.attempts, letter.resolved_at) == (sent["subject"], 1, None)
        kept = orjson.loads(letter.event)
        assert {name: kept[name] for name in sent if name != "time"} == {n: v for n, v in sent.items() if n != "time"}


async def test_a_feature_without_a_rate_for_these_dimensions_leaves_the_whole_event_unrated(shop: Shop) -> None:
    small, large = (shop.event(model, type="call", data={"model": model}) for model in ("small", "large"))
    assert told(await shop.send(small, large)) == (1, 0, [(0, "small", "UNRATED")])
    assert await shop.burned() == {"ai": Decimal(1)}


async def test_old_usage_burns_when_it_is_accepted_as_late(shop: Shop) -> None:
    old = shop.event("old", time=(shop.now - timedelta(days=800)).isoformat())
    assert told(await shop.send(old, accept_late=True)) == (1, 0, [])
    assert told(await shop.send(old)) == (0, 1, [])
    assert await shop.burned() == {"ai": CENT, "sms": CENT}


POISON = [
    b"nonsense",
    b'{"id": "half',
    b'{"specversion": "1.0", "id": "nan", "source": "tests", "type": "llm", "subject": "acme", "data": {"input_tokens": NaN}}',
    b'{"specversion": "1.0", "id": "nul", "source": "tests", "type": "llm", "subject": "acme", "data": {"x": "a\\u0000b"}}',
    b'{"specversion": "1.0", "id": "half", "source": "tests", "type": "llm", "subject": "acme", "data": {"x": "\\ud800"}}',
    b'{"specversion": "1.0", "id": "huge", "source": "tests", "type": "llm", "subject": "acme", "data": {"x": 1e999999}}',
    b'{"specversion": "1.0", "id": "a\\u0000b", "source": "tests", "type": "llm", "subject": "acme", "data": {}}',
    b'{"id": "utf", "text": "\xff"}',
    b'{"x":' * 2_000 + b"1" + b"}" * 2_000,
    b'{"x":' * 300 + b"1" + b"}" * 300,
    orjson.dumps({"id": "large", "pad": "x" * 1_000_000}),
]


async def test_poison_among_a_thousand_events_rejects_itself_alone_and_is_kept(shop: Shop) -> None:
    sound = [orjson.dumps(shop.event(f"e{number}")) for number in range(1_000 - len(POISON))]
    step = len(sound) // len(POISON)
    lines = list(sound)
    for number, poison in enumerate(POISON):
        lines.insert(number * (step + 1), poison)
    ingested = await shop.send(*parse_body(b"\n".join(lines), Form.LINES))
    assert (ingested.accepted, ingested.duplicates, len(ingested.rejected)) == (len(sound), 0, len(POISON))
    assert [each.index for each in ingested.rejected] == [number * (step + 1) for number in range(len(POISON))]
    assert {each.outcome for each in ingested.rejected} == {EventOutcome.INVALID}
    assert await shop.burned() == {"ai": len(sound) * CENT, "sms": len(sound) * CENT}
    async with shop.database.transaction(shop.workspace_id) as connection:
        letters, _ = await list_dead_letters(connection, "INVALID", 50)
        nan = await find_event_by_source(connection, "tests", "nan")
    assert len(letters) == len(POISON)
    assert nan is not None
    assert (nan.type, nan.outcome, orjson.loads(nan.data)["data"]) == (
        "llm",
        EventOutcome.INVALID,
        {"input_tokens": "NaN"},
    )


async def test_numbers_come_back_as_they_were_written(shop: Shop) -> None:
    data = '{"input_tokens":0.100,"output_tokens":1E+1,"ratio":0.30000000000000004,"big":12345678901234567890123}'
    event = orjson.dumps(shop.event("e1", data=orjson.Fragment(data)))
    assert told(await shop.send(*parse_body(event, Form.ONE))) == (1, 0, [])
    assert await shop.burned() == {"sms": Decimal("0.02")}  # a tenth of a token rounds to nothing
    async with shop.database.transaction(shop.workspace_id) as connection:
        found = await find_event_by_source(connection, "tests", "e1")
    assert found is not None
    assert found.data == data


async def test_an_event_is_found_by_its_public_id_its_key_and_its_sources_name(shop: Shop) -> None:
    await shop.send(shop.event("e1"), shop.event("e1", source="elsewhere"), shop.event("e2", "other"))
    async with shop.database.transaction(shop.workspace_id) as connection:
        acme = await find_customer(connection, "acme")
        assert acme is not None
        named = await find_event(connection, event_id="e1", customer_id=acme.id)
        assert {event.source for event in named} == {"tests", "elsewhere"}
        by_id = await find_event(connection, event_id=named[0].id, customer_id=acme.id)
        assert by_id == named[:1]
        assert await find_event(connection, event_id="e2", customer_id=acme.id) == []
        keys = [event_key("tests", "e1"), event_key("tests", "nothing")]
        assert list(await read_events(connection, keys)) == keys[:1]
        for source, event_id in (("tests", "nothing"), ("tests\0e1", ""), ("tests", "e1\0"), ("\ud800", "e1")):
            assert await find_event_by_source(connection, source, event_id) is None
        foreign = await find_event(connection, event_id=named[0].id, customer_id=acme.id + 1)
        assert foreign == []


@pytest.mark.parametrize("outcome", [None, "UNKNOWN_TYPE"])
async def test_dead_letters_are_listed_newest_first_page_by_page(shop: Shop, outcome: str | None) -> None:
    for step in range(3):
        events = [shop.event(f"{step}-{number}", type="unknown") for number in range(7)]
        await shop.send(*events, shop.event(f"{step}-x", "stranger"))
    async with shop.database.transaction(shop.workspace_id) as connection:
        whole, more = await list_dead_letters(connection, outcome, 500)
        assert (len(whole), more) == ((24, False) if outcome is None else (21, False))
        paged: list[Any] = []
        after = None
        while more or after is None:
            page, more = await list_dead_letters(connection, outcome, 5, after)
            paged += page
            after = page[-1].position
        assert paged == whole
        assert [letter.received_at for letter in whole] == sorted((each.received_at for each in whole), reverse=True)
        assert await list_dead_letters(connection, outcome, 5, whole[-1].position) == ([], False)
        for foreign in ((2**61, 0, 0), (0, -1, 0), (0, 0, 2**61)):
            assert await list_dead_letters(connection, outcome, 5, foreign) == ([], False)


async def test_events_of_another_workspace_do_not_exist(shop: Shop) -> None:
    await shop.send(shop.event("e1"), shop.event("dead", type="unknown"))
    async with shop.database.transaction(shop.workspace_id + 1_000_000) as connection:
        assert await find_event_by_source(connection, "tests", "e1") is None
        assert await list_dead_letters(connection, None, 50) == ([], False)
        assert (await connection.execute(text("SELECT count(*) FROM usage_events"))).scalar_one() == 0
