"""What operators configure: catalog, policies, keys, and the clock of test workspaces."""

from datetime import datetime

import strawberry

from credits.access.keys import create_key, revoke_key
from credits.amount import to_micro
from credits.bounds import NAME_MAX
from credits.catalog.apply import apply
from credits.customers.customers import valid_text
from credits.customers.cutoff import as_duration, set_late_cutoff
from credits.enforcement.kill_switch import set_kill_switch
from credits.enforcement.policies import remove_policy, set_policy
from credits.errors import InvalidInput, NotAllowed, NotFound, Refusal
from credits.posting.clock import advance_clock
from schema.errors import bad_request
from schema.inputs import PolicyInput
from schema.permission import allow, staff
from schema.scalars import JSON
from schema.types.access import ApiKey, Viewer, read_viewer
from schema.types.catalog import Catalog, CatalogChange
from schema.types.enforcement import EnforcementPolicy
from schema.types.enums import Role
from schema.types.ledger import Info
from schema.types.refusals import not_found, refusal_of
from schema.types.results import (
    ApiKeyOk,
    ApiKeyResult,
    CatalogOk,
    CatalogResult,
    ClockOk,
    ClockResult,
    LateEventCutoffOk,
    LateEventCutoffResult,
    PolicyOk,
    PolicyResult,
)

_ADMIN = allow(staff("ADMIN"))


@strawberry.type
class ConfigurationMutations:
    @strawberry.mutation(
        description="Declares credit types, features, rate cards and bundles; dryRun returns the changes alone.",
        metadata=_ADMIN,
    )
    async def apply_catalog(self, info: Info, document: JSON, dry_run: bool | None = False) -> CatalogResult:
        async with info.context.changing() as page:
            applied = await apply(
                page.connection,
                info.context.workspace_id,
                document,
                page.workspace.now,
                dry_run=bool(dry_run),
                actor_id=info.context.caller.actor_id,
            )
        if isinstance(applied, Refusal):
            return refusal_of(info.context, applied)
        info.context.services.publish_config(info.context.workspace_id, applied.catalog.config_version)
        return CatalogOk(
            catalog=Catalog.from_value(applied.catalog),
            changes=[
                CatalogChange(action=change.action, path=change.path, before=change.before, after=change.after)
                for change in applied.changes
            ],
        )

    @strawberry.mutation(metadata=_ADMIN)
    async def set_policy(self, info: Info, input: PolicyInput) -> PolicyResult:
        try:
            limit = None if input.overdraft_limit is None else to_micro(input.overdraft_limit)
        except ValueError as error:
            return refusal_of(info.context, InvalidInput(str(error), field="overdraftLimit"))
        async with info.context.changing() as page:
            result = await set_policy(
                page.connection,
                info.context.workspace_id,
                mode=input.mode.value,
                failure_policy=input.failure_policy.value if input.failure_policy else None,
                customer=input.customer,
                feature=input.feature,
                credit_type=input.credit_type,
                rollout_percent=100 if input.rollout_percent is None else input.rollout_percent,
                overdraft_limit_micro=limit,
                actor_id=info.context.caller.actor_id,
                now=page.workspace.now,
            )
        if isinstance(result, Refusal):
            return refusal_of(info.context, result)
        info.context.services.publish_config(info.context.workspace_id, 0)
        return PolicyOk(policy=EnforcementPolicy.from_value(result))

    @strawberry.mutation(metadata=_ADMIN)
    async def remove_policy(self, info: Info, id: strawberry.ID) -> PolicyResult:
        async with info.context.changing() as page:
            result = await remove_policy(
                page.connection, info.context.workspace_id, id, actor_id=info.context.caller.actor_id
            )
        if isinstance(result, NotFound):
            return refusal_of(info.context, result)
        info.context.services.publish_config(info.context.workspace_id, 0)
        return PolicyOk(policy=EnforcementPolicy.from_value(result))

    @strawberry.mutation(
        description=(
            "How late usage may come (ISO 8601 duration): in the workspace, or for one customer. "
            "Null falls back to the next wider one."
        ),
        metadata=_ADMIN,
    )
    async def set_late_event_cutoff(
        self, info: Info, cutoff: str | None = None, customer: str | None = None
    ) -> LateEventCutoffResult:
        async with info.context.changing() as page:
            result = await set_late_cutoff(page.connection, cutoff, customer, actor_id=info.context.caller.actor_id)
        if isinstance(result, Refusal):
            return refusal_of(info.context, result)
        return LateEventCutoffOk(cutoff=None if result is None else as_duration(result))

    @strawberry.mutation(metadata=_ADMIN)
    async def create_api_key(self, info: Info, name: str, role: Role) -> ApiKeyResult:
        if not valid_text(name, NAME_MAX):
            return refusal_of(info.context, InvalidInput(f"must be 1 to {NAME_MAX} visible characters", field="name"))
        async with info.context.changing() as page:
            key, secret = await create_key(
                page.connection,
                workspace_id=info.context.workspace_id,
                test_mode=page.workspace.test_mode,
                name=name,
                role=role.value,
                pepper=info.context.services.pepper,
                now=page.workspace.now,
                by_actor_id=info.context.caller.actor_id,
            )
        return ApiKeyOk(api_key=ApiKey.from_value(key), secret=secret)

    @strawberry.mutation(metadata=_ADMIN)
    async def revoke_api_key(self, info: Info, id: strawberry.ID) -> ApiKeyResult:
        async with info.context.changing() as page:
            by = info.context.caller.actor_id
            key = await revoke_key(page.connection, id, page.workspace.now, by_actor_id=by)
        return not_found("key") if key is None else ApiKeyOk(api_key=ApiKey.from_value(key), secret=None)

    @strawberry.mutation(
        description=(
            "on: true turns all enforcement OFF, on: false restores the policies; in every process within a second."
        ),
        metadata=_ADMIN,
    )
    async def kill_switch(self, info: Info, on: bool, reason: str) -> Viewer:
        async with info.context.changing() as page:
            by = info.context.caller.actor_id
            problem = await set_kill_switch(page.connection, off=on, reason=reason, actor_id=by)
        if problem is not None:
            raise bad_request(f"{problem.field}: {problem.message}")
        info.context.services.publish_config(info.context.workspace_id, 0)
        return await read_viewer(info.context)

    @strawberry.mutation(
        description=(
            "Test workspaces only: moves this workspace's clock forward; what falls due on the way happens, in order."
        ),
        metadata=_ADMIN,
    )
    async def advance_clock(self, info: Info, to: datetime) -> ClockResult:
        services = info.context.services
        by = info.context.caller.actor_id
        result = await advance_clock(services.reader, services.writer, info.context.workspace_id, to, actor_id=by)
        if isinstance(result, InvalidInput | NotAllowed):
            return refusal_of(info.context, result)
        return ClockOk(now=result.now, happened=result.happened)
