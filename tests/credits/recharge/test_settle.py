"""What a truth means: in any order, told any number of times, it comes to the same; and what does not fit moves nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits.recharge.provider import Payback, Payment
from credits.recharge.settle import CONTESTED, Give, GiveBack, Step, Take, ended, mismatches, next_step, refused
from credits.recharge.top_ups import KeptPayback, TopUp

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORDERED = TopUp(
    workspace_id=1,
    customer_id=7,
    number=3,
    credit_type_id=1,
    bundle_id=1,
    quantity=1,
    credits=1_000_000,
    price=999,
    currency="EUR",
    paid=None,
    paid_back=0,
    clawed_back=0,
    status="PENDING",
    automatic=False,
    provider="sandbox",
    mode="HOSTED",
    priority=50,
    expires_after=None,
    grant_number=None,
    actor_id=None,
    return_url=None,
    method=None,
    session=None,
    payment=None,
    checkout_url=None,
    client_secret=None,
    receipt_url=None,
    failure=None,
    decline_code=None,
    key="k",
    fingerprint=0,
    version=1,
    created_at=NOW,
    changed_at=NOW,
    settled_at=None,
    asked_at=NOW,
    look_at=NOW,
)
ASKED = Payment(
    state="PENDING",
    order_id=ORDERED.id,
    subtotal=999,
    paid=None,
    currency="EUR",
    payer_id="payer",
    live=False,
    session="s",
    payment="p",
    checkout_url="https://bank.test/1",
)
PAID = replace(ASKED, state="SUCCEEDED", paid=1_189, checkout_url=None)  # with tax


@dataclass
class Book:
    """A top-up as it is settled, and all that moved with it."""

    top_up: TopUp = ORDERED
    kept: list[KeptPayback] = field(default_factory=list)
    unit: int = 1
    grants: int = 0
    balance: int = 0
    money: list[tuple[str, int]] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)
    sequence: int = 0

    def settle(self, *truths: Payment) -> "Book":
        for truth in truths:
            for _ in range(50):
                step = next_step(self.top_up, self.kept, truth, self.unit)
                if step is None:
                    break
                self.write(step)
            else:
                raise AssertionError("does not come to an end")
            self.check()
        return self

    def write(self, step: Step) -> None:
        top_up, payback = step.top_up, step.payback
        self.sequence += 1
        match step.moves:
            case Give():
                self.grants += 1
                self.balance += top_up.credits
                top_up = replace(top_up, grant_number=1)
            case Take(_, credits):
                assert payback is not None
                self.balance -= credits
                payback = replace(payback, sequence=self.sequence)
            case GiveBack(number, sequence):
                (taken,) = [each for each in self.kept if each.number == number]
                assert taken.sequence == sequence
                self.balance += taken.credits
        if payback is not None:
            self.kept = [*(each for each in self.kept if each.number != payback.number), payback]
        self.top_up = top_up
        self.money += [step.money] if step.money else []
        self.issues += [step.issue.kind] if step.issue else []

    def check(self) -> None:
        """What the tables' own laws say, and that credits and money go together."""
        of, sign = self.top_up, {"SALE": 1, "REFUND": -1, "CHARGEBACK": -1, "REFUND_FAILED": 1, "CHARGEBACK_WON": 1}
        done = [each for each in self.kept if each.status == "DONE"]
        assert self.grants == (1 if of.is_paid else 0)
        assert of.is_paid == (of.status in ("SUCCEEDED", "REFUNDED", "DISPUTED")) == (of.paid is not None)
        assert 0 <= of.paid_back == sum(each.counted for each in done) <= (of.paid or 0)
        assert 0 <= of.clawed_back == sum(each.credits for each in done) <= of.credits
        assert self.balance == (of.credits - of.clawed_back if of.is_paid else 0)
        assert sum(sign[kind] * minor for kind, minor in self.money) == (
            of.price - sum(each.minor for each in done) if of.is_paid else 0
        )
        if of.is_paid and of.paid_back == of.paid:
            assert (of.clawed_back, sum(each.minor for each in done)) == (of.credits, of.price)
        assert of.clawed_back % self.unit == 0


def refund(amount: int, state: str = "DONE", name: str = "r", **more: Any) -> Payback:
    return Payback(name, "REFUND", state, amount, **more)  # type: ignore[arg-type]


def chargeback(amount: int, state: str = "DONE", name: str = "c") -> Payback:
    return Payback(name, "CHARGEBACK", state, amount)  # type: ignore[arg-type]


def back(*paybacks: Payback) -> Payment:
    return replace(PAID, paybacks=paybacks)


# ─── until it is paid ──────────────────────────────────────────────────────────────────────────────
FAILED = replace(ASKED, state="FAILED", failure="declined", decline_code="card_declined", checkout_url=None)
CANCELED = replace(ASKED, state="CANCELED", checkout_url=None)
ACTING = replace(ASKED, state="REQUIRES_ACTION", client_secret="secret")


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([ASKED], "PENDING"),
        ([ASKED, ACTING], "REQUIRES_ACTION"),
        ([ACTING, ASKED], "PENDING"),
        ([FAILED], "FAILED"),
        ([FAILED, ASKED, ACTING], "FAILED"),  # old news
        ([FAILED, CANCELED], "CANCELED"),
        ([CANCELED, FAILED], "CANCELED"),
        ([PAID], "SUCCEEDED"),
        ([FAILED, PAID], "SUCCEEDED"),  # paid is paid
        ([CANCELED, PAID], "SUCCEEDED"),
        ([PAID, FAILED], "SUCCEEDED"),
        ([PAID, CANCELED, ASKED, PAID], "SUCCEEDED"),
        ([back(refund(1_189)), PAID, FAILED], "REFUNDED"),
    ],
)
def test_what_is_told_one_after_another_ends_as_it_should(told: list[Payment], status: str):
    assert Book().settle(*told).top_up.status == status


def test_what_leads_to_paying_is_there_while_it_is_of_use():
    book = Book().settle(ACTING)
    assert (book.top_up.checkout_url, book.top_up.client_secret) == ("https://bank.test/1", "secret")
    for end in (FAILED, CANCELED, PAID):
        ended_ = Book().settle(ACTING, end).top_up
        assert (ended_.checkout_url, ended_.client_secret) == (None, None)
    assert Book().settle(FAILED).top_up.failure == "declined"
    assert Book().settle(FAILED, PAID).top_up.failure is None


def test_what_the_provider_refuses_or_never_knew_is_over():
    assert refused(ORDERED, "no", "refused").top_up.status == "FAILED"
    assert ended(ORDERED, "too late").top_up.status == "CANCELED"


# ─── what does not fit ─────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"order_id": "top_7_4"}, ["ORDER"]),
        ({"order_id": None}, ["ORDER"]),
        ({"subtotal": 998}, ["AMOUNT"]),
        ({"subtotal": None}, ["AMOUNT"]),
        ({"paid": 998}, ["AMOUNT"]),
        ({"paid": 0}, ["AMOUNT"]),
        ({"paid": None}, ["AMOUNT"]),
        ({"currency": "USD"}, ["CURRENCY"]),
        ({"payer_id": "somebody"}, ["CUSTOMER"]),
        ({"live": True}, ["MODE"]),
        ({"subtotal": 1, "currency": "JPY", "live": True}, ["AMOUNT", "CURRENCY", "MODE"]),
    ],
)
def test_a_payment_of_something_else_is_put_before_an_operator(changes: dict[str, Any], kinds: list[str]):
    """S11, S12, S13."""
    assert [issue.kind for issue in mismatches(ORDERED, replace(PAID, **changes), "payer", live=False)] == kinds


def test_before_it_is_paid_what_is_not_said_yet_may_be_missing():
    unsaid = replace(ASKED, order_id=None, subtotal=None, currency=None, payer_id=None)
    assert mismatches(ORDERED, unsaid, "payer", live=False) == ()
    assert mismatches(ORDERED, PAID, None, live=False) == ()


def test_an_order_that_is_paid_a_second_time_is_no_second_grant():
    paid = Book().settle(PAID)
    again = replace(PAID, payment="p2")
    assert [issue.kind for issue in mismatches(paid.top_up, again, "payer", live=False)] == ["PAID_TWICE"]
    assert paid.settle(again).grants == 1


# ─── what goes back ────────────────────────────────────────────────────────────────────────────────
def test_parts_claw_back_parts_and_together_all_of_it():
    book = Book(unit=1_000)
    book.settle(back(refund(400, name="a")))
    assert (book.top_up.clawed_back, book.top_up.status) == (336_000, "SUCCEEDED")  # 1,000,000 × 400 / 1,189, to 1,000
    book.settle(back(refund(400, name="a"), refund(789, name="b")))
    assert (book.top_up.clawed_back, book.top_up.status) == (1_000_000, "REFUNDED")
    assert book.money == [("SALE", 999), ("REFUND", 336), ("REFUND", 663)]


def test_a_refund_that_fails_later_gives_back_exactly_what_it_took():
    book = Book(unit=1_000).settle(back(refund(400)))
    book.settle(back(refund(400, "FAILED")))
    assert (book.top_up.clawed_back, book.top_up.paid_back, book.kept[0].status) == (0, 0, "UNDONE")
    assert book.money[-1] == ("REFUND_FAILED", 336)
    book.settle(back(refund(400)), PAID)
    assert book.kept[0].status == "UNDONE", "what was true before is not true again"


def test_a_payment_dispute_takes_at_once_and_gives_back_when_it_is_won():
    """S15."""
    book = Book().settle(back(chargeback(1_189)))
    assert (book.top_up.status, book.top_up.failure, book.balance) == ("DISPUTED", CONTESTED, 0)
    lost = replace(back(chargeback(1_189)), failure="the bank has decided for the customer")
    assert book.settle(lost).top_up.failure == "the bank has decided for the customer"
    book.settle(back(chargeback(1_189, "FAILED")))
    assert (book.top_up.status, book.top_up.failure, book.balance) == ("SUCCEEDED", None, 1_000_000)


def test_our_own_refund_is_known_by_our_id_before_the_provider_has_given_its_own():
    asked = KeptPayback(7, 3, 1, "REFUND", "ASKED", 400, reason="OTHER")
    book = Book().settle(PAID)
    book.kept = [asked]
    book.settle(back(refund(400, ours=asked.id)))
    (kept,) = book.kept
    assert (kept.status, kept.provider_id, kept.reason) == ("DONE", "r", "OTHER")


def test_what_goes_back_beyond_what_was_paid_claws_back_no_more_and_is_told():
    book = Book().settle(back(refund(1_000)), back(refund(1_000), chargeback(1_189)))
    assert (book.top_up.paid_back, book.top_up.clawed_back, book.balance) == (1_189, 1_000_000, 0)
    assert book.issues == ["PAID_BACK_TOO_MUCH"]


def test_a_failure_that_is_told_first_is_not_undone_by_the_older_truth():
    book = Book().settle(back(refund(400, "FAILED")), back(refund(400)))
    assert (book.top_up.paid_back, [each.status for each in book.kept]) == (0, ["FAILED"])


# ─── any order, any number of times ────────────────────────────────────────────────────────────────
@st.composite
def histories(draw: st.DrawFn, *, beyond: bool = False) -> list[Payment]:
    """What is true at the provider, one moment after another. `beyond`: disputes may take what is gone already."""
    truths = [ASKED, *draw(st.lists(st.sampled_from([ASKED, ACTING]), max_size=2))]
    if draw(st.booleans()):
        truths.append(FAILED)
    if not draw(st.integers(0, 9)):
        return [*truths, CANCELED]
    paid = draw(st.integers(999, 1_300))
    now = replace(PAID, paid=paid)
    truths.append(now)
    for number in range(draw(st.integers(0, 6))):
        open_ = [each for each in now.paybacks if each.state != "FAILED"]
        left = paid - sum(each.amount for each in open_)
        if open_ and draw(st.booleans()):
            gone = draw(st.sampled_from(open_))
            now = replace(
                now,
                paybacks=tuple(replace(each, state="FAILED") if each is gone else each for each in now.paybacks),
            )
        elif left > 0 or beyond:
            most = paid if beyond else left
            amount = draw(st.one_of(st.just(most), st.integers(1, most)))
            new = draw(st.sampled_from([refund, chargeback]))(amount, name=f"n{number}")
            now = replace(now, paybacks=(*now.paybacks, new))
        truths.append(now)
    return truths


def told_somehow(draw: st.DrawFn, truths: Sequence[Payment]) -> list[Payment]:
    """Some of them, in any order, some again and again; at the end the last."""
    return [*draw(st.lists(st.sampled_from(list(truths)), max_size=12)), truths[-1]]


@given(st.data(), st.sampled_from([1, 1_000, 250_000, 1_000_000]))
def test_whatever_was_told_before_the_last_truth_decides(data: st.DataObject, unit: int):
    """S3 to S6, S14, S15."""
    truths = data.draw(histories())
    book = Book(unit=unit).settle(*told_somehow(data.draw, truths))
    short = Book(unit=unit).settle(truths[-1])
    assert book.top_up.status == short.top_up.status
    assert (book.top_up.paid, book.top_up.paid_back) == (short.top_up.paid, short.top_up.paid_back)
    undone = sum(each.status == "UNDONE" for each in book.kept)
    assert abs(book.top_up.clawed_back - short.top_up.clawed_back) <= undone * unit
    assert book.issues == []


@given(st.data())
def test_also_where_more_goes_back_than_was_paid_no_law_is_broken(data: st.DataObject):
    truths = data.draw(histories(beyond=True))
    Book(unit=1_000).settle(*told_somehow(data.draw, truths))  # checks after each


@given(st.data())
def test_the_last_truth_again_changes_nothing(data: st.DataObject):
    truths = data.draw(histories(beyond=True))
    book = Book().settle(*truths)
    assert next_step(book.top_up, book.kept, truths[-1], 1) is None
