"""Okta's resources and errors as the management API writes them.

Source: Okta OpenAPI 2026.06; field sets as in its schemas User, Group, AppUser, Application,
GroupPushMapping, EventHook, Error.
"""

from typing import Any

from .org import App, AppUser, AppUserState, Group, Hook, Mapping, User, UserState
from .system_log import Json, iso

# errorCode -> errorSummary. Source: Okta docs "Error codes".
SUMMARIES = {
    "E0000001": "Api validation failed: {}",
    "E0000003": "The request body was not well-formed.",
    "E0000006": "You do not have permission to perform the requested action",
    "E0000007": "Not found: Resource not found: {}",
    "E0000009": "Internal Server Error",
    "E0000011": "Invalid token provided",
    "E0000022": "The endpoint does not support the provided HTTP method",
    "E0000031": "Invalid search criteria.",
    "E0000047": "API call exceeded rate limit due to too many requests.",
    "E0000053": "Invalid parameter: {}",
}
CODE_OF_STATUS = {
    400: "E0000001",
    401: "E0000011",
    403: "E0000006",
    404: "E0000007",
    405: "E0000022",
    429: "E0000047",
}


class OktaError(Exception):
    """Answered with Okta's error body."""

    def __init__(
        self, status: int, code: str, about: str = "", causes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.about = about
        self.causes = causes


def error_json(code: str, about: str, error_id: str, causes: tuple[str, ...] = ()) -> Json:
    return {
        "errorCode": code,
        "errorSummary": SUMMARIES[code].format(about),
        "errorLink": code,
        "errorId": error_id,
        "errorCauses": [{"errorSummary": cause} for cause in causes],
    }


def vendor_error(status: int) -> Any:
    """The body a fault answers with if it names none."""
    return error_json(CODE_OF_STATUS.get(status, "E0000009"), "sandbox", "oaeSandboxFault")


def user_json(user: User, state: UserState, base: str) -> Json:
    return {
        "id": user.id,
        "status": state.status,
        "created": iso(user.created),
        "activated": iso(user.created),
        "statusChanged": iso(user.status_changed),
        "lastLogin": None,
        "lastUpdated": iso(user.last_updated),
        "passwordChanged": None,
        "type": {"id": "otySandboxDefaultTyp"},
        "profile": {
            "firstName": user.first_name,
            "lastName": user.last_name,
            "mobilePhone": None,
            "secondEmail": None,
            "login": state.login,
            "email": user.email or state.login,
        },
        "credentials": {"provider": {"type": "OKTA", "name": "OKTA"}},
        "_links": {"self": {"href": f"{base}/api/v1/users/{user.id}"}},
    } | ({"transitioningToStatus": state.transitioning_to} if state.transitioning_to else {})


def group_json(group: Group, base: str, name: str | None = None) -> Json:
    app_group = group.type == "APP_GROUP"
    links: Json = {
        "logo": [],
        "users": {"href": f"{base}/api/v1/groups/{group.id}/users"},
        "apps": {"href": f"{base}/api/v1/groups/{group.id}/apps"},
    }
    if group.app_id:
        links["source"] = {"href": f"{base}/api/v1/apps/{group.app_id}"}
    return {
        "id": group.id,
        "created": iso(group.created),
        "lastUpdated": iso(group.last_updated),
        "lastMembershipUpdated": iso(group.members_updated),
        "objectClass": ["okta:user_group"] if not app_group else ["atlassian:group"],
        "type": group.type,
        "profile": {"name": name or group.name, "description": None},
        "_links": links,
    }


def app_json(app: App, base: str, *, deprovisioning: bool) -> Json:
    features = ["GROUP_PUSH", "PUSH_NEW_USERS", "REACTIVATE_USERS", "PUSH_PROFILE_UPDATES"]
    return {
        "id": app.id,
        "name": "atlassian",
        "label": app.label,
        "status": app.status,
        "created": iso(app.created),
        "lastUpdated": iso(app.last_updated),
        "features": [*features, *(["PUSH_USER_DEACTIVATION"] if deprovisioning else [])],
        "credentials": {
            "userNameTemplate": {
                "template": f"${{source.{app.user_name}}}",
                "type": "BUILT_IN",
                "pushStatus": "PUSH" if app.pushes_user_name else "DONT_PUSH",
            },
            "signing": {},
        },
        "signOnMode": "SAML_2_0",
        "accessibility": {"selfService": False, "errorRedirectUrl": None, "loginRedirectUrl": None},
        "visibility": {"autoSubmitToolbar": False, "hide": {"iOS": False, "web": False}},
        "_links": {
            "users": {"href": f"{base}/api/v1/apps/{app.id}/users"},
            "groups": {"href": f"{base}/api/v1/apps/{app.id}/groups"},
        },
    }


def app_user_json(
    app_user: AppUser,
    state: AppUserState,
    user: User,
    base: str,
    *,
    address: str,
    external_id: bool,
) -> Json:
    body: Json = {
        "id": app_user.user_id,
        "created": iso(app_user.created),
        "lastUpdated": iso(app_user.status_changed),
        "scope": app_user.scope,
        "status": state.status,
        "statusChanged": iso(app_user.status_changed),
        "passwordChanged": None,
        "syncState": "SYNCHRONIZED" if app_user.last_sync else "DISABLED",
        "credentials": {"userName": app_user.user_name},
        "profile": {
            "email": address,
            "givenName": user.first_name,
            "familyName": user.last_name,
            "displayName": user.name,
        },
        "_links": {
            "app": {"href": f"{base}/api/v1/apps/{app_user.app_id}"},
            "user": {"href": f"{base}/api/v1/users/{app_user.user_id}"},
        },
    }
    if external_id and state.external_id and state.status not in {"STAGED", "DEPROVISIONED"}:
        body["externalId"] = state.external_id
    if app_user.last_sync:
        body["lastSync"] = iso(app_user.last_sync)
    return body


def mapping_json(mapping: Mapping, base: str) -> Json:
    body: Json = {
        "id": mapping.id,
        "sourceGroupId": mapping.source_group_id,
        "targetGroupId": mapping.target_group_id,
        "status": mapping.status,
        "created": iso(mapping.created),
        "lastUpdated": iso(mapping.last_updated),
        "_links": {
            "app": {"href": f"{base}/api/v1/apps/{mapping.app_id}"},
            "sourceGroup": {"href": f"{base}/api/v1/groups/{mapping.source_group_id}"},
            "targetGroup": {"href": f"{base}/api/v1/groups/{mapping.target_group_id}"},
        },
    }
    if mapping.last_push:
        body["lastPush"] = iso(mapping.last_push)
    if mapping.error_summary:
        body["errorSummary"] = mapping.error_summary
    return body


def feature_json(app: App, base: str, *, deprovisioning: bool) -> Json:
    """Source: Okta OpenAPI ``ApplicationFeature``, of ``USER_PROVISIONING``."""
    on, off = {"status": "ENABLED"}, {"status": "DISABLED"}
    here = f"{base}/api/v1/apps/{app.id}/features/USER_PROVISIONING"
    return {
        "name": "USER_PROVISIONING",
        "status": "ENABLED",
        "description": "User provisioning settings from Okta to a downstream application",
        "capabilities": {
            "create": {"lifecycleCreate": on},
            "update": {
                "lifecycleDeactivate": on if deprovisioning else off,
                "profile": on,
                "password": off | {"seed": "RANDOM", "change": "KEEP_EXISTING"},
            },
        },
        "_links": {"self": {"href": here, "hints": {"allow": ["GET", "PUT"]}}},
    }


def profile_json(app: App, base: str, *, whole: bool) -> Json:
    """Source: Okta OpenAPI ``ProfileMapping``; a list leaves ``properties`` out."""
    mapping_id = f"prm{app.id[3:]}"
    body: Json = {
        "id": mapping_id,
        "source": {"id": "otySandboxDefaultTyp", "name": "user", "type": "user", "_links": {}},
        "target": {"id": app.id, "name": "atlassian", "type": "appuser", "_links": {}},
        "_links": {"self": {"href": f"{base}/api/v1/mappings/{mapping_id}"}},
    }
    if whole:
        body["properties"] = {
            name: {"expression": f"user.{name}", "pushStatus": "PUSH"}
            for name in ("givenName", "familyName", "displayName")
        } | {"email": {"expression": f"user.{app.email}", "pushStatus": "PUSH"}}
    return body


def hook_json(hook: Hook, base: str) -> Json:
    """The secret is written and never returned. Source: recorded event hook objects."""
    here = f"{base}/api/v1/eventHooks/{hook.id}"
    turn = "deactivate" if hook.status == "ACTIVE" else "activate"
    return {
        "id": hook.id,
        "status": hook.status,
        "verificationStatus": hook.verification,
        "name": hook.name,
        "description": hook.description,
        "created": iso(hook.created),
        "createdBy": hook.created_by,
        "lastUpdated": iso(hook.last_updated),
        "events": {"type": "EVENT_TYPE", "items": hook.types, "filter": hook.filter},
        "channel": {
            "type": "HTTP",
            "version": "1.0.0",
            "config": {
                "uri": hook.uri,
                "headers": hook.headers,
                "method": "POST",
                "authScheme": {"type": "HEADER", "key": hook.key},
            },
        },
        "_links": {
            "self": {"href": here},
            "verify": {"href": f"{here}/lifecycle/verify", "hints": {"allow": ["POST"]}},
            turn: {"href": f"{here}/lifecycle/{turn}", "hints": {"allow": ["POST"]}},
        },
    }
