variable "org_url" {
  description = "The Okta organization, as [okta] org_url in hooks.toml."
  type        = string

  validation {
    condition     = can(regex("^https://[^/]+$", var.org_url)) && !can(regex("-admin\\.", var.org_url))
    error_message = "Write the origin alone, without -admin, such as https://example.okta.com."
  }
}

variable "atlassian_app_ids" {
  description = "The Okta apps that provision Atlassian, as okta_app_id of each [[directory]]."
  type        = set(string)

  validation {
    condition     = length(var.atlassian_app_ids) > 0 && alltrue([for id in var.atlassian_app_ids : can(regex("^[A-Za-z0-9]{20}$", id))])
    error_message = "Each is 20 letters and digits, and there is at least one."
  }
}

variable "public_key" {
  description = "The public half of HOOKS_OKTA_PRIVATE_KEY, an RSA key, as a JWK."
  type        = object({ kid = string, n = string, e = optional(string, "AQAB") })
}

variable "event_hook" {
  description = "Where Okta reaches the service, and in which header the secret arrives; null where `hooks register` makes the hook."
  type        = object({ url = string, header = optional(string, "Authorization") })
  default     = null

  validation {
    condition     = var.event_hook == null ? true : can(regex("^https://[^/]+/okta/events$", var.event_hook.url))
    error_message = "Write the whole URL, such as https://hooks.example.com/okta/events."
  }
}

variable "hook_secret" {
  description = "HOOKS_HOOK_SECRET. It is kept in the state: encrypt that, or have `hooks register` make the hook."
  type        = string
  sensitive   = true
  default     = null

  validation {
    condition     = var.hook_secret == null ? true : length(var.hook_secret) >= 32
    error_message = "32 characters or more; `hooks keys new` prints one."
  }
}

output "client_id" {
  description = "HOOKS_OKTA_CLIENT_ID."
  value       = okta_app_oauth.service.client_id
}
