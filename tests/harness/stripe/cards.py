"""Stripe's test cards, and payment methods made of them."""

from dataclasses import dataclass

from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.problems import Problem, declined, invalid

SUCCEEDS = "succeeds"
AUTHENTICATES = "authenticates"  # asks for it on session each time, and is declined off session
AUTHENTICATES_ONCE = "authenticates_once"  # to be set up; off session is well afterwards
LATER = "later"  # a bank's debit: processing, then paid
LATER_FAILS = "later_fails"
DISPUTED = "disputed"  # paid, and contested at once
# How a card may be declined → (code, message); the name is the decline code.
DECLINES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "do_not_honor": ("card_declined", "Your card was declined."),
    "fraudulent": ("card_declined", "Your card was declined."),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}
BEHAVIOURS = {SUCCEEDS, AUTHENTICATES, AUTHENTICATES_ONCE, LATER, LATER_FAILS, DISPUTED, *DECLINES}
AUTHENTICATION = (
    "Your card was declined. This transaction requires authentication.",
    "authentication_required",
    "authentication_required",
)


@dataclass(frozen=True)
class Card:
    """`attaches`: declined already when a customer is to keep it."""

    behaviour: str = SUCCEEDS
    last4: str = "4242"
    brand: str = "visa"
    attaches: bool = True
    kind: str = "card"


CARDS = {
    "pm_card_visa": Card(),
    "pm_card_visa_debit": Card(last4="5556"),
    "pm_card_mastercard": Card(last4="4444", brand="mastercard"),
    "pm_card_amex": Card(last4="8431", brand="amex"),
    "pm_card_us": Card(),
    "pm_card_chargeDeclined": Card("generic_decline", "0002", attaches=False),
    "pm_card_chargeDeclinedInsufficientFunds": Card("insufficient_funds", "9995", attaches=False),
    "pm_card_chargeDeclinedLostCard": Card("lost_card", "9987", attaches=False),
    "pm_card_chargeDeclinedStolenCard": Card("stolen_card", "9979", attaches=False),
    "pm_card_chargeDeclinedFraudulent": Card("fraudulent", "0019", attaches=False),
    "pm_card_chargeDeclinedExpiredCard": Card("expired_card", "0069", attaches=False),
    "pm_card_chargeDeclinedIncorrectCvc": Card("incorrect_cvc", "0127", attaches=False),
    "pm_card_chargeDeclinedProcessingError": Card("processing_error", "0119", attaches=False),
    "pm_card_chargeCustomerFail": Card("generic_decline", "0341"),
    "pm_card_authenticationRequired": Card(AUTHENTICATES, "3184"),
    "pm_card_authenticationRequiredOnSetup": Card(AUTHENTICATES_ONCE, "3155"),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card("insufficient_funds", "8269"),
    "pm_card_createDispute": Card(DISPUTED, "0259"),
    "pm_usBankAccount_success": Card(LATER, "6789", kind="us_bank_account"),
    "pm_usBankAccount_insufficientFunds": Card(LATER_FAILS, "1116", kind="us_bank_account"),
    "pm_sepaDebit_success": Card(LATER, "3000", kind="sepa_debit"),
}
CARDS |= {name.replace("pm_card_", "pm_card_visa_"): card for name, card in CARDS.items() if "Declined" in name}


def method_of(book: Book, named: str, *, param: str = "payment_method") -> Json:
    """The payment method `named`: one that exists, or a new one of a test card."""
    if named not in CARDS:
        return book.get("payment_method", named, param=param)
    card = CARDS[named]
    details: Json = {"last4": card.last4, "fingerprint": f"fp_{card.kind}_{card.last4}"}
    if card.kind == "card":
        details |= {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            "exp_month": 12,
            "exp_year": 2034,
            "funding": "credit",
            "generated_from": None,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
        }
    method = book.base("payment_method", "pm") | {
        "allow_redisplay": "unspecified",
        "billing_details": {"address": {}, "email": None, "name": None, "phone": None, "tax_id": None},
        card.kind: details,
        "customer": None,
        "metadata": {},
        "type": card.kind,
    }
    book.add("payment_method", method)
    book.cards[method["id"]] = card.behaviour
    if not card.attaches:
        book.cards[f"{method['id']}:attach"] = card.behaviour
    return method


def refusal(behaviour: str, **about: object) -> Problem:
    """402 as this decline is."""
    if behaviour in {AUTHENTICATES, AUTHENTICATES_ONCE}:
        return declined(*AUTHENTICATION, **about)
    code, message = DECLINES[behaviour]
    return declined(message, code, behaviour, **about)


def attach(book: Book, method: Json, customer: str) -> Json:
    """Kept by the customer from now on."""
    book.get("customer", customer, param="customer")
    if method["customer"] == customer:
        return method
    if method["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.", stored=True)
    if book.cards.get(f"{method['id']}:gone"):
        message = (
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again."
        )
        raise invalid(message, stored=True)
    refuses = book.cards.get(f"{method['id']}:attach")
    if refuses:
        raise refusal(refuses, payment_method=method)
    method["customer"] = customer
    book.emit("payment_method.attached", method)
    return method


def detach(book: Book, method: Json) -> Json:
    """No customer's, and of no use any more."""
    before = method["customer"]
    if before is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    method["customer"] = None
    book.cards[f"{method['id']}:gone"] = "detached"
    settings = book.objects[before]["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        settings["default_payment_method"] = None
    book.emit("payment_method.detached", method, customer=before)
    return method
