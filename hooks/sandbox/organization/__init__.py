"""Atlassian's organization: the second store, beside the SCIM directories that sync into it.

It has what SCIM never shows: local groups, roles, accounts nobody provisioned.
"""
