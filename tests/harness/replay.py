"""A recorded history played again through the reference model, in the order the ledger gives it, and compared.

Every entry of the ledger must be one that an acknowledged operation, or the clock, has made; every acknowledged
operation must have made one; and what the model then holds is what the server says: entries, grants, holds, balance.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from tests.harness.client import Client, Json
from tests.harness.history import History, Operation
from tests.model.laws import check_laws
from tests.model.ledger import Account
from tests.model.rating import micro
from tests.model.records import OVERDRAFT, Grant, Hold, Refused

READINGS_MAX = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MADE = {"grantCredits": "GRANT", "burn": "BURN", "hold": "HOLD", "settle": "SETTLE", "release": "RELEASE"}


def instant(text: str) -> int:
    """An instant as the contract writes it → microseconds since 1970."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def instant_or_none(text: str | None) -> int | None:
    return None if text is None else instant(text)


def number_of(public_id: str) -> int:
    """The number that an id ends in: the last tie-break of every burn order."""
    return int(public_id.rsplit("_", 1)[1], 36)


@dataclass(slots=True)
class Pages:
    """One account as the server tells it."""

    ledger: list[Json]
    grants: list[Json]
    holds: list[Json]
    balance: Json


async def read_account(client: Client, customer: str, credit_type: str) -> Pages:
    """Page after page, and again where something happened meanwhile (a hold lapsed, a grant ended): it must fit together.

    Grants and holds are read on both sides of the balance: a grant whose last credits are held ends without an entry,
    and neither the version nor any number of the balance tells.
    """
    for _ in range(READINGS_MAX):
        before = await _grants_and_holds(client, customer, credit_type)
        ledger = await client.ledger(customer, credit_type)
        balance = await client.balance(customer, credit_type)
        after = await _grants_and_holds(client, customer, credit_type)
        again = await client.balance(customer, credit_type)
        if before == after and len(ledger) == balance["version"] == again["version"]:
            return Pages(ledger, *before, balance)
        await asyncio.sleep(0.1)
    raise AssertionError(f"{customer} does not come to rest: {balance} {before} {again} {after}")


async def _grants_and_holds(client: Client, customer: str, credit_type: str) -> tuple[list[Json], list[Json]]:
    holds = await client.holds(customer)
    return await client.grants(customer, credit_type), [
        hold for hold in holds if hold["creditType"]["key"] == credit_type
    ]


async def read_accounts(client: Client, accounts: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Pages]:
    return {account: await read_account(client, *account) for account in accounts}


@dataclass(slots=True)
class Replayed:
    """The model after the history, and which operation made which entry."""

    model: Account
    made: dict[int, Operation] = field(default_factory=dict)  # by sequence


def replay(
    pages: Pages, history: History, customer: str, credit_type: str, *, order: str, floor: int | None
) -> Replayed:
    """Plays the account's acknowledged operations in the ledger's order. Raises `AssertionError` at the first difference."""
    keyed = history.by_key()
    result = Replayed(Account(order))
    model = result.model
    ends = {number_of(hold["id"]): instant(hold["expiresAt"]) for hold in pages.holds}
    scheduled: dict[int, str | None] = {}  # grant number → the key that it was given under
    for operation in history.accounts()[customer, credit_type]:
        if operation.verb == "grantCredits" and operation.reply.ok and operation.reply["entry"] is None:
            grant = _scheduled(operation)
            model.grants[grant.number] = grant
            scheduled[grant.number] = operation.key
    for entry in pages.ledger:
        if entry["kind"] in ("EXPIRE", "LAPSE") or _begins(entry) in scheduled:
            continue  # by the clock: the model books it by itself
        operation = keyed[customer, entry["idempotencyKey"]]
        assert operation.reply.ok, f"nobody was told of it: {entry} {operation}"
        assert _MADE[operation.verb] == entry["kind"], (entry, operation)
        answer = _apply(model, operation, entry, floor, ends)
        assert not isinstance(answer, Refused), f"the model refuses: {answer} {operation}\n{_story(pages, entry)}"
        check_laws(model)
        _same_as_answered(entry, operation)
        result.made[entry["sequence"]] = operation
    if pages.ledger:
        model.advance(instant(pages.ledger[-1]["recordedAt"]))
    _compare_entries(pages, model)
    _all_are_there(history.accounts()[customer, credit_type], keyed, result, set(scheduled.values()))
    return result


def _begins(entry: Json) -> int | None:
    """The number of the grant that the entry begins."""
    if entry["kind"] != "GRANT":
        return None
    return number_of(entry["allocations"][0]["grant"]["id"])


def _scheduled(operation: Operation) -> Grant:
    told = operation.reply["grant"]
    return Grant(
        number_of(told["id"]),
        micro(told["amount"]),
        instant(told["effectiveAt"]),
        instant_or_none(told["expiresAt"]),
        told["priority"],
        "costBasis" in operation.fields,
    )


def _apply(model: Account, operation: Operation, entry: Json, floor: int | None, ends: dict[int, int]) -> object:
    now, fields = instant(entry["recordedAt"]), operation.fields
    if operation.verb == "grantCredits":
        return model.grant(
            now,
            micro(fields["amount"]),
            effective=instant(entry["occurredAt"]),
            expires=instant_or_none(fields.get("expiresAt")),
            priority=fields.get("priority", 50),
            paid="costBasis" in fields,
            number=number_of(operation.reply["grant"]["id"]),
        )
    if operation.verb == "burn":
        return model.burn(now, micro(fields["amount"]), floor=floor, occurred=instant(entry["occurredAt"]))
    if operation.verb == "hold":
        hold_id = operation.reply["hold"]["id"]
        # The end it had last: it cannot have lapsed at an earlier one, or the extension would have been refused.
        hold = model.hold(now, micro(fields["amount"]), expires=ends[number_of(hold_id)], floor=floor)
        assert not isinstance(hold, Hold) or hold.number == number_of(hold_id), (hold, hold_id)
        return hold
    number = number_of(fields["hold"])
    if operation.verb == "release":
        return model.release(now, number)
    return model.settle(now, number, micro(fields["amount"]), partial=fields.get("partial", False), floor=floor)


def told(entry: Json) -> tuple[object, ...]:
    """What an entry of the server says, in the model's words; one allocation per grant."""
    drawn: dict[int, int] = {}
    repaid: dict[int, int] = {}
    for allocation in entry["allocations"]:
        number = number_of(allocation["grant"]["id"]) if allocation["grant"] else OVERDRAFT
        side = repaid if number and allocation["overdraft"] else drawn
        side[number] = side.get(number, 0) + micro(allocation["amount"])
    numbers = [micro(entry[name]) for name in ("amount", "heldAmount", "balanceAfter", "heldAfter")]
    times = (instant(entry["occurredAt"]), instant(entry["recordedAt"]))
    return (entry["sequence"], entry["kind"], *numbers, *times, drawn, repaid)


def _same_as_answered(entry: Json, operation: Operation) -> None:
    """The caller was told what the ledger says, and a balance no older than its own entry."""
    answer = operation.reply.answer
    for name, value in (answer.get("entry") or {}).items():
        assert entry[name] == value, f"{name}: answered {value}, in the ledger {entry[name]}"
    assert answer["balance"]["version"] >= entry["sequence"], (entry, answer)


def _compare_entries(pages: Pages, model: Account) -> None:
    previous = None
    for found, wanted in zip(pages.ledger, model.entries, strict=False):
        assert told(found) == wanted.in_contract_words(), f"{told(found)}\n{wanted}\n{_story(pages, found)}"
        assert previous is None or found["previousHash"] == previous, found
        previous = found["hash"]
    assert len(model.entries) >= len(pages.ledger), _story(pages, pages.ledger[-1])
    last = pages.ledger[-1]["recordedAt"] if pages.ledger else None
    for unbooked in model.entries[len(pages.ledger) :]:
        assert last is not None
        assert unbooked.recorded == instant(last), f"not booked before what came after it: {unbooked}"


def _all_are_there(
    operations: list[Operation], keyed: dict[tuple[str, str], Operation], result: Replayed, scheduled: set[str | None]
) -> None:
    """Exactly once: every acknowledged operation has its entry, no key has two, a refused one has none."""
    keys = [operation.key for operation in result.made.values()]
    assert len(keys) == len(set(keys)), "one key, two entries"
    there = set(keys) | scheduled
    for operation in operations:
        if operation.key is not None and operation.verb in _MADE:
            first = keyed[operation.customer, operation.key]
            found = operation.key in there
            assert found == first.reply.ok, f"acknowledged {first.reply.ok}, in the ledger {found}: {first}"


def compare_state(pages: Pages, model: Account) -> None:
    """Balance, grants and holds as the server tells them against the model at the balance's instant."""
    balance = pages.balance
    model.advance(instant(balance["asOf"]))
    names = ("balance", "held", "available", "granted", "burned", "expired")
    assert [micro(balance[name]) for name in names] == [getattr(model, name) for name in names], balance
    for grant in pages.grants:
        mine = model.grants[number_of(grant["id"])]
        remaining = mine.remaining if mine.begun else mine.amount
        assert (grant["status"], micro(grant["held"])) == (mine.status, mine.held), (grant, mine)
        assert micro(grant["remaining"]) in {remaining, mine.remaining}, (grant, mine)
    assert len(pages.grants) == len(model.grants)
    for hold in pages.holds:
        kept = model.holds[number_of(hold["id"])]
        assert (hold["status"], micro(hold["settled"])) == (kept.status, kept.settled), (hold, kept)
    assert len(pages.holds) == len(model.holds)


def _story(pages: Pages, entry: Json, count: int = 12) -> str:
    near = [other for other in pages.ledger if entry["sequence"] - count < other["sequence"] <= entry["sequence"]]
    return "\n".join(str(told(other)) for other in near)
