# The Okta side: the service app the workers read with, what it may see, and the event hook.
# The private key is made by you and never comes here; only its public half does.

terraform {
  required_version = ">= 1.5"
  required_providers {
    okta = {
      source  = "okta/okta"
      version = "~> 6.12"
    }
  }
}

provider "okta" {
  # OKTA_ORG_NAME, OKTA_BASE_URL and a credential stand in the environment.
}

locals {
  name = "okta-atlassian-hooks"

  # What the service reads; it writes nothing in Okta with this app.
  scopes = [
    "okta.apps.read",
    "okta.groups.read",
    "okta.logs.read",
    "okta.users.read",
  ]

  # Those of README.md, "Connect a real Okta and Atlassian"; take out what your org refuses.
  events = [
    "application.provision.group_push.mapping.update.or.delete.failed.with.error",
    "application.provision.user.push",
    "application.provision.user.reactivate",
    "application.user_membership.add",
    "application.user_membership.remove",
    "application.user_membership.update",
    "group.application_assignment.add",
    "group.application_assignment.remove",
    "group.application_assignment.update",
    "group.lifecycle.delete",
    "group.user_membership.add",
    "group.user_membership.remove",
    "user.lifecycle.activate",
    "user.lifecycle.deactivate",
    "user.lifecycle.delete.initiated",
    "user.lifecycle.reactivate",
    "user.lifecycle.suspend",
    "user.lifecycle.unsuspend",
  ]
}

# -- who reads ----------------------------------------------------------------------------------

resource "okta_app_oauth" "service" {
  label                      = local.name
  type                       = "service"
  grant_types                = ["client_credentials"]
  response_types             = ["token"]
  token_endpoint_auth_method = "private_key_jwt"
  omit_secret                = true

  jwks {
    kty = "RSA"
    kid = var.public_key.kid
    e   = var.public_key.e
    n   = var.public_key.n
  }
}

resource "okta_app_oauth_api_scope" "service" {
  app_id = okta_app_oauth.service.id
  issuer = var.org_url
  scopes = local.scopes
}

# -- what it sees -------------------------------------------------------------------------------

resource "okta_admin_role_custom" "reader" {
  label       = "${local.name} reader"
  description = "Sees users, groups and apps; changes nothing."
  permissions = [
    "okta.apps.read",
    "okta.groups.read",
    "okta.users.read",
  ]
}

# All users and all groups, Everyone among them: what is hidden is refused, never taken for gone.
resource "okta_resource_set" "reader" {
  label       = "${local.name} reader"
  description = "All users, all groups, and the Atlassian apps."
  resources = concat(
    ["${var.org_url}/api/v1/users", "${var.org_url}/api/v1/groups"],
    [for id in var.atlassian_app_ids : "${var.org_url}/api/v1/apps/${id}"],
  )
}

resource "okta_app_oauth_role_assignment" "reader" {
  client_id    = okta_app_oauth.service.client_id
  type         = "CUSTOM"
  role         = okta_admin_role_custom.reader.id
  resource_set = okta_resource_set.reader.id
}

# The System Log is no resource a custom role can hold; this role sees it, reports, and no more.
resource "okta_app_oauth_role_assignment" "log" {
  client_id = okta_app_oauth.service.client_id
  type      = "REPORT_ADMIN"
}

# -- the event hook -----------------------------------------------------------------------------

# Leave it out (`event_hook = null`) where `hooks register` makes it: one of the two, not both.
resource "okta_event_hook" "hook" {
  count  = var.event_hook == null ? 0 : 1
  name   = local.name
  events = local.events

  channel = {
    type    = "HTTP"
    version = "1.0.0"
    uri     = var.event_hook.url
  }

  auth = {
    type  = "HEADER"
    key   = var.event_hook.header
    value = var.hook_secret
  }

  lifecycle {
    precondition {
      condition     = var.hook_secret != null
      error_message = "Give hook_secret with event_hook: the same as HOOKS_HOOK_SECRET."
    }
  }
}

# Okta asks the running service at once; without an answer this fails, and may be applied again.
resource "okta_event_hook_verification" "hook" {
  count         = length(okta_event_hook.hook)
  event_hook_id = okta_event_hook.hook[0].id

  lifecycle {
    # A changed address or secret receives nothing until it is verified again.
    replace_triggered_by = [okta_event_hook.hook[0].channel, okta_event_hook.hook[0].auth]
  }
}
