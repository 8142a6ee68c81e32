"""A batch is a convenience of the writer: each command in it stands alone, whatever becomes of the others."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from credits.errors import Conflict, InsufficientCredits, InvalidInput, NotFound
from credits.posting.commands import Advance, Burn, ExtendHold, HoldId, Spend, TakeEvent
from credits.posting.locking import CustomerIds
from credits.posting.outcomes import Advanced, Burned, EventOutcome, EventTaken, Granted, HoldTaken
from credits.posting.store import open_book
from credits.usage.envelope import from_attributes
from tests.credits.posting.till import Till

HOUR = timedelta(hours=1)
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def burned(answers: list[Any]) -> list[bool]:
    return [isinstance(answer, Burned) for answer in answers]


async def test_a_refusal_in_the_middle_of_a_batch_takes_nothing_with_it(till: Till):
    answers = await till.many(
        till.burn("1"),  # nothing there yet
        till.grant("10"),
        till.burn("4"),
        till.burn("7"),  # 6 are left
        till.burn("5", customer="nobody"),
        till.burn("6"),
        till.burn("0.000001"),
    )
    assert [type(answer) for answer in answers] == [
        InsufficientCredits,
        Granted,
        Burned,
        InsufficientCredits,
        NotFound,
        Burned,
        InsufficientCredits,
    ]
    assert await till.available() == 0
    assert [(entry["sequence"], entry["amount"]) for entry in await till.rows("SELECT * FROM entries ORDER BY 11")] == [
        (1, 10_000_000),
        (2, -4_000_000),
        (3, -6_000_000),
    ]
    await till.check()


async def refusals(till: Till) -> dict[str, tuple[Any, type, str]]:
    """Every way to be refused, with the refusal's type and code."""
    now = await till.now()
    hold, closed = await till.open_hold("10"), await till.open_hold("1")
    await till.must(till.release(closed))
    foreign = replace(hold, customer_id=hold.customer_id + 1)
    used = till.burn("1")
    await till.must(used)
    return {
        "too much": (till.burn("1000"), InsufficientCredits, "INSUFFICIENT_CREDITS"),
        "too much for a hold": (till.hold("1000"), InsufficientCredits, "INSUFFICIENT_CREDITS"),
        "settled beyond what is there": (till.settle(hold, "1000"), InsufficientCredits, "INSUFFICIENT_CREDITS"),
        "partly, beyond": (till.settle(hold, "1000", partial=True), InsufficientCredits, "INSUFFICIENT_CREDITS"),
        "too many tokens": (till.chat("100000"), InsufficientCredits, "INSUFFICIENT_CREDITS"),
        "no customer": (till.burn("1", customer="nobody"), NotFound, "NOT_FOUND"),
        "no customer to grant to": (till.grant("1", customer="nobody"), NotFound, "NOT_FOUND"),
        "a customer no text can name": (till.burn("1", customer="a\0b"), NotFound, "NOT_FOUND"),
        "half a character": (till.burn("1", customer="\ud800"), NotFound, "NOT_FOUND"),
        "no credit type": (till.burn("1", credit_type="euros"), NotFound, "NOT_FOUND"),
        "no credit type to grant": (till.grant("1", credit_type="euros"), NotFound, "NOT_FOUND"),
        "no feature": (
            Burn("acme", Spend(feature="x", quantity=Decimal(1)), till.key(), None),
            NotFound,
            "UNKNOWN_FEATURE",
        ),
        "no hold": (till.settle(replace(hold, number=99), "1"), NotFound, "NOT_FOUND"),
        "a hold of nobody": (till.settle(foreign, "1"), NotFound, "NOT_FOUND"),
        "no hold to release": (till.release(replace(hold, credit_type_id=99)), NotFound, "NOT_FOUND"),
        "no hold to extend": (ExtendHold(replace(hold, number=99), "PT1H"), NotFound, "NOT_FOUND"),
        "a released hold": (till.settle(closed, "1"), Conflict, "HOLD_NOT_OPEN"),
        "released twice": (till.release(closed), Conflict, "HOLD_NOT_OPEN"),
        "extended when closed": (ExtendHold(closed, "PT1H"), Conflict, "HOLD_NOT_OPEN"),
        "too late": (till.burn("1", not_after=now - HOUR), Conflict, "TOO_LATE"),
        "too late for a hold": (till.hold("1", not_after=now - HOUR), Conflict, "TOO_LATE"),
        "long ago": (till.burn("1", occurred_at=now - timedelta(days=8)), Conflict, "TOO_LATE"),
        "ahead": (till.burn("1", occurred_at=now + HOUR), InvalidInput, "INVALID_INPUT"),
        "granted long ago": (till.grant("1", effective_at=now - timedelta(days=8)), InvalidInput, "INVALID_INPUT"),
        "expired when given": (till.grant("1", expires_at=now - HOUR), InvalidInput, "INVALID_INPUT"),
        "settled by quantity": (till.settle(hold, quantity=Decimal(1)), InvalidInput, "INVALID_INPUT"),
    }


async def test_every_refusal_leaves_every_row_as_it_was(till: Till):
    await till.must(till.grant("100"))
    cases = await refusals(till)
    before = await till.state()
    for name, (command, kind, code) in cases.items():
        answer = await till.post(command)
        assert type(answer) is kind, (name, answer)
        assert getattr(answer, "code") == code, (name, answer)  # noqa: B009 -- of whichever refusal it is
        assert await till.state() == before, name
    answers = await till.many(*(command for command, _, _ in cases.values()))
    assert [type(answer) for answer in answers] == [kind for _, kind, _ in cases.values()]
    assert await till.state() == before
    await till.check()


async def test_a_refusal_does_not_use_up_its_key(till: Till):
    command = till.burn("5")
    assert isinstance(await till.post(command), InsufficientCredits)
    await till.must(till.grant("10"))
    assert (await till.must(command)).replayed is False
    assert (await till.must(command)).replayed is True
    first, second = await till.many(till.burn("5.5", key="same"), till.burn("1", key="same"))
    assert isinstance(first, InsufficientCredits), "the first was refused, so the key is free for the second"
    assert isinstance(second, Burned)


# ─── poison ────────────────────────────────────────────────────────────────────────────────────────
def poisons(till: Till) -> dict[str, Any]:
    """Commands that no `form` has seen: one fails when it is decided, one when it is written, one out of range."""
    return {
        "when decided": Burn("acme", Spend(credit_type="ai", amount=Decimal(1), member=object()), till.key(), None),  # type: ignore[arg-type]
        "when written": till.burn("1", note="a\0b"),
        "when sent": till.burn("1", actor_id=2**40),
    }


@pytest.mark.parametrize("name", ["when decided", "when written", "when sent"])
async def test_a_poisoned_command_fails_alone_and_the_others_happen_once(till: Till, name: str):
    await till.must(till.grant("100"))
    poison = poisons(till)[name]
    others = [till.burn("1") for _ in range(6)]
    answers = await asyncio.gather(
        *(till.post(command) for command in [*others[:3], poison, *others[3:]]), return_exceptions=True
    )
    assert isinstance(answers.pop(3), Exception)
    assert burned(answers) == [True] * 6
    assert [answer.replayed for answer in answers] == [False] * 6  # type: ignore[union-attr]
    assert await till.available() == 94
    await till.check()
    assert isinstance(await till.post(till.burn("1")), Burned), "the lane goes on"


async def test_many_of_which_one_is_poisoned_raise_and_the_others_are_there_for_who_asks_again(till: Till):
    await till.must(till.grant("100"))
    others = [till.burn("1") for _ in range(4)]
    with pytest.raises(Exception, match="unsupported Unicode escape sequence"):
        await till.many(*others[:2], poisons(till)["when written"], *others[2:])
    assert await till.available() == 96
    answers = await till.many(*others)
    assert [answer.replayed for answer in answers] == [True] * 4  # type: ignore[union-attr]
    assert await till.available() == 96


def event(event_id: str, tokens: object = 2, type_: str = "chat", **changes: Any) -> TakeEvent:
    field = "n" if type_ == "twice" else "tokens"
    taken = from_attributes(event_id, "tests", type_, "acme", None, {field: tokens})
    return replace(taken, **changes)


async def test_a_poisoned_event_is_kept_as_a_dead_letter_and_the_others_burn_once(till: Till):
    bad = event("bad", data={"tokens": 2, "member": "a\0b"})
    answers = await till.many(event("1"), event("2"), bad, event("3"), till.grant("5"))
    outcomes = [answer.outcome for answer in answers if isinstance(answer, EventTaken)]
    assert outcomes == [EventOutcome.BURNED, EventOutcome.BURNED, EventOutcome.INVALID, EventOutcome.BURNED]
    assert isinstance(answers[-1], Granted)
    assert await till.available() == 2
    again = await till.many(event("1"), event("2"), bad, event("3"))
    assert {answer.outcome for answer in again if isinstance(answer, EventTaken)} == {EventOutcome.DUPLICATE}
    (letter,) = await till.rows("SELECT event_id, message FROM usage_events WHERE message IS NOT NULL")
    assert letter["event_id"] == "bad"
    await till.check()


# ─── callers ───────────────────────────────────────────────────────────────────────────────────────
async def test_a_caller_that_goes_away_changes_nothing_for_the_others(till: Till):
    await till.must(till.grant("100"))
    commands = [till.burn("1") for _ in range(20)]
    tasks = [asyncio.create_task(till.post(command)) for command in commands]
    await asyncio.sleep(0)
    for gone in tasks[::3]:
        gone.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert burned([answer for answer in answers if not isinstance(answer, asyncio.CancelledError)]) == [True] * 13
    replayed = await till.many(*commands)
    assert burned(replayed) == [True] * 20
    assert await till.available() == 80, "whoever went away asks again with the same key and learns that it happened"
    await till.check()


async def until_locked_out(monitor: asyncpg.Connection) -> None:
    async with asyncio.timeout(10):  # our own lock_timeout
        while not await monitor.fetchval(_WAITING):
            await asyncio.sleep(0.002)


async def test_many_callers_that_go_away_while_their_batch_commits_leave_a_writer_that_goes_on(till: Till):
    """Each batch is stopped at its beginning, or with its entries already written, and goes on without its callers."""
    await till.must(till.grant("1000"))
    keeper, monitor = await till.as_owner(), await till.as_owner()
    for table in ["customers", "accounts", "accounts"] * 5:
        async with keeper.transaction():
            await keeper.execute(f"SELECT FROM {table} WHERE workspace_id = $1 FOR UPDATE", till.workspace_id)
            commands = [till.burn("1") for _ in range(10)]
            asking = asyncio.create_task(till.many(*commands))
            await until_locked_out(monitor)
            asking.cancel()
            (left,) = await asyncio.gather(asking, return_exceptions=True)
            assert isinstance(left, asyncio.CancelledError)
    await keeper.close()
    await monitor.close()
    assert isinstance(await till.post(till.burn("1")), Burned)
    assert await till.available() == 1000 - 151
    await till.check()


async def test_more_than_one_batch_is_answered_in_the_order_of_asking(till: Till):
    await till.must(till.grant("5000"))
    answers = await till.many(*(till.burn("1") for _ in range(1_700)))
    sequences = [answer.entry.sequence for answer in answers if isinstance(answer, Burned)]
    assert sequences == list(range(2, 1_702))
    await till.check()


async def test_what_changed_is_published_after_it_is_committed_and_once_per_account(till: Till):
    await till.many(till.grant("5"), till.grant("5", credit_type="soonest"), *(till.burn("1") for _ in range(4)))
    customer = await till.customer()
    versions = {news[2]: news[3] for news in till.published}
    assert sorted(versions.values()) == [1, 5]
    assert {(news[0], news[1]) for news in till.published} == {(till.workspace_id, customer.id)}
    assert len(till.published) == 2
    till.published.clear()
    await till.post(till.burn("1000"))
    assert till.published == [], "a refusal is no news"


async def test_what_is_due_is_booked_also_under_a_refused_command_and_told(till: Till):
    now = await till.now()
    await till.must(till.grant("5", expires_at=now + HOUR))
    await till.jump(2 * HOUR)
    till.published.clear()
    assert isinstance(await till.post(till.burn("1")), InsufficientCredits)
    assert [news[3] for news in till.published] == [2]
    (entry,) = await till.rows("SELECT * FROM entries WHERE kind = 7")
    assert entry["recorded_at"] == now + HOUR
    await till.check()


async def test_a_sweep_of_nobody_and_of_somebody_elses_customer_books_nothing(till: Till):
    assert await till.many(Advance(1), Advance(2**62), Advance(-5)) == [Advanced([])] * 3


async def test_a_hold_and_its_end_may_share_a_batch_in_which_its_number_is_known(till: Till):
    """Numbers are dense: a caller may guess the next one. What it names is found once it is there."""
    await till.must(till.grant("10"))
    customer = await till.customer()
    first = await till.open_hold("1")
    guessed = HoldId(customer.id, first.credit_type_id, first.number + 1)
    taken, settled = await till.many(till.hold("3"), till.settle(guessed, "2"))
    assert isinstance(taken, HoldTaken)
    assert taken.hold.status == "OPEN", "an answer stays what it was"
    assert not hasattr(settled, "code"), settled
    assert await till.available() == 7
    await till.check()


async def test_an_event_of_nothing_tags_its_customer_whoever_else_is_in_the_batch(till: Till):
    """A price was applied: the customer stays on the version it was given."""
    await till.many(from_attributes("1", "tests", "free", "acme", None, {}))
    await till.many(from_attributes("2", "tests", "free", "other", None, {}), till.grant("1", customer="acme"))
    tags = await till.rows("SELECT key, rate_card_version FROM customers ORDER BY key")
    assert [tuple(row.values()) for row in tags] == [("acme", 1), ("other", 1)]


async def test_two_features_of_one_event_that_leave_64_bits_together_are_a_dead_letter(till: Till):
    half = "4700000000000"  # of 2⁶³ micro-credits, twice is too much
    answers = await till.many(event("big", half, "twice"), event("small", 1, "twice"))
    outcomes = [answer.outcome for answer in answers if isinstance(answer, EventTaken)]
    assert outcomes == [EventOutcome.INVALID, EventOutcome.BURNED]
    (letter,) = await till.rows("SELECT message FROM usage_events WHERE message IS NOT NULL")
    assert "64 bits" in letter["message"]
    await till.check()


async def test_the_book_of_a_batch_is_what_everybody_reads(till: Till):
    """Read under the lock in another form than elsewhere: every field must come out the same."""
    await till.policy("SOFT")
    await till.must(
        till.grant("3", cost_amount=Decimal("0.25"), cost_currency="USD", metadata={"a": "b"}, note="a note")
    )
    await till.must(till.grant("2", priority=10, source="MANUAL", reason="a reason"))
    await till.must(till.grant("7", expires_at=await till.now() + HOUR))
    await till.must(till.burn("13"))  # of three grants, and overdraft
    await till.must(till.grant("4", credit_type="soonest"))
    voided = await till.must(till.grant("5", credit_type="soonest"))
    await till.must(till.void(voided))
    await till.must(till.burn("1", credit_type="soonest"))
    await till.must(till.grant("6", credit_type="oldest", effective_at=await till.now() + HOUR))
    customer = await till.customer("acme")
    async with till.reader.page(till.workspace_id) as page:
        known = await page.accounts(customer)
    async with till.database.hot(till.workspace_id, timedelta(seconds=5)) as connection:
        commands = [till.burn("1"), till.burn("1", "nobody")]
        book = await open_book(connection, till.configuration, till.workspace_id, commands, CustomerIds())
    assert len(known) == 3
    assert {len(account.drawn) for account in known.values()} == {0, 1, 4}
    assert book.accounts == known
    assert list(book.customers) == [customer.id]
