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
PRINTS = "prints"
PROOFS = "proofs"
PRINT_EVENT = "overprint.print"
PROOF_EVENT = "overprint.proof"

# What the feature `prints` meters, for each sheet that the page offers.
MEGAPIXELS = {"postcard": 4, "poster": 12}
INKS = ("two", "three")
SCENE_MAX = 120  # characters

CATALOG: dict[str, Any] = {
    "creditTypes": [
        {"key": CREDIT_TYPE, "name": "AI credits", "unitSingular": "credit", "unitPlural": "credits", "scale": 1}
    ],
    "features": [
        {
            "key": PRINTS,
            "name": "Prints",
            "eventType": PRINT_EVENT,
            "quantity": "megapixels",
            "unit": "megapixel",
        },
        {"key": PROOFS, "name": "Colour proofs", "eventType": PROOF_EVENT, "quantity": "1", "unit": "proof"},
    ],
    "rateCards": [
        {
            "cohort": "default",
            "effectiveAt": "2024-01-01T00:00:00Z",
            "rates": [
                {"feature": PRINTS, "creditType": CREDIT_TYPE, "perUnit": "0.8"},
                {"feature": PRINTS, "creditType": CREDIT_TYPE, "perUnit": "1.2", "match": {"inks": "three"}},
                {"feature": PROOFS, "creditType": CREDIT_TYPE, "perUnit": "0.5"},
            ],
        }
    ],
    "bundles": [
        {
            "key": "ai-800",
            "name": "800 credits",
            "creditType": CREDIT_TYPE,
            "credits": "800",
            "price": {"amount": "36.00", "currency": "USD"},
        },
        {
            "key": "ai-4000",
            "name": "4,000 credits",
            "creditType": CREDIT_TYPE,
            "credits": "4000",
            "bonus": "400",
            "price": {"amount": "160.00", "currency": "USD"},
            "expiresAfter": "P1Y",
        },
    ],
}


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

# What people ask for; the page's press knows how to draw each of them.
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
LEVEL_LOW = Decimal(5)
LEVEL_FULL = Decimal(500)
