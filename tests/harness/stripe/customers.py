"""Customers, and which payment method of theirs is charged when they are away."""

from tests.harness.stripe import cards
from tests.harness.stripe.book import Book, Json
from tests.harness.stripe.forms import metadata
from tests.harness.stripe.problems import invalid

TEXTS = ("description", "email", "name", "phone")


def create(book: Book, form: Json) -> Json:
    customer = book.base("customer", "cus") | {
        "address": form.get("address") or None,
        "balance": 0,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": book.new_id("x", 8)[2:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "metadata": metadata(form),
        "next_invoice_sequence": 1,
        "preferred_locales": form.get("preferred_locales") or [],
        "shipping": None,
        "tax_exempt": form.get("tax_exempt") or "none",
        "test_clock": None,
    }
    customer |= {name: form.get(name) or None for name in TEXTS}
    book.add("customer", customer)
    if form.get("payment_method"):
        cards.attach(book, cards.method_of(book, form["payment_method"]), customer["id"])
    _set_default(book, customer, form)
    book.emit("customer.created", customer)
    return customer


def made_by_checkout(book: Book, email: str | None) -> Json:
    return create(book, {"email": email or ""})


def update(book: Book, form: Json, customer: str) -> Json:
    found = book.get("customer", customer, param="customer")
    before = {name: found[name] for name in (*TEXTS, "metadata") if name in form}
    found |= {name: form[name] or None for name in TEXTS if name in form}
    found["metadata"] = metadata(form, found["metadata"])
    if "address" in form:
        found["address"] = form["address"] or None
    _set_default(book, found, form)
    book.emit("customer.updated", found, **before)
    return found


def _set_default(book: Book, customer: Json, form: Json) -> None:
    settings = form.get("invoice_settings") or {}
    if "default_payment_method" not in settings:
        return
    named = settings["default_payment_method"]
    if named:
        method = cards.method_of(book, named, param="invoice_settings[default_payment_method]")
        if method["customer"] != customer["id"]:
            message = (
                f"The customer does not have a payment method with the ID {method['id']}. The payment method must be "
                "attached to the customer."
            )
            raise invalid(message, param="invoice_settings[default_payment_method]", code="resource_missing")
        named = method["id"]
    customer["invoice_settings"]["default_payment_method"] = named or None
