"""The canonical entry and its hash: pinned, so that today's ledger verifies with tomorrow's code."""

import dataclasses
import hashlib
import json
from datetime import UTC, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest

from credits.ledger.burn import burn
from credits.ledger.entries import GENESIS, Cause, Entry, Kind, canonical, chain
from tests.credits.ledger.given import NOON, US, an_account, give

FULL = Entry(
    *(1, 2, 3, 7, Kind.SETTLE, -5, -10, 90, 0, NOON - US, NOON),
    allocations=[(1, 4), (0, 1)],
    hold_number=3,
    cause=Cause(
        actor_id=9,
        feature_id=8,
        rate_id=7,
        quantity=Decimal("2.500"),
        exact_amount=Decimal("0.0000010"),
        dimensions='{"a":1.5,"b":"é"}',
        member="ada",
        event=UUID(int=1),
        reason="GOODWILL",
        note='a "note"\n',
        key="k",
        fingerprint=-1,
    ),
)
SPARE = Entry(1, 2, 3, 1, Kind.BURN, 0, 0, 0, 0, NOON, NOON, [], None, Cause())


def test_the_canonical_entry_is_json_that_anything_can_write():
    assert json.loads(canonical(FULL)) == [
        *(1, 2, 3, 7, 4, -5, -10, 90, 0),
        *("2026-03-01T11:59:59.999999+00:00", "2026-03-01T12:00:00+00:00"),
        *([[1, 4], [0, 1]], 3, 9, 8, 7, "2.5", "0.000001", '{"a":1.5,"b":"é"}', "ada"),
        *("00000000-0000-0000-0000-000000000001", "GOODWILL", 'a "note"\n', "k", -1),
    ]
    assert json.loads(canonical(SPARE))[11:] == [[], *[None] * 13]
    assert b" " not in canonical(SPARE)


def test_what_came_later_is_appended_by_its_name_where_it_is_set():
    reversal = dataclasses.replace(FULL, cause=dataclasses.replace(FULL.cause, reverses=3))
    assert json.loads(canonical(reversal)) == [*json.loads(canonical(FULL)), ["reverses", 3]]


def test_the_bytes_and_hashes_are_the_ones_of_the_first_release():
    """Whoever changes these has broken every chain there is."""
    assert chain(GENESIS, SPARE).hex() == "da3b0a0986c55b17d743491d57d8fafd8dab1da974a8ce4085c9ed242928ab15"
    assert (
        chain(chain(GENESIS, SPARE), FULL).hex() == "95b048f1fbbf9f04ee952e68704d754efb3e6f7c7ac5ca735f0eb6c255889572"
    )
    assert chain(GENESIS, SPARE) == hashlib.sha256(bytes(32) + canonical(SPARE)).digest()


CHANGES = {
    **dict.fromkeys(("workspace_id", "customer_id", "credit_type_id", "sequence", "amount", "held_amount"), 99),
    "balance_after": 99,
    "held_after": 99,
    "kind": Kind.BURN,
    "hold_number": None,
    "occurred_at": NOON,
    "recorded_at": NOON + US,
    "allocations": [(0, 1), (1, 4)],
}
CAUSES = {
    "actor_id": None,
    "feature_id": 1,
    "rate_id": None,
    "quantity": Decimal("2.5000001"),
    "exact_amount": None,
    "dimensions": "{}",
    "member": "Ada",
    "event": UUID(int=2),
    "reason": None,
    "note": None,
    "key": "K",
    "fingerprint": 1,
    "reverses": 3,
}


def test_no_field_is_left_out_of_the_hash():
    assert set(CHANGES) | {"cause", "hash"} == set(Entry.__slots__)
    assert set(CAUSES) == set(Cause.__slots__)


@pytest.mark.parametrize("name", [*CHANGES, *CAUSES])
def test_each_field_counts(name: str):
    if name in CHANGES:
        changed = dataclasses.replace(FULL, **{name: CHANGES[name]})
    else:
        changed = dataclasses.replace(FULL, cause=dataclasses.replace(FULL.cause, **{name: CAUSES[name]}))
    assert chain(GENESIS, changed) != chain(GENESIS, FULL)


def test_zeros_without_meaning_do_not_count_as_the_database_may_give_back_more_of_them():
    for quantity in (Decimal("2.5"), Decimal("2.50000"), Decimal("25E-1")):
        same = dataclasses.replace(FULL, cause=dataclasses.replace(FULL.cause, quantity=quantity))
        assert chain(GENESIS, same) == chain(GENESIS, FULL)
    hundred = dataclasses.replace(FULL, cause=dataclasses.replace(FULL.cause, quantity=Decimal("1E+2")))
    assert b'"100"' in canonical(hundred)


def test_an_entry_is_chained_in_utc_wherever_its_instant_came_from():
    account, other = an_account(), an_account()
    for each, zone in ((account, UTC), (other, timezone(timedelta(hours=-3)))):
        give(each, 5, effective_at=(NOON - US).astimezone(zone))
        burn(each, 1, occurred_at=NOON.astimezone(zone), now=NOON.astimezone(zone), cause=Cause())
    assert account.head == other.head


def test_each_account_has_a_chain_of_its_own_from_the_same_beginning():
    assert an_account().head == GENESIS == bytes(32)
    first, second = an_account(), an_account()
    second.customer_id = 99
    for each in (first, second):
        give(each, 5)
    assert first.head != second.head
