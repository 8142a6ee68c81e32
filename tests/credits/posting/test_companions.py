"""What goes with a command goes with it: a companion and its command both happen, or neither does."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from credits.amount import MICRO
from credits.audit.log import Act, record_hot
from credits.db import HotConnection
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound, Refusal
from credits.ledger.entries import Kind
from credits.posting.commands import GiveGrant
from credits.posting.companions import Companion, Made
from credits.posting.keys import SystemKey, given_key, system_key
from credits.posting.outcomes import Granted, HappenedBefore
from tests.credits.posting.till import Till, grant_id

SOME_DAY = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Receipt:
    """A companion that keeps its receipts in the audit log: paid once, refunded up to what was paid."""

    number: int
    verb: str = "paid"
    amount: int = 10
    refusal: Refusal | None = None
    breaks: bool = False
    points: bool = True  # to the grant that the command is about
    _kept: list[tuple[str, int]] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, int]:
        return "receipt", self.number

    async def look(self, connection: HotConnection) -> None:
        rows = await connection.fetch(
            "SELECT action, (after->>'amount')::int AS amount FROM audit_log WHERE subject = $1", f"rcp_{self.number}"
        )
        self._kept = [(row["action"], row["amount"]) for row in rows]

    def decide(self, now: datetime, earlier: Companion | None) -> Refusal | bool:
        if self.refusal is not None:
            return self.refusal
        known = earlier.known if isinstance(earlier, Receipt) else self._kept
        if self.verb == "paid":
            self._kept = [*known, ("paid", self.amount)]
            return any(action == "paid" for action, _ in known)
        paid = sum(amount if action == "paid" else -amount for action, amount in known)
        self._kept = [*known, (self.verb, self.amount)]
        return Conflict("more than was paid") if self.amount > paid else False

    @property
    def known(self) -> list[tuple[str, int]]:
        return self._kept

    async def write(self, connection: HotConnection, now: datetime, made: Made) -> None:
        grant = None if made.grant is None else made.grant.number
        after = {"amount": self.amount, "entries": [entry.sequence for entry in made.entries], "grant": grant}
        await record_hot(connection, [Act(None, self.verb, f"rcp_{self.number}", None, after)])
        # Its own write comes last: whatever it may point to is there.
        if self.points:
            assert await connection.fetchval("SELECT count(*) FROM grants WHERE number = $1", grant) == 1
        if self.breaks:
            raise RuntimeError("the last statement fails")


def bought(till: Till, number: int = 1, **more: Any) -> GiveGrant:
    fixed = {"key": system_key("receipt", number), "source": "PURCHASE", "companion": Receipt(number)}
    return replace(till.grant("10"), **{**fixed, **more})


async def receipts(till: Till) -> list[tuple[str, str, Any, Any]]:
    rows = await till.rows("SELECT subject, action, after FROM audit_log WHERE subject LIKE 'rcp_%' ORDER BY id")
    return [(row["subject"], row["action"], row["after"]["entries"], row["after"]["grant"]) for row in rows]


# ─── a grant ───────────────────────────────────────────────────────────────────────────────────────
async def test_a_grant_and_its_companion_are_there_together_and_a_repeat_is_the_first_answer(till: Till):
    given = await till.must(bought(till))
    assert (given.grant.key, given.grant.source, given.replayed) == ("receipt 1", "PURCHASE", False)
    assert await receipts(till) == [("rcp_1", "paid", [1], 1)]
    before = await till.state()
    again = await till.must(bought(till))
    assert again.replayed
    assert replace(again, replayed=False, balance=given.balance) == given
    assert await till.must(bought(till, amount=Decimal(11))) == HappenedBefore(), (
        "the companion knows, the key does not"
    )
    assert await till.must(bought(till, key="mine")) == HappenedBefore()
    assert (await till.state(), len(await receipts(till))) == (before, 1)
    await till.check()


async def test_a_scheduled_grant_tells_its_companion_which_grant_it_is(till: Till):
    given = await till.must(bought(till, effective_at=SOME_DAY))
    assert given.entry is None
    assert await receipts(till) == [("rcp_1", "paid", [], 1)]
    assert (await till.must(bought(till, effective_at=SOME_DAY))).replayed


async def test_what_the_companion_or_the_ledger_refuses_changes_neither(till: Till):
    refused = Conflict("it was refunded")
    used = till.grant("1", key="used")
    await till.must(used)
    before = await till.state()
    cases: dict[str, tuple[GiveGrant, type[Refusal]]] = {
        "the companion says no": (bought(till, companion=Receipt(1, refusal=refused)), Conflict),
        "no such customer": (bought(till, customer="nobody"), NotFound),
        "no customer of that id": (bought(till, customer=17), NotFound),
        "no such credit type": (bought(till, credit_type="gold"), NotFound),
        "it has ended": (bought(till, expires_at=datetime(2001, 1, 1, tzinfo=UTC)), InvalidInput),
        "a key that stands for something else": (bought(till, key="used"), IdempotencyConflict),
    }
    for case, (command, kind) in cases.items():
        assert isinstance(await till.post(command), kind), case
    assert (await till.state(), await receipts(till)) == (before, [])
    assert isinstance(await till.must(bought(till)), Granted), "none of it used up the key"


async def test_a_companion_that_fails_takes_its_grant_with_it_and_nobody_elses(till: Till):
    before = await till.state()
    with pytest.raises(RuntimeError, match="last statement"):
        await till.post(bought(till, companion=Receipt(1, breaks=True)))
    assert (await till.state(), await receipts(till)) == (before, [])
    answers = await asyncio.gather(
        till.post(till.grant("1")),
        till.post(bought(till, companion=Receipt(1, breaks=True))),
        till.post(bought(till, 2)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Granted, RuntimeError, Granted]
    assert [subject for subject, *_ in await receipts(till)] == ["rcp_2"]
    await till.check()


async def test_whoever_has_only_the_id_names_the_customer_by_it(till: Till):
    customer = await till.customer()
    given = await till.must(bought(till, customer=customer.id))
    assert given.customer_id == customer.id
    assert (await till.must(bought(till, customer="acme"))).replayed, "by either name it is the same customer's key"
    # One that begins in the past is laid among what is booked, whatever the customer is called.
    now = await till.now()
    await till.must(till.burn("4"))
    late = bought(till, 2, customer=customer.id, effective_at=now - timedelta(hours=1), expires_at=SOME_DAY)
    assert (await till.must(late)).grant.effective_at == now - timedelta(hours=1)
    assert await till.available() == 16
    await till.check()


async def test_many_who_hear_of_one_payment_at_once_in_two_processes_give_one_grant(till: Till):
    writers = [till.writer, await till.another_process()]
    customer = await till.customer()
    names = ["acme", customer.id]
    answers = await asyncio.gather(
        *(till.post(bought(till, customer=names[n // 2 % 2]), writers[n % 2]) for n in range(12))
    )
    assert sorted(answer.replayed for answer in answers if isinstance(answer, Granted)) == [False] + [True] * 11
    assert (await till.available(), len(await receipts(till))) == (10, 1)


async def test_companions_of_one_place_in_one_batch_know_of_each_other(till: Till):
    (other,) = await till.many(till.grant("100"))
    assert isinstance(other, Granted)
    takes = [
        till.claw_back(other, "6", companion=Receipt(1, "refunded", 6)),
        till.claw_back(other, "4", companion=Receipt(1, "refunded", 4)),
        till.claw_back(other, "1", companion=Receipt(1, "refunded", 1)),
    ]
    answers = await till.many(bought(till), bought(till), *takes, bought(till, 2))
    assert [type(answer) for answer in answers] == [Granted, Granted, Granted, Granted, Conflict, Granted]
    assert [action for subject, action, *_ in await receipts(till) if subject == "rcp_1"] == ["paid"] + ["refunded"] * 2
    await till.check()


# ─── what it cost, in all ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("amount", "total", "per_credit"),
    [
        ("10", "9.99", "0.999"),
        ("3", "10", "3.333333333333"),
        ("7", "0.01", "0.001428571429"),
        ("0.000001", "900000", "900000000000"),
        ("9223372036854.775807", "0.01", "0"),
        ("5", "0", "0"),
    ],
)
async def test_what_a_grant_cost_in_all_is_kept_per_credit(till: Till, amount: str, total: str, per_credit: str):
    cost = {"cost_total": Decimal(total), "cost_currency": "USD"}
    given = await till.must(bought(till, amount=Decimal(amount), **cost))
    assert (given.grant.cost_amount, given.grant.cost_currency) == (Decimal(per_credit), "USD")
    (row,) = await till.rows("SELECT cost_amount FROM grants")
    assert row["cost_amount"] == Decimal(per_credit)


def test_a_cost_that_cannot_be_kept_is_refused(till: Till):
    for wrong in (
        {"cost_total": Decimal(-1)},
        {"cost_total": Decimal(1), "cost_amount": Decimal(1)},
        {"cost_total": Decimal(10) ** 13},
    ):
        assert isinstance(bought(till, **wrong).form(), InvalidInput), wrong
    assert bought(till, cost_total=Decimal(10) ** 13 - 1).form() is None
    plain, priced = bought(till), bought(till, cost_total=Decimal(1))
    assert plain.meaning() != priced.meaning() != bought(till, cost_total=Decimal(2)).meaning()


# ─── a clawback ────────────────────────────────────────────────────────────────────────────────────
async def test_a_clawback_and_its_companion_are_there_together_or_neither_is(till: Till):
    given = await till.must(bought(till))
    key = system_key("refund", "re_1")
    taking = till.claw_back(given, "4", key=key, companion=Receipt(1, "refunded", 4))
    taken = await till.must(taking)
    assert (taken.entry.kind, taken.entry.amount, taken.entry.cause.key) == (Kind.CLAWBACK, -4 * MICRO, key)
    assert (await receipts(till))[1:] == [("rcp_1", "refunded", [2], 1)]
    before = await till.state()
    refused = till.claw_back(given, "7", companion=Receipt(1, "refunded", 7))
    assert await till.post(refused) == Conflict("more than was paid")
    with pytest.raises(RuntimeError):
        await till.post(till.claw_back(given, "5", companion=Receipt(1, "refunded", 5, breaks=True)))
    # This companion lets the same refund happen twice: the key does not.
    assert isinstance(await till.post(taking), IdempotencyConflict)
    assert (await till.state(), len(await receipts(till))) == (before, 2)
    later = await till.must(till.grant("1", effective_at=SOME_DAY))
    scheduled = await till.post(till.claw_back(later, "1", companion=Receipt(1, "refunded", 1)))
    assert isinstance(scheduled, Conflict)
    assert scheduled.code == "GRANT_NOT_ACTIVE"
    assert len(await receipts(till)) == 2
    assert (grant_id(given), await till.available()) == (grant_id(taken), 6)
    await till.check()


# ─── keys of the system's own ──────────────────────────────────────────────────────────────────────
def test_a_key_of_the_systems_own_is_one_that_no_caller_can_give(till: Till):
    key = system_key("top-up", 17)
    assert (key, type(key)) == ("top-up 17", SystemKey)
    assert till.grant(key=key).form() is None
    assert isinstance(till.grant(key=str(key)).form(), InvalidInput), "written out by a caller it is refused"
    assert (given_key(key), given_key(str(key)), given_key("mine"), given_key(None)) == (None, None, "mine", None)
    for wrong in (("top-up",), ("top-up", ""), ("top-up", "a b"), ("a", "\0"), ("top-up", "x" * 250), ()):
        with pytest.raises(ValueError, match="system's own"):
            system_key(*wrong)
