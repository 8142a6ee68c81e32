"""How much one document may ask for, measured before anything of it is validated or executed.

Each selection set and each fragment is measured once and its size remembered, so that the measuring costs no more
than the document is long: limiters that walk a fragment at every spread were the denial of service themselves.
Sizes are those after expansion; they are sums and products of remembered sizes, however often something is spread.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from graphql.type import GraphQLNamedType, GraphQLOutputType

from credits.bounds import PAGE_MAX, TOKEN_BODY_BYTES_MAX
from schema.errors import bad_request


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that one document may hold. Counts are after expansion of fragments unless they say otherwise."""

    characters: int
    comments: int
    tokens: int  # lexical, of the whole document
    skeleton: int  # names outside of arguments: what validation pays for, however long inlined inputs are
    written_fields: int  # as written; validation compares them with each other
    fields: int
    aliases: int
    same_key: int  # fields of one response key in one selection set: validation compares them in pairs
    directives: int  # as written
    fragments: int  # as written
    depth: int
    root_fields: int  # each is at least one look into the database
    mutations: int
    cost: int  # fields × the product of the list sizes above them


# The deepest path the contract invites: customer, ledger, edges, node, allocations, grant, topUp, bundle, price, amount.
_DEPTH = 12

CUSTOMER_BOUNDS = Bounds(
    characters=TOKEN_BODY_BYTES_MAX,
    comments=1_000,
    tokens=1_000,
    skeleton=1_000,
    written_fields=300,
    fields=500,
    aliases=50,
    same_key=20,
    directives=50,
    fragments=40,
    depth=_DEPTH,
    root_fields=20,
    mutations=1,  # thirty aliased purchases must not pass a rate limit as one request
    cost=50_000,
)
SERVER_BOUNDS = Bounds(
    characters=1_000_000,
    comments=1_000,
    tokens=50_000,  # burnMany with a thousand inputs written into the document; variables have no such bound
    skeleton=3_000,
    written_fields=500,
    fields=2_000,
    aliases=250,
    same_key=20,
    directives=100,
    fragments=60,
    depth=_DEPTH,
    root_fields=100,
    mutations=100,
    cost=1_000_000,
)

_LIST_GUESS = 10  # items of a list without `first`: allocations, buckets, rates
_NESTING_MAX = 100  # selection sets and spreads within each other; bounds our own recursion
# Ends of text close what was left open, so that no alternative ever fails and each character is read once.
_STRINGS_AND_COMMENTS = re.compile(r'"""(?:[^\\]|\\.?)*?(?:"""|\Z)|"(?:[^"\\\n]|\\.?)*(?:"|\n|\Z)|#[^\n\r]*', re.DOTALL)
_ARGUMENTS = re.compile(r"\([^()]*\)")
_NAME = re.compile(r"[_A-Za-z]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Size:
    depth: int = 0
    fields: int = 0
    aliases: int = 0
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a document that is within bounds still needs to know at each request."""

    first_variables: frozenset[str]  # variables given to a `first`
    cost_varies: bool  # within bounds only if those variables stay below their maximum


def check_skeleton(query: str, bounds: Bounds) -> None:
    """Refuses what is too large to be parsed at all, by a few regular expressions: parsing 20,000 fields takes 0.3 s."""
    if len(query) > bounds.characters:
        raise bad_request(
            f"the document is too large: more than {bounds.characters} characters; inputs go into variables"
        )
    if len(query) <= bounds.skeleton:
        return
    text = _STRINGS_AND_COMMENTS.sub(" ", query)
    for _ in range(3):  # a directive in a variable definition nests twice
        text = _ARGUMENTS.sub(" ", text)
    if next(islice(_NAME.finditer(text), bounds.skeleton, None), None) is not None:
        raise bad_request(f"the document is too large: more than {bounds.skeleton} names")


def root_fields(document: DocumentNode, operation: OperationDefinitionNode) -> list[FieldNode]:
    """The fields of an operation's root, those in fragments too, each selection set once."""
    fragments = _fragments(document)
    seen: set[str] = set()
    found: list[FieldNode] = []
    waiting: list[Iterator[SelectionNode]] = [iter(operation.selection_set.selections)]
    while waiting:  # not by recursion: nothing is measured yet
        selection = next(waiting[-1], None)
        if selection is None:
            waiting.pop()
        elif isinstance(selection, FieldNode):
            found.append(selection)
        elif isinstance(selection, InlineFragmentNode):
            waiting.append(iter(selection.selection_set.selections))
        elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in seen:
            seen.add(selection.name.value)
            if selection.name.value in fragments:
                waiting.append(iter(fragments[selection.name.value].selection_set.selections))
    return found


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    bounds: Bounds,
    *,
    introspection: bool,
    variables: Mapping[str, Any] | None = None,
) -> Measured:
    """Measures the whole document; raises a BAD_REQUEST that names the bound it breaks.

    Without `variables` a variable given to `first` counts as the longest page. A document that is too costly only
    for that reason passes as `cost_varies` and is measured again with the values of each request.
    """
    walk = _Walk(schema, document, bounds, introspection=introspection, variables=variables)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            walk.operation(document, definition)
    for name in walk.fragments:
        walk.fragment(name, paged=False, nesting=0)  # validation reads unused ones too
    return Measured(frozenset(walk.first_variables), walk.cost_varies)


def check_first(measured: Measured, variables: Mapping[str, Any]) -> None:
    """`first` is 1 to 500 for variables too; anything else is an input error."""
    for name in measured.first_variables:
        if name in variables:
            _check_page(variables[name], f"variable '${name}'")


def _check_page(value: object, where: str) -> int:
    if not isinstance(value, int) or not 1 <= value <= PAGE_MAX:
        raise bad_request(f"{where}: 'first' must be 1 to {PAGE_MAX}")
    return value


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


class _Walk:
    """One pass over a document. `paged` says that the parent had a `first`, which then sizes the list below it."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        bounds: Bounds,
        *,
        introspection: bool,
        variables: Mapping[str, Any] | None,
    ) -> None:
        self.schema, self.bounds, self.variables = schema, bounds, variables
        self.introspection = introspection
        self.fragments = _fragments(document)
        self.sizes: dict[tuple[str, bool], _Size] = {}
        self.open: set[tuple[str, bool]] = set()
        self.directives = self.written_fields = 0
        self.counted: set[int] = set()  # selection sets whose written parts are counted
        self.first_variables: set[str] = set()
        self.cost_varies = False
        self.within("fragments", len(self.fragments))

    def within(self, bound: str, value: int) -> None:
        most = getattr(self.bounds, bound)
        if value > most:
            raise bad_request(f"the document is too large: {bound.replace('_', ' ')} beyond {most}")

    def operation(self, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        roots = {(node.alias or node.name).value for node in root_fields(document, operation)}
        if operation.operation.value == "mutation":
            self.within("mutations", len(roots))
        self.within("root_fields", len(roots))
        self.directives += len(operation.directives or ())
        size = self.selections(operation.selection_set, self.schema.get_root_type(operation.operation), False, 0)
        self.within("depth", size.depth)
        self.within("fields", size.fields)
        self.within("aliases", size.aliases)
        if size.cost > self.bounds.cost:
            if self.variables is not None or not self.first_variables:
                self.within("cost", size.cost)
            self.cost_varies = True

    def fragment(self, name: str, *, paged: bool, nesting: int) -> _Size:
        key = (name, paged)
        known = self.sizes.get(key)
        if known is not None:
            return known
        definition = self.fragments.get(name)
        if definition is None:
            return _Size()  # validation names it
        if key in self.open:
            raise bad_request(f"fragment '{name}' contains itself", definition)
        self.open.add(key)
        parent = self.schema.type_map.get(definition.type_condition.name.value)
        size = self.sizes[key] = self.selections(definition.selection_set, parent, paged, nesting + 1)
        self.open.discard(key)
        return size

    def selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None, paged: bool, nesting: int) -> _Size:
        if nesting > _NESTING_MAX:
            raise bad_request(f"the document is nested deeper than {_NESTING_MAX}")
        self.count_written(node)
        depth = fields = aliases = cost = 0
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                size = self.field(selection, parent, paged, nesting)
            elif isinstance(selection, FragmentSpreadNode):
                size = self.fragment(selection.name.value, paged=paged, nesting=nesting)
            else:
                assert isinstance(selection, InlineFragmentNode)  # noqa: S101 -- the grammar has no fourth
                condition = selection.type_condition
                inner = self.schema.type_map.get(condition.name.value) if condition else parent
                size = self.selections(selection.selection_set, inner, paged, nesting + 1)
            depth = max(depth, size.depth)
            fields += size.fields
            aliases += size.aliases
            cost += size.cost
        return _Size(depth, fields, aliases, cost)

    def count_written(self, node: SelectionSetNode) -> None:
        if id(node) in self.counted:
            return
        self.counted.add(id(node))
        keys: dict[str, int] = {}
        for selection in node.selections:
            self.directives += len(selection.directives or ())
            if isinstance(selection, FieldNode):
                self.written_fields += 1
                key = (selection.alias or selection.name).value
                keys[key] = keys.get(key, 0) + 1
        self.within("directives", self.directives)
        self.within("written_fields", self.written_fields)
        self.within("same_key", max(keys.values(), default=0))

    def field(self, node: FieldNode, parent: GraphQLNamedType | None, paged: bool, nesting: int) -> _Size:
        name = node.name.value
        aliases = 1 if node.alias else 0
        if name in ("__schema", "__type"):
            if not self.introspection:
                raise bad_request("introspection is off", node)
            return _Size(1, 1, aliases, 1)  # how deep it may go is graphql-core's own rule
        definition = parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        page = None if definition is None else self.page(node, definition)
        if node.selection_set is None:
            return _Size(1, 1, aliases, 1)
        inner_type = None if definition is None else get_named_type(definition.type)
        inner = self.selections(node.selection_set, inner_type, page is not None, nesting + 1)
        if page is None:
            page = _LIST_GUESS if definition is not None and not paged and _is_list(definition.type) else 1
        return _Size(inner.depth + 1, inner.fields + 1, inner.aliases + aliases, 1 + page * inner.cost)

    def page(self, node: FieldNode, definition: GraphQLField) -> int | None:
        """The `first` that this field is asked with; None where it has no such argument."""
        argument = definition.args.get("first")
        if argument is None:
            return None
        given = next((item.value for item in node.arguments or () if item.name.value == "first"), None)
        if given is None:
            return _default(argument)
        if isinstance(given, VariableNode):
            self.first_variables.add(given.name.value)
            if self.variables is None:
                return PAGE_MAX
            return int(self.variables.get(given.name.value, _default(argument)))
        few_digits = isinstance(given, IntValueNode) and len(given.value) < 10
        return _check_page(int(given.value) if few_digits else None, f"'{node.name.value}'")  # type: ignore[attr-defined]


def _default(argument: GraphQLArgument) -> int:
    return argument.default_value if isinstance(argument.default_value, int) else PAGE_MAX


def _is_list(type_: GraphQLOutputType) -> bool:
    inner = type_.of_type if is_non_null_type(type_) else type_
    return is_list_type(inner)


__all__ = [
    "CUSTOMER_BOUNDS",
    "SERVER_BOUNDS",
    "Bounds",
    "Measured",
    "check_first",
    "check_skeleton",
    "measure",
    "root_fields",
]
