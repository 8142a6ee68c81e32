"""Documents, checked once: parsed, measured, validated, and what execution needs of them compiled.

A document comes back word by word from the same client, so the text is the key. Customer tokens and backends are
kept apart: their bounds differ, and what strangers send must not push out what a backend sends thousands of times a
second. What was refused is not remembered.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    ValueNode,
    VariableNode,
    Visitor,
    VisitorAction,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.values import VariableValues
from graphql.type import GraphQLInputType
from graphql.utilities.validate_input_value import validate_input_literal
from graphql.validation import ASTValidationRule, ValuesOfCorrectTypeRule
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.context import Caller
from schema.errors import bad_request, forbidden
from schema.guard import Bounds, Measured, check_first, check_skeleton, measure, root_fields
from schema.permission import Rule, refusal, rule_of
from schema.selections import Selections
from schema.variables import Variables

_CHARACTERS_MAX = 128 * 1024  # of the remembered documents of one class; parsed and compiled they take 200 times that
_DOCUMENT_CHARACTERS_MAX = 8 * 1024  # a longer one carries its inputs within and does not come back
_SELECTIONS_MAX = 16  # settings of @skip and @include of one operation that are remembered
_ERRORS_MAX = 5


class Refused(Exception):
    """The request does not come to execution."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


class _Values(ValuesOfCorrectTypeRule):
    """The stock rule, and the message says where the wrong literal stands."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self._place: list[str] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self._place.append((node.alias or node.name).value)

    def leave_field(self, *_: Any) -> None:
        self._place.pop()

    def enter_argument(self, node: Any, *_: Any) -> None:
        self._place.append(node.name.value)

    def leave_argument(self, *_: Any) -> None:
        self._place.pop()

    def enter_variable_definition(self, node: Any, *_: Any) -> None:
        self._place.append(f"${node.variable.name.value}")

    def leave_variable_definition(self, *_: Any) -> None:
        self._place.pop()

    def is_valid_value_node(self, node: ValueNode, input_type: GraphQLInputType | None) -> VisitorAction:
        if input_type is not None:

            def report(error: GraphQLError, path: list[str | int]) -> None:
                place = ".".join(map(str, [*self._place, *path]))
                self.report_error(GraphQLError(f"Invalid value at {place}: {error.message}", error.nodes or node))

            validate_input_literal(node, input_type, report, None, None, self.context.hide_suggestions)
        return self.SKIP


_RULES: list[type[ASTValidationRule]] = [
    *(_Values if rule is ValuesOfCorrectTypeRule else rule for rule in specified_rules),
    MaybeNullValidationRule,  # as Strawberry's own execution adds them
    OneOfInputValidationRule,
]


class Operation:
    """One operation of a document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> None:
        self.node, self._schema, self._document = node, schema, document
        self._rules = _root_rules(schema, document, node)
        self._fragments = {f.name.value: f for f in document.definitions if isinstance(f, FragmentDefinitionNode)}
        self._conditions = _condition_variables(document)
        self._selections: dict[tuple[Any, ...], Selections] = {}
        self._variables: Variables | None = None

    @property
    def kind(self) -> OperationType:
        return self.node.operation

    def check_caller(self, caller: Caller) -> None:
        """Asked before anything else about the request: the credential comes before the form of the input."""
        for node, rule in self._rules:
            refused = forbidden() if rule is None else refusal(rule, caller)
            if refused is not None:
                key = (node.alias or node.name).value
                raise GraphQLError(refused.message, node, path=[key], original_error=refused)

    def coerce(self, given: Mapping[str, Any]) -> VariableValues:
        if self._variables is None:
            self._variables = Variables(self._schema, self.node.variable_definitions or ())
        return self._variables.coerce(given)

    def selections(self, variables: VariableValues) -> Selections:
        """What the operation selects with these variables, compiled."""
        setting = tuple(variables.coerced.get(name) for name in self._conditions)
        known = self._selections.get(setting)
        if known is None:
            # Only what decides the selection: this outlives the request.
            deciding = {name: variables.coerced[name] for name in self._conditions if name in variables.coerced}
            known = Selections(self._schema, self.node, self._fragments, VariableValues({}, deciding))
            if len(self._selections) < _SELECTIONS_MAX:
                self._selections[setting] = known
        return known


class Document:
    """A parsed document and its operations."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode) -> None:
        self.node = node
        self.measured = Measured(frozenset(), cost_varies=False)
        self._operations = [
            Operation(schema, node, definition)
            for definition in node.definitions
            if isinstance(definition, OperationDefinitionNode)
        ]

    def operation(self, name: str | None) -> Operation:
        if name is None and len(self._operations) == 1:
            return self._operations[0]
        for operation in self._operations:
            if name is not None and operation.node.name is not None and operation.node.name.value == name:
                return operation
        if not self._operations:
            raise bad_request("the document has no operation")
        raise bad_request("the document has several operations: name one" if name is None else "no such operation")


class Documents:
    """The documents of one class of callers, the most recently used ones remembered."""

    def __init__(self, schema: GraphQLSchema, bounds: Bounds, *, introspection: bool) -> None:
        self._schema, self._bounds, self._introspection = schema, bounds, introspection
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def operation(self, query: str, name: str | None, caller: Caller) -> tuple[Document, Operation]:
        """The operation to execute; raises `Refused` or the GraphQLError that says why not."""
        document = self._known.get(query)
        if document is not None:
            self._known.move_to_end(query)
            operation = document.operation(name)
            operation.check_caller(caller)
            return document, operation
        check_skeleton(query, self._bounds)
        document = Document(self._schema, self._parse(query))
        operation = document.operation(name)
        operation.check_caller(caller)
        document.measured = measure(self._schema, document.node, self._bounds, introspection=self._introspection)
        errors = validate(self._schema, document.node, _RULES, _ERRORS_MAX, hide_suggestions=True)
        if errors:
            raise Refused(errors)
        self._remember(query, document)
        return document, operation

    def check_variables(self, document: Document, variables: Mapping[str, Any]) -> None:
        """What of the bounds depends on the variables of this request."""
        if document.measured.first_variables:
            check_first(document.measured, variables)
        if document.measured.cost_varies:
            measure(self._schema, document.node, self._bounds, introspection=self._introspection, variables=variables)

    def _parse(self, query: str) -> DocumentNode:
        bounds = self._bounds
        return parse(query, max_tokens=bounds.tokens, max_comments=bounds.comments, allow_empty_selection_sets=False)

    def _remember(self, query: str, document: Document) -> None:
        if len(query) > _DOCUMENT_CHARACTERS_MAX:
            return
        self._known[query] = document
        self._characters += len(query)
        while self._characters > _CHARACTERS_MAX:
            oldest, _ = self._known.popitem(last=False)
            self._characters -= len(oldest)


def _root_rules(
    schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode
) -> list[tuple[FieldNode, Rule | None]]:
    root = schema.get_root_type(node.operation)
    if root is None:
        raise bad_request(f"there are no {node.operation.value}s", node)
    fields = ((field, root.fields.get(field.name.value)) for field in root_fields(document, node))
    return [(field, rule_of(definition)) for field, definition in fields if definition is not None]


class _Conditions(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        for argument in node.arguments or ():
            if isinstance(argument.value, VariableNode):
                self.names.add(argument.value.name.value)


def _condition_variables(document: DocumentNode) -> tuple[str, ...]:
    """The variables that directives depend on: they decide what is selected."""
    visitor = _Conditions()
    visit(document, visitor)
    return tuple(sorted(visitor.names))


__all__ = ["Document", "Documents", "Operation", "Refused"]
