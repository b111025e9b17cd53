"""Worlds to begin with: the story the product was made for, and a crowd."""

from collections.abc import Callable
from dataclasses import dataclass

from .directory import Directory
from .org import App, Group, User
from .world import World

APP = "Atlassian Cloud"
CONFLUENCE = "Production-Confluence"
STATUSPAGE = "Production-StatusPage"
PERSON = "testexample@somedomain.example"
COLLEAGUE = "colleague@somedomain.example"
JIRA_USERS = "jira-software-users"
JIRA_ADMINS = "jira-administrators"
JIRA_ADMIN = "jira.admin@somedomain.example"

# What a hook for this product listens to.
HOOK_TYPES = [
    "user.lifecycle.activate",
    "user.lifecycle.reactivate",
    "user.lifecycle.deactivate",
    "user.lifecycle.suspend",
    "user.lifecycle.unsuspend",
    "user.lifecycle.delete.initiated",
    "group.user_membership.add",
    "group.user_membership.remove",
    "group.application_assignment.add",
    "group.application_assignment.remove",
    "group.lifecycle.delete",
    "application.user_membership.add",
    "application.user_membership.remove",
    "application.lifecycle.activate",
    "application.lifecycle.deactivate",
    "application.provision.user.push",
    "application.provision.user.reactivate",
    "application.provision.group_push.mapping.update.or.delete.failed.with.error",
]


@dataclass(frozen=True)
class Step:
    title: str
    act: Callable[[], None]


class Story0:
    """Reactivation does not remove old groups. Source: Atlassian community ba-p/2349197.

    ``deactivates``: HR also deactivates the Okta user in between; otherwise leaving the last
    group that grants the app is what deactivates the Atlassian account. ``local``: the
    organization has groups of its own, which nobody touches (comment of 2023-12-05).
    """

    def __init__(
        self, world: World | None = None, *, deactivates: bool = False, local: bool = True
    ) -> None:
        self.world = world or World()
        self.deactivates = deactivates
        self.app: App = self.world.add_app(APP)
        self.directory: Directory = self.world.add_directory(self.app, "main")
        self.confluence = self._pushed(CONFLUENCE)
        self.statuspage = self._pushed(STATUSPAGE)
        self.person: User = self.world.add_user(PERSON)
        self.colleague: User = self.world.add_user(COLLEAGUE)
        for user in (self.person, self.colleague):
            self.world.add_to_group(user, self.confluence)
        if local:
            self._add_local_groups()

    def _add_local_groups(self) -> None:
        """Both people use Jira through its default group; somebody else administers it."""
        self.world.add_local_group(JIRA_USERS, default_for="jira-software")
        self.world.local_add(JIRA_USERS, PERSON, COLLEAGUE)
        self.world.add_local_group(JIRA_ADMINS)
        self.world.local_add(JIRA_ADMINS, self.world.add_account(JIRA_ADMIN))

    def _pushed(self, name: str) -> Group:
        group = self.world.add_okta_group(name)
        self.world.assign_group(group, self.app)
        self.world.push_group(group, self.app)
        return group

    @property
    def groups(self) -> set[str]:
        """The SCIM groups the person is in now."""
        return self.world.groups_of(self.directory, PERSON)

    @property
    def local_groups(self) -> set[str]:
        """The local groups the person is in now."""
        return self.world.local_groups_of(PERSON)

    def remove_from_old_group(self) -> None:
        """Step 2; step 3, the account going inactive with its groups kept, is Okta's doing."""
        self.world.remove_from_group(self.person, self.confluence)
        if self.deactivates:
            self.world.deactivate(self.person)

    def come_back(self) -> None:
        """Step 4; step 5, the account active again and the new group pushed, is Okta's doing."""
        if self.deactivates:
            self.world.activate(self.person)
        self.world.add_to_group(self.person, self.statuspage)

    @property
    def steps(self) -> list[Step]:
        return [
            Step(f"An admin removes {PERSON} from {CONFLUENCE}", self.remove_from_old_group),
            Step(f"{PERSON} comes back, into {STATUSPAGE}", self.come_back),
        ]


def crowd(
    world: World, people: int = 1000, groups: int = 10, groups_each: int = 2, app: str = APP
) -> Directory:
    """An app with a directory, pushed groups ``team-000``… and ``person-00000@…`` in them.

    All of it is older than the System Log reaches back.
    """
    with world.long_ago():
        cloud = world.add_app(app)
        directory = world.add_directory(cloud, app)
        teams = [world.add_okta_group(f"team-{number:03}") for number in range(groups)]
        for team in teams:
            world.assign_group(team, cloud)
            world.push_group(team, cloud)
        for number in range(people):
            user = world.add_user(f"person-{number:05}@somedomain.example")
            for offset in range(min(groups_each, groups)):
                world.add_to_group(user, teams[(number + offset) % groups])
    return directory
