"""The documents of the tests fit the contract: a typo in them must not look like a server's fault."""

import pytest
from graphql import build_ast_schema, parse, validate

from tests.harness import documents
from tests.model.trace import find_trace
from tests.schema.test_contract import PRINTED

WHOLE = {
    name: text
    for name, text in vars(documents).items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str) and not text.startswith("fragment ")
} | documents.MUTATIONS


# What the contract may be added to: these ask for something that is ours beyond it, and are held against our own schema.
BEYOND = {
    name for name, text in WHOLE.items() if any(ours in text for ours in ("givenBack", "disputeUpdated", "ebhook"))
}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_the_contract_takes_the_document(name):
    contract = find_trace().parents[1] / "contract" / "schema.graphql"
    schema = build_ast_schema(parse((PRINTED if name in BEYOND else contract).read_text()))
    assert [error.message for error in validate(schema, parse(WHOLE[name]))] == []
