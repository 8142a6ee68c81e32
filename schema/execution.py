"""From a request to its answer: the checked document, the coerced variables, graphql-core's executor.

The executor is graphql-core's own, given what was compiled: `Selections` completes plain values, and everything it
does not take goes the way it always went. `tests/schema/test_compiled.py` holds the two against each other.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import strawberry
from graphql import FieldNode, GraphQLError, GraphQLField, GraphQLObjectType, GraphQLOutputType, OperationType
from graphql.execution import ExecutionResult, create_source_event_stream
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList
from graphql.execution.executor import Executor, default_field_resolver, default_type_resolver
from graphql.execution.values import VariableValues
from graphql.pyutils import Path
from graphql.type import GraphQLResolveInfo
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from schema.context import CallerContext
from schema.documents import Documents, Operation, Refused
from schema.errors import bad_request, present, present_exception, unavailable
from schema.guard import CUSTOMER_BOUNDS, SERVER_BOUNDS
from schema.resolvers import install
from schema.selections import Selections

EXECUTION_S = 30.0  # longer than the database's own patience, which ends a statement after 15 s


@dataclass(frozen=True, slots=True)
class Answer:
    """`executed` False: the request was refused before any field, and the answer has no `data`."""

    data: dict[str, Any] | None
    errors: list[GraphQLError] = field(default_factory=list)
    executed: bool = True

    def body(self) -> dict[str, Any]:
        """As it goes over the wire."""
        if not self.errors:
            return {"data": self.data}
        errors = [error.formatted for error in self.errors]
        return {"errors": errors, "data": self.data} if self.executed else {"errors": errors}


class _Executor(Executor[Any]):
    """graphql-core's executor for one request, with what is compiled of its operation."""

    selections: Selections

    def complete_value(  # noqa: PLR0917 -- graphql-core's signature
        self,
        return_type: GraphQLOutputType,
        field_details_list: FieldDetailsList,
        info: GraphQLResolveInfo[Any],
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        if result is not None and not isinstance(result, Exception):
            done = self.selections.try_complete(return_type, field_details_list, result, self.context_value)
            if done is not NotImplemented:
                return done
        return super().complete_value(return_type, field_details_list, info, path, result, position_context)

    def collect_subfields(
        self, return_type: GraphQLObjectType, field_details_list: FieldDetailsList
    ) -> CollectedFields:
        return self.selections.below(return_type, field_details_list)

    # As Strawberry's execution context builds it: its `Info` reads the plain dictionary of variables.
    operation_extensions: dict[str, Any] | None = None

    def build_resolve_info(
        self, field_def: GraphQLField, field_nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path
    ) -> GraphQLResolveInfo[Any]:
        build = StrawberryGraphQLCoreExecutionContext.build_resolve_info
        return build(self, field_def, field_nodes, parent_type, path)  # type: ignore[arg-type]


def _refused(error: Exception) -> Answer:
    errors = error.errors if isinstance(error, Refused) else [error]
    return Answer(None, [present_exception(one) for one in errors], executed=False)


class Engine:
    """Answers requests to one schema."""

    def __init__(self, schema: strawberry.Schema, *, introspection: bool = False) -> None:
        if schema.extensions or schema.directives:
            raise ValueError(
                "schema extensions and operation directives are not run: the guard and the rules stand here"
            )
        install(schema)
        core = schema._schema  # noqa: SLF001 -- Strawberry has no public name for graphql-core's schema
        self._core = core
        self._customers = Documents(core, CUSTOMER_BOUNDS, introspection=introspection)
        self._servers = Documents(core, SERVER_BOUNDS, introspection=introspection)

    async def execute(
        self, query: str, variables: Mapping[str, Any] | None, operation_name: str | None, context: CallerContext
    ) -> Answer:
        """Executes a query or mutation. Never raises but for cancellation."""
        try:
            operation, values = self._prepare(query, variables or {}, operation_name, context)
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            return _refused(error)
        if operation.kind is OperationType.SUBSCRIPTION:
            return _refused(bad_request("subscriptions go over the socket"))
        return await self._answer(operation, values, context)

    async def stream(
        self, query: str, variables: Mapping[str, Any] | None, operation_name: str | None, context: CallerContext
    ) -> AsyncGenerator[Answer, None]:
        """Executes any operation: one answer for queries and mutations, one for each event of a subscription.

        A refused request, and a subscription that fails before or between events, answer with `executed` False.
        """
        try:
            operation, values = self._prepare(query, variables or {}, operation_name, context)
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            yield _refused(error)
            return
        if operation.kind is not OperationType.SUBSCRIPTION:
            yield await self._answer(operation, values, context)
            return
        async with aclosing(self._events(operation, values, context)) as answers:
            async for answer in answers:
                yield answer

    def _prepare(
        self, query: str, variables: Mapping[str, Any], operation_name: str | None, context: CallerContext
    ) -> tuple[Operation, VariableValues]:
        documents = self._customers if context.caller.is_customer else self._servers
        document, operation = documents.operation(query, operation_name, context.caller)
        values = operation.coerce(variables)
        documents.check_variables(document, values.coerced)
        return operation, values

    async def _answer(self, operation: Operation, values: VariableValues, context: CallerContext) -> Answer:
        try:
            async with asyncio.timeout(EXECUTION_S):
                return await self._run(operation, values, context, None)
        except TimeoutError:
            return Answer(None, [present(unavailable(f"no answer within {EXECUTION_S:.0f} s"))])
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            return _refused(error)

    async def _events(
        self, operation: Operation, values: VariableValues, context: CallerContext
    ) -> AsyncGenerator[Answer, None]:
        source: Any = None
        try:
            source = create_source_event_stream(self._executor(operation, values, context, None))
            source = await source if isawaitable(source) else source
            if isinstance(source, ExecutionResult):
                yield Answer(None, [present(error) for error in source.errors or ()], executed=False)
                return
            async for event in source:
                yield await self._run(operation, values, context, event)
        except Exception as error:  # noqa: BLE001 -- the last fence: masked and logged
            yield _refused(error)
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()

    def _executor(self, operation: Operation, values: VariableValues, context: Any, root: Any) -> _Executor:
        selections = operation.selections(values)
        executor = _Executor(
            self._core,
            selections.fragment_definitions,
            selections.fragments,
            root,
            context,
            operation.node,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            hide_suggestions=True,
        )
        executor.selections = selections
        return executor

    async def _run(self, operation: Operation, values: VariableValues, context: Any, root: Any) -> Answer:
        executor = self._executor(operation, values, context, root)
        selections = executor.selections
        data: dict[str, Any] | None
        try:
            result = executor.execute_root_grouped_field_set(
                selections.root_type, root, selections.root.grouped_field_set, selections.serially, None
            )
            data = await result if isawaitable(result) else result
        except GraphQLError as error:
            executor.collected_errors.add(error, None)
            data = None
        # They hold the executor: every request would be a cycle, left for the garbage collector to find.
        del executor.async_helpers
        errors = executor.collected_errors.errors
        return Answer(data, [present(error) for error in errors]) if errors else Answer(data)


__all__ = ["EXECUTION_S", "Answer", "Engine"]
