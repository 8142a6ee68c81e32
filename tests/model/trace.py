"""The real trace, with its customers: 19,366 requests to a chat service in one hour, see `../shared/data/README.md`.

The trace names no customers. Row i (from 0, in file order) belongs to the customer whose number is drawn by the i-th
`random()` of `random.Random(20231116)`: the smallest k in 1 … 1,000 with Σ_{j≤k} j^-1.1 > random() × Σ_{j≤1000} j^-1.1.
Its key is `customer-` and the number in four digits, so `customer-0001` is the busiest.
"""

import csv
import os
import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tests.model.rating import rated_micro

EXPONENT = 1.1
SEED = 20231116
CUSTOMERS = 1_000
ROWS = 19_366
NAME = "azure-llm-2023-conv.csv"


@dataclass(frozen=True, slots=True)
class Row:
    """One request. `timestamp` as the file writes it: UTC, seven fractional digits."""

    number: int
    timestamp: str
    input_tokens: int
    output_tokens: int
    customer: str


def find_trace() -> Path:
    """Where the trace lies: `SCRIP_SHARED`, or `shared` beside the project. Fails where it is not: CI has it."""
    project = Path(__file__).resolve().parents[2]
    places = [Path(place) for place in (os.environ.get("SCRIP_SHARED"),) if place]
    places += [parent / "shared" for parent in (project, *project.parents)]
    for place in places:
        if (path := place / "data" / NAME).is_file():
            return path
    raise FileNotFoundError(f"{NAME} is in none of {[str(place / 'data') for place in places]}; set SCRIP_SHARED")


def customer_key(number: int) -> str:
    return f"customer-{number:04d}"


def draw_customers(count: int) -> list[str]:
    """The customer of each of the first `count` rows."""
    sums = list(accumulate(number**-EXPONENT for number in range(1, CUSTOMERS + 1)))
    draw = random.Random(SEED)
    return [customer_key(bisect_right(sums, draw.random() * sums[-1]) + 1) for _ in range(count)]


def read_trace(path: Path | None = None) -> list[Row]:
    """Every row with its customer."""
    with (path or find_trace()).open(newline="") as file:
        lines = list(csv.DictReader(file))
    return [
        Row(number, line["TIMESTAMP"], int(line["ContextTokens"]), int(line["GeneratedTokens"]), customer)
        for number, (line, customer) in enumerate(zip(lines, draw_customers(len(lines)), strict=True), start=1)
    ]


def cost_by_customer(rows: list[Row], *, per_input: str, per_output: str, scale: int) -> dict[str, int]:
    """What each customer's rows cost in micro-credits; each of the two features of a row is rated and rounded by itself."""
    cost: dict[str, int] = defaultdict(int)
    for row in rows:
        cost[row.customer] += rated_micro(str(row.input_tokens), per_input, scale=scale)
        cost[row.customer] += rated_micro(str(row.output_tokens), per_output, scale=scale)
    return dict(cost)
