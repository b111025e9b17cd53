"""Atlassian's organization: the second store, beside the SCIM directories that sync into it.

It has what SCIM never shows: local groups, roles, accounts nobody provisioned. Its Jira site is
a third view, of the same groups.
"""
