"""Which release this is, as it was installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """The version, or `uninstalled` where the code runs from a checkout alone."""
    try:
        return version("okta-atlassian-hooks")
    except PackageNotFoundError:
        return "uninstalled"
