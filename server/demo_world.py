"""The demo's made-up world: a print studio that works with "Overprint", its prices, its team, and other studios.

Words and numbers alone; `demo_seed` puts them into the database, `demo_traffic` lets people work.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

WORKSPACE = "demo"
SOURCE = "overprint"
BACKEND = "Overprint’s backend"
CREDIT_TYPE = "ai"

# Features, by what the page calls them. A sheet is metered in plates: one for each ink.
SHEETS = {"postcard": "postcards", "poster": "posters"}
PLATES = {"two": 2, "three": 3}
PROOFS = "proofs"
IDEAS = "ideas"
ENLARGEMENTS = "enlargements"
SIZES = ("a2", "a1")
EVENTS = {
    "postcards": "overprint.postcard",
    "posters": "overprint.poster",
    PROOFS: "overprint.proof",
    IDEAS: "overprint.ideas",
    ENLARGEMENTS: "overprint.enlargement",
}
SCENE_MAX = 120  # characters


def _feature(key: str, name: str, quantity: str, unit: str) -> dict[str, str]:
    return {"key": key, "name": name, "eventType": EVENTS[key], "quantity": quantity, "unit": unit}


def _rate(feature: str, per_unit: str, **match: str) -> dict[str, Any]:
    return {"feature": feature, "creditType": CREDIT_TYPE, "perUnit": per_unit, **({"match": match} if match else {})}


def _bundle(key: str, name: str, amount: str, price: str, **more: str) -> dict[str, Any]:
    money = {"amount": price, "currency": "USD"}
    return {"key": key, "name": name, "creditType": CREDIT_TYPE, "credits": amount, "price": money, **more}


CATALOG: dict[str, Any] = {
    "creditTypes": [
        {"key": CREDIT_TYPE, "name": "Credits", "unitSingular": "credit", "unitPlural": "credits", "scale": 1}
    ],
    "features": [
        _feature("posters", "Posters", "plates", "plate"),
        _feature("postcards", "Postcards", "plates", "plate"),
        _feature(PROOFS, "Colour proofs", "1", "proof"),
        _feature(IDEAS, "Scene ideas", "1", "request"),
        _feature(ENLARGEMENTS, "Enlargements", "1", "enlargement"),
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2024-01-01T00:00:00Z",
            "rates": [
                _rate("posters", "4.8"),
                _rate("postcards", "1.6"),
                _rate(PROOFS, "0.5"),
                _rate(IDEAS, "0.3"),
                _rate(ENLARGEMENTS, "6"),
                _rate(ENLARGEMENTS, "10", to="a1"),
            ],
        }
    ],
    "bundles": [
        _bundle("sketchbook", "Sketchbook", "200", "12.00", expiresAfter="P1Y"),
        _bundle("portfolio", "Portfolio", "1200", "60.00", expiresAfter="P1Y"),
        _bundle("edition", "Edition", "5000", "200.00", bonus="500", expiresAfter="P1Y"),
    ],
}

# What Studio Lindqvist has: the plan's credits last until the end of the next month.
PLAN_CREDITS = Decimal(600)
PROMOTION_CREDITS = Decimal(100)
BOUGHT_CREDITS = Decimal(400)
BOUGHT_FOR = Decimal("20.00")


@dataclass(frozen=True, slots=True)
class Studio:
    """A customer of Overprint."""

    key: str
    name: str
    timezone: str = "Europe/Stockholm"


# Whose page the demo shows.
STUDIO = Studio("studio-lindqvist", "Studio Lindqvist")
YOU = "you"
TEAM = {"ines": "Ines", "teo": "Teo", "maren": "Maren"}
NAMES = {**TEAM, YOU: "You"}
FAMILY_NAMES = {"ines": "Ines Lindqvist", "teo": "Teo Marchetti", "maren": "Maren Aho", YOU: "You"}

OTHERS = (
    Studio("atelier-brandao", "Atelier Brandão", "Europe/Lisbon"),
    Studio("bakehouse-editions", "Bakehouse Editions", "Europe/London"),
    Studio("casa-mirador", "Casa Mirador", "America/Mexico_City"),
    Studio("drukkerij-oost", "Drukkerij Oost", "Europe/Amsterdam"),
    Studio("field-and-fold", "Field & Fold", "Europe/Dublin"),
    Studio("grafik-weiss", "Grafik Weiß", "Europe/Berlin"),
    Studio("harbour-street-press", "Harbour Street Press", "Australia/Hobart"),
    Studio("hinode-printworks", "Hinode Printworks", "Asia/Tokyo"),
    Studio("imprenta-sur", "Imprenta Sur", "America/Argentina/Buenos_Aires"),
    Studio("juniper-and-co", "Juniper & Co", "America/Denver"),
    Studio("kalpana-studio", "Kalpana Studio", "Asia/Kolkata"),
    Studio("loft-nord", "Loft Nord", "Europe/Oslo"),
    Studio("maison-perrault", "Maison Perrault", "Europe/Paris"),
    Studio("ndiaye-freres", "Ndiaye Frères", "Africa/Dakar"),
    Studio("officina-tre", "Officina Tre", "Europe/Rome"),
    Studio("paper-harvest", "Paper Harvest", "America/Chicago"),
    Studio("quiet-hours", "Quiet Hours", "America/New_York"),
    Studio("sitosilkki", "Sitosilkki", "Europe/Helsinki"),
    Studio("tinta-fresca", "Tinta Fresca", "Europe/Madrid"),
    Studio("white-pine-posters", "White Pine Posters", "America/Vancouver"),
)
OTHERS_HOLD = Decimal(1_000_000)  # half a year of what they use here

# What people ask for; the page's press knows how to draw each of them, and gives them as ideas.
SCENES = (
    "A harbour at dusk, two boats",
    "City windows at midnight",
    "Dunes before the storm",
    "Hills after rain",
    "Islands at dawn",
    "Lemon garden, late summer",
    "Mountain lake, low sun",
    "Night market, paper moons",
    "Orange grove in winter",
    "Study in quarter circles",
    "The last tree on the ridge",
    "Twelve lanterns",
)


# What the demo's own buttons bring the balance to.
LEVELS = {"low": Decimal(20), "out": Decimal(0)}
