"""Random histories with corrections, each command a batch of its own, laid beside the reference model.

So whatever a correction needs of what is closed has been read from the tables. A tick is an hour: the clock runs on.
"""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from credits.posting.commands import HoldId
from credits.posting.corrections import Clawback, EntryId, GrantId, ReverseClawback, VoidGrant
from tests.credits.posting.till import TYPES, Till
from tests.model import walk
from tests.model.ledger import Account
from tests.model.records import Refused

HOUR = timedelta(hours=1)
GRANT = ("number", "remaining", "held", "burned", "expired", "voided", "clawed_back", "given_back")


class Told:
    """One account of the till, to which the walk's commands are put."""

    def __init__(self, till: Till, order: str, place: tuple[int, int], begin: datetime) -> None:
        self.till, self.place, self.begin = till, place, begin
        self.credit_type = {name: key for key, name in TYPES.items()}[order]
        self.at = 0

    @classmethod
    async def open(cls, till: Till, model: Account, floor: int | None) -> "Told":
        await till.policy("SOFT" if floor is None else "ENFORCE", overdraft_limit_micro=floor)
        key = {name: key for key, name in TYPES.items()}[model.order]
        (kind,) = await till.rows("SELECT id FROM credit_types WHERE key = :key", key=key)
        return cls(till, model.order, ((await till.customer()).id, kind["id"]), await till.now())

    async def put(self, command: walk.Command) -> str | None:
        """The code of the refusal; None where it happened."""
        await self.till.jump((command.now - self.at) * HOUR)
        self.at = command.now
        answer = await self.till.post(self.asked(command))
        return getattr(answer, "code", None)

    def asked(self, command: walk.Command) -> Any:
        till, key = self.till, self.till.key()
        amount, kind = f"0.{command.amount:06d}", {"credit_type": self.credit_type}
        match command.verb:
            case "grant":
                ends = None if command.expires is None else self.begin + command.expires * HOUR
                money = {"cost_amount": 1, "cost_currency": "USD"} if command.paid else {}
                return till.grant(amount, **kind, expires_at=ends, priority=command.priority, **money)
            case "burn":
                return till.burn(amount, **kind)
            case "hold":
                return till.hold(amount, **kind, ttl=f"PT{(command.expires or 0) - command.now}H")
            case "settle":
                return till.settle(HoldId(*self.place, command.hold), amount, partial=command.partial)
            case "release":
                return till.release(HoldId(*self.place, command.hold))
            case "void":
                return VoidGrant(grant=GrantId(*self.place, command.grant), key=key, actor_id=None)
            case "clawback":
                grant = GrantId(*self.place, command.grant)
                return Clawback(grant=grant, amount_micro=command.amount, key=key, actor_id=None)
            case "unclaw":
                entry, micro = EntryId(*self.place, command.entry), command.amount
                return ReverseClawback(entry=entry, amount_micro=micro, key=key, actor_id=None)
        return till.reverse_by_place(EntryId(*self.place, command.entry), amount)

    async def compare(self, model: Account) -> None:
        """Every grant and every entry."""
        where = "WHERE customer_id = :c AND credit_type_id = :t ORDER BY"
        names = dict(zip(("c", "t"), self.place, strict=True))
        grants = await self.till.rows(f"SELECT {', '.join(GRANT)} FROM grants {where} number", **names)
        wanted = [tuple(getattr(grant, name) for name in GRANT) for grant in model.grants.values()]
        assert [tuple(row.values()) for row in grants] == wanted
        entries = await self.till.rows(
            f"SELECT kind, amount, held_amount, balance_after, reverses FROM entries {where} sequence", **names
        )
        told = [(row["amount"], row["held_amount"] or 0, row["balance_after"]) for row in entries]
        assert told == [(entry.amount, entry.held_amount, entry.balance_after) for entry in model.entries]


async def test_random_histories_over_the_tables_are_what_the_model_says(till: Till):
    till.configuration.refund_lifetime = walk.REFUND_LASTS * HOUR
    steps = walk.Walk(random.Random(7), burn_min=1)
    model: Account | None = None
    told: Told | None = None
    corrected = 0
    while steps.accounts <= len(TYPES):
        command = steps.next_command()
        if steps.account is not model:
            if told is not None and model is not None:
                await told.compare(model)
            if steps.accounts > len(TYPES):
                break
            model = steps.account
            told = await Told.open(till, model, steps.limit)
        if command.verb == "extend":  # what lapses has no exact instant here, and order by it would be chance
            continue
        assert told is not None
        command = replace(command, effective=None)
        wanted = walk.Walk.apply(model, command)
        code = await told.put(command)
        assert code == (wanted.code if isinstance(wanted, Refused) else None), command
        corrected += command.verb in walk.CORRECTIONS and code is None
    assert corrected > 10
    await till.check()
