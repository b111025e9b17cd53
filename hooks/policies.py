"""The policy, out of the settings.

Must live here: which setting becomes which part of the policy. Must not know: what follows from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hooks.core.policy import Limits, Named, Policy, Rule
from hooks.pins import PolicyInForce

if TYPE_CHECKING:
    from hooks.gateways.okta import Okta
    from hooks.settings import Settings
    from hooks.store.database import Database


def in_force(
    settings: Settings, okta: Okta, database: Database, *, remember: bool = True
) -> PolicyInForce:
    """The policy of these settings; ``remember`` pins the groups it names."""
    return PolicyInForce(
        of(settings),
        protected=settings.protect.okta_groups,
        scope=settings.scope.only_okta_groups,
        conditions=[each.while_member_of or () for each in settings.local_groups],
        okta=okta,
        database=database,
        clock=database.clock,
        remember=remember,
    )


def of(settings: Settings) -> Policy:
    """The part of the settings that deciding depends on, without the groups it names."""
    return Policy(
        suspended=settings.policy.suspended,
        restore=settings.policy.restore,
        orphaned=settings.policy.orphaned,
        protected_users=frozenset(
            form for each in settings.protect.users for form in (each, each.casefold())
        ),
        protected_groups=settings.protect.groups,
        organization=settings.atlassian.organization_id is not None,
        rules=tuple(
            Rule(
                each.name or str(each.id),
                each.id,
                Named(unresolved=frozenset(each.while_member_of)) if each.while_member_of else None,
                each.admin,
            )
            for each in settings.local_groups
        ),
        brief_absence=settings.policy.brief_absence,
        modes=settings.modes,
        limits=Limits(
            left_per_hour=settings.brake.left_per_hour,
            other_per_hour=settings.brake.other_per_hour,
            other_per_day=settings.brake.other_per_day,
            share_of_group=settings.brake.share_of_group,
        ),
        look_again=settings.look_again.after,
    )
