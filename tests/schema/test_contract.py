"""Our schema against the contract: what is missing is what `pending.txt` lists, line by line, and nothing else.

`python -m tests.schema.test_contract` writes `pending.txt` and `schema/schema.graphql` anew.
A line that disappears is work done; a line that appears is a promise broken, so look at the difference.
"""

from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, find_breaking_changes, parse, print_schema

from schema.schema import build

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CONTRACT = ROOT.parent / "shared" / "contract" / "schema.graphql"
PENDING = HERE / "pending.txt"
PRINTED = ROOT / "schema" / "schema.graphql"


def breaking_changes(contract: str, ours: GraphQLSchema) -> list[str]:
    """What the contract promises and we do not keep, in graphql-core's words, sorted."""
    changes = find_breaking_changes(build_schema(contract), ours)
    return sorted(f"{change.type.name}: {change.description}" for change in changes)


def printed() -> str:
    """The schema as it is, for the reader of a change; without Strawberry's additions to the printing."""
    return print_schema(build()._schema) + "\n"


def lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line]


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract lies beside the repository, not in it")
def test_what_is_missing_from_the_contract_is_what_is_listed_as_pending():
    missing = breaking_changes(CONTRACT.read_text(), build()._schema)
    listed = lines(PENDING)
    assert sorted(set(missing) - set(listed)) == [], "broken promises: the contract has them, we have not"
    assert sorted(set(listed) - set(missing)) == [], "no longer pending: run `python -m tests.schema.test_contract`"
    assert listed == sorted(listed)


def test_the_printed_schema_is_up_to_date():
    assert PRINTED.read_text() == printed(), "run `python -m tests.schema.test_contract` and look at the difference"


def test_a_removed_field_a_narrowed_type_and_a_required_argument_are_breaking():
    contract = "type Query { a(x: Int): String! b: Int } enum E { X Y }"
    ours = build_schema("type Query { a(x: Int!): String } enum E { X }")
    found = breaking_changes(contract, ours)
    assert [line.split(":")[0] for line in found] == [
        "ARG_CHANGED_KIND",
        "FIELD_CHANGED_KIND",
        "FIELD_REMOVED",
        "VALUE_REMOVED_FROM_ENUM",
    ]


def test_an_addition_is_not_breaking():
    contract = "type Query { a: String! }"
    ours = build_schema("type Query { a(x: Int = 1): String! b: Int } type More { c: Int }")
    assert breaking_changes(contract, ours) == []


def test_the_printed_schema_is_a_schema():
    parse(PRINTED.read_text())


if __name__ == "__main__":
    PENDING.write_text("".join(f"{line}\n" for line in breaking_changes(CONTRACT.read_text(), build()._schema)))
    PRINTED.write_text(printed())
