"""What Stripe takes for an amount: whole minor units of a currency in lower case, within its bounds."""

from tests.harness.stripe.forms import Json, required, whole
from tests.harness.stripe.problems import invalid

ZERO = "bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf"
THREE = "bhd jod kwd omr tnd"  # the last digit is always 0
TWO = """aed all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp bzd cad cdf chf cny cop crc cve czk
    dkk dop dzd egp etb eur fjd gbp gel gip gmd gtq gyd hkd hnl htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp
    lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron
    rsd rub sar sbd scr sek sgd shp sos srd szl thb tjs top try ttd twd tzs uah usd uyu uzs wst xcd yer zar zmw"""
THREE_DECIMAL = frozenset(THREE.split())
SUPPORTED = THREE_DECIMAL.union(ZERO.split(), TWO.split())
MAXIMUM = 99_999_999
# The least that Stripe charges, in minor units; 1 of the others.
MINIMUM = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "cad": 50, "aud": 50, "chf": 50, "sek": 300, "dkk": 250}


def currency(form: Json, name: str = "currency") -> str:
    code = required(form, name)
    if code not in SUPPORTED:
        raise invalid(f"Invalid currency: {code}. Stripe supports currencies by their lower-case code.", param=name)
    return code


def amount(form: Json, code: str, name: str = "amount") -> int:
    """What is to be charged."""
    return checked(whole(form, name), code, name)


def checked(value: int, code: str, name: str = "amount", *, minimum: bool = True) -> int:
    """`minimum`: a charge has one, a refund or one of several lines has not."""
    if value < 1:
        raise invalid("This value must be greater than or equal to 1.", param=name, code="parameter_invalid_integer")
    if code in THREE_DECIMAL and value % 10:
        raise invalid(f"Invalid amount: {value} of {code} must be divisible by 10", param=name)
    if value > MAXIMUM:
        raise invalid(f"Amount must be no more than {MAXIMUM} {code}", param=name, code="amount_too_large")
    if minimum and value < MINIMUM.get(code, 1):
        raise invalid(f"Amount must be at least {MINIMUM[code]} {code}", param=name, code="amount_too_small")
    return value
