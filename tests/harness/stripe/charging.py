"""Charges: made by intents and nothing else, and the balance that they and their ends come to."""

from collections import defaultdict

from tests.harness.stripe.book import Book, Json

FEE_FIXED = 30


def make(book: Book, intent: Json, method: Json, status: str, *, refused: Json | None = None) -> Json:
    """A charge of `intent` on `method`: `succeeded`, `pending`, or `failed` as `refused` says (the error of a 402)."""
    taken = status == "succeeded"
    charge = book.base("charge", "ch") | {
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if taken else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "FAKE",
        "captured": taken,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": refused and refused["code"],
        "failure_message": refused and refused["message"],
        "fraud_details": {},
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(status, refused),
        "paid": taken,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": method["type"], method["type"]: method[method["type"]]},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }
    book.add("charge", charge)
    if taken:
        _taken(book, charge)
    book.emit(f"charge.{status}", charge)
    return charge


def settle(book: Book, charge: Json, refused: Json | None) -> None:
    """What was pending is paid, or `refused`."""
    if refused is None:
        charge |= {"status": "succeeded", "paid": True, "captured": True, "amount_captured": charge["amount"]}
        _taken(book, charge)
    else:
        charge |= {"status": "failed", "failure_code": refused["code"], "failure_message": refused["message"]}
    charge["outcome"] = _outcome(charge["status"], refused)
    book.emit(f"charge.{charge['status']}", charge)


def move(book: Book, kind: str, amount: int, source: Json, *, currency: str, fee: int = 0) -> str:
    """A line of the balance, in minor units with a sign; its id."""
    line: Json = book.base("balance_transaction", "txn") | {
        "amount": amount,
        "available_on": book.clock.now() + 2 * 86400,
        "balance_type": "payments",
        "currency": currency,
        "description": source.get("description"),
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [{"amount": fee, "currency": currency, "type": "stripe_fee", "description": "Stripe fees"}],
        "net": amount - fee,
        "reporting_category": kind,
        "source": source["id"],
        "status": "pending",
        "type": kind,
    }
    del line["livemode"]
    return str(book.add("balance_transaction", line)["id"])


def balance(book: Book) -> Json:
    """What all lines come to, by currency."""
    sums: dict[str, int] = defaultdict(int)
    for line in book.kinds["balance_transaction"]:
        sums[line["currency"]] += line["net"]
    lines = [
        {"amount": total, "currency": currency, "source_types": {"card": total}}
        for currency, total in sorted(sums.items())
    ]
    nothing = [{"amount": 0, "currency": line["currency"], "source_types": {"card": 0}} for line in lines]
    return {"object": "balance", "available": nothing, "livemode": book.livemode, "pending": lines}


def _taken(book: Book, charge: Json) -> None:
    fee = min(charge["amount"], charge["amount"] * book.fee_basis_points // 10_000 + FEE_FIXED)
    charge["balance_transaction"] = move(book, "charge", charge["amount"], charge, currency=charge["currency"], fee=fee)
    charge["receipt_url"] = f"{book.url}/receipts/{charge['id']}"


def _outcome(status: str, refused: Json | None) -> Json:
    if refused is None:
        said, kind = "Payment complete." if status == "succeeded" else "Payment pending.", "authorized"
        network = "approved_by_network"
    else:
        said, kind, network = "The bank did not return any further details.", "issuer_declined", "declined_by_network"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network,
        "reason": refused and refused.get("decline_code"),
        "risk_level": "normal",
        "risk_score": 1,
        "seller_message": said,
        "type": kind,
    }
