"""A resolution: what is upheld is given back in the database transaction that closes the dispute, or neither happens."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from credits import ids
from credits.amount import plain_micro
from credits.audit.log import Act, record_hot
from credits.canonical import fingerprint
from credits.db import HotConnection
from credits.disputes import statements
from credits.disputes.disputes import UNDECIDED, Dispute, decided, text_form
from credits.disputes.telling import Told, told_of
from credits.errors import IdempotencyConflict, InvalidInput, NotFound, Refusal
from credits.posting.companions import Companion, Made
from credits.posting.corrections import EntryId, ReverseTogether
from credits.webhooks.outbox import tell_hot

_OTHER_PAYLOAD = "this idempotency key was used before with another payload"


@dataclass(slots=True)
class Resolution:
    """The writer's companion: looks at the dispute under the lock, and closes it with the reversals."""

    customer_id: int
    number: int
    upheld: bool
    resolution: str
    key: str
    meaning: int
    actor_id: int | None
    _seen: list[Any] = field(default_factory=list)

    @property
    def place(self) -> tuple[str, int, int]:
        return "dispute", self.customer_id, self.number

    async def look(self, connection: HotConnection) -> None:
        self._seen = await connection.fetch(statements.READ_DISPUTE, self.customer_id, self.number, self.key)

    def decide(self, now: datetime, earlier: Companion | None) -> Refusal | bool:
        if isinstance(earlier, Resolution):  # of the same batch
            if earlier.key != self.key:
                return decided("upheld" if earlier.upheld else "rejected")
            return earlier.meaning == self.meaning or IdempotencyConflict(_OTHER_PAYLOAD, first_seen_at=now)
        used = next((row for row in self._seen if row["key"] == self.key), None)
        if used is not None:
            same = (used["number"], used["fingerprint"]) == (self.number, self.meaning)
            return same or IdempotencyConflict(_OTHER_PAYLOAD, first_seen_at=used["resolved_at"])
        dispute = next((row for row in self._seen if row["number"] == self.number), None)
        if dispute is None:
            return NotFound("no such dispute")
        return False if dispute["status"] in UNDECIDED else decided(dispute["status"])

    async def write(self, connection: HotConnection, now: datetime, made: Made) -> None:
        place = (self.customer_id, self.number)
        status, amount = "UPHELD" if self.upheld else "REJECTED", sum(entry.amount for entry in made.entries)
        resolved = (status, amount, self.resolution, now, self.key, self.meaning)
        await connection.execute(statements.RESOLVE_DISPUTE, *place, *resolved)
        await connection.execute(statements.FREE_ENTRIES, *place)
        await connection.execute(statements.ADD_EVENT, *place, now, self.actor_id, status.lower(), None)
        seen = next(row for row in self._seen if row["number"] == self.number)
        reversals = [ids.make("ent", each.customer_id, each.credit_type_id, each.sequence) for each in made.entries]
        after = {"status": status, "givenBack": plain_micro(amount), "entries": reversals}
        subject = ids.make("dsp", *place)
        await record_hot(
            connection, [Act(self.actor_id, "dispute.resolved", subject, {"status": seen["status"]}, after)]
        )
        told = told_of(
            "dispute.resolved",
            now,
            Told(seen["workspace_id"], seen["customer"], seen["credit_type"], *place, seen["version"] + 1),
            after,
        )
        await tell_hot(connection, [told])

    @classmethod
    def of(cls, dispute: Dispute, *, upheld: bool, amount: Decimal | None, text: str, key: str, by: int | None) -> Self:
        meaning = fingerprint("resolve", dispute.number, upheld, amount, text)
        return cls(dispute.customer_id, dispute.number, upheld, text, key, meaning, by)


def resolving(
    dispute: Dispute, *, upheld: bool, amount: Decimal | None, resolution: str, key: str, actor_id: int | None
) -> ReverseTogether | InvalidInput:
    """The command that resolves it: upheld gives back `amount` of its entries, oldest first, or (None) all that is left;
    rejected gives back nothing. Refused with OVER_REVERSED where less is left, with CONFLICT once it is decided."""
    problem = text_form(resolution, "resolution")
    if problem:
        return problem
    if amount is not None and not upheld:
        return InvalidInput("goes with uphold: true", field="amount")
    companion = Resolution.of(dispute, upheld=upheld, amount=amount, text=resolution, key=key, by=actor_id)
    return ReverseTogether(
        customer=dispute.customer_id,
        entries=tuple(EntryId(*place) for place in dispute.entries) if upheld else (),
        amount=amount,
        companion=companion,
        reason="DISPUTE_UPHELD",
        note=resolution,
        key=key,
        actor_id=actor_id,
    )
