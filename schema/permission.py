"""Who may ask for what, declared beside each field:

    @strawberry.mutation(metadata=allow(staff("BACKEND", "SUPPORT"), customer("topup:create")))

A field of Query, Mutation and Subscription without such a rule fails a test; a field of any other type may declare
one where it needs more than its parent. `refusal` alone decides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import strawberry
from graphql import GraphQLError, GraphQLField, GraphQLObjectType
from strawberry.types.field import StrawberryField

from schema.context import Caller
from schema.errors import forbidden

_KEY = "scrip.allow"

# Roles that read; BACKEND reads customers for its host, INGEST sends events and nothing else. ADMIN may do everything.
READERS = ("VIEWER", "SUPPORT", "SALES", "FINANCE", "BACKEND")
ROLES = frozenset({"VIEWER", "INGEST", "BACKEND", "SUPPORT", "SALES", "FINANCE", "ADMIN"})
SCOPES = frozenset(
    {
        "balance:read",
        "ledger:read",
        "usage:read",
        "limits:read",
        "topup:create",
        "recharge:manage",
        "dispute:create",
    }
)
DEFAULT_SCOPES = SCOPES - {"recharge:manage"}


@dataclass(frozen=True, slots=True)
class Rule:
    """Which roles of secret keys and operators, and which scopes of a customer token; None: no customer token."""

    secret: frozenset[str] = frozenset()
    operator: frozenset[str] = frozenset()
    customer: frozenset[str] | None = None

    def __or__(self, other: "Rule") -> "Rule":
        customer = self.customer if other.customer is None else other.customer
        return Rule(self.secret | other.secret, self.operator | other.operator, customer)


def secret(*roles: str) -> Rule:
    """Secret keys of these roles, and of ADMIN."""
    return Rule(secret=_roles(roles))


def operator(*roles: str) -> Rule:
    """Operators of these roles, and of ADMIN."""
    return Rule(operator=_roles(roles))


def staff(*roles: str) -> Rule:
    """Secret keys and operators alike."""
    return secret(*roles) | operator(*roles)


def customer(*scopes: str) -> Rule:
    """Customer tokens that carry all of these scopes; none named: any customer token."""
    unknown = set(scopes) - SCOPES
    if unknown:
        raise ValueError(f"no such scope: {sorted(unknown)}")
    return Rule(customer=frozenset(scopes))


def allow(*rules: Rule) -> dict[Any, Any]:
    """The metadata of a field: whoever one of the rules admits."""
    together = Rule()
    for rule in rules:
        together = together | rule
    return {_KEY: together}


def _roles(roles: tuple[str, ...]) -> frozenset[str]:
    unknown = set(roles) - ROLES
    if unknown:
        raise ValueError(f"no such role: {sorted(unknown)}")
    return frozenset(roles) | {"ADMIN"}


def refusal(rule: Rule, caller: Caller) -> GraphQLError | None:
    """Why this caller may not; None where it may."""
    if caller.kind == "CUSTOMER":
        if rule.customer is None:
            return forbidden("customer tokens may not do that")
        missing = rule.customer - caller.scopes
        return forbidden(f"the token lacks the scope {min(missing)}") if missing else None
    roles = rule.secret if caller.kind == "API_KEY" else rule.operator
    return None if caller.role in roles else forbidden(f"the role {caller.role} may not do that")


def rule_in(metadata: dict[Any, Any]) -> Rule:
    """The rule that `allow` put there, for a route that does what a field does."""
    found: Rule = metadata[_KEY]
    return found


def rule_of(field: GraphQLField) -> Rule | None:
    """The rule that a field of the built schema declares."""
    definition = (field.extensions or {}).get("strawberry-definition")
    found = definition.metadata.get(_KEY) if isinstance(definition, StrawberryField) else None
    return found if isinstance(found, Rule) else None


def root_fields(schema: strawberry.Schema) -> Iterator[tuple[str, GraphQLField]]:
    """`Mutation.burn` and the field, for every field of the three roots."""
    core = schema._schema  # noqa: SLF001 -- Strawberry has no public name for graphql-core's schema
    for root in (core.query_type, core.mutation_type, core.subscription_type):
        if isinstance(root, GraphQLObjectType):
            for name, field in root.fields.items():
                yield f"{root.name}.{name}", field


def undeclared(schema: strawberry.Schema) -> list[str]:
    """Root fields that declare no rule. There must be none."""
    return [name for name, field in root_fields(schema) if rule_of(field) is None]
