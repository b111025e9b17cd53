"""The only reader of the environment and of the file it names.

`load` tells every mistake at once, each with its place and its remedy, or returns Settings.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, InstanceOf, ValidationError

from hooks.core.ids import DirectoryName
from hooks.settings.demand import Demand, Holder, Role
from hooks.settings.mistakes import Mistake, refusal
from hooks.settings.secrets import OktaKey, OktaToken, Secret, Secrets
from hooks.settings.structure import Loc, Structure, contradictions

__all__ = ["Holder", "OktaKey", "OktaToken", "Role", "Secret", "Secrets", "Settings", "load"]

CONFIG = "HOOKS_CONFIG"
DEFAULT_CONFIG = "hooks.toml"


class Settings(Structure):
    """Structure and policy, as the file groups them, and the secrets of the role."""

    secrets: InstanceOf[Secrets] = Field(exclude=True, repr=False)


def load(environ: Mapping[str, str] = os.environ, *, need: Role) -> Settings:
    """Read the file and the secrets that a process of this role needs.

    Raises:
        SettingsError: every mistake, a line each; no value is repeated. Do not start.
    """
    name = environ.get(CONFIG) or DEFAULT_CONFIG
    raw, unreadable = _file(name)
    structure, mistakes = _structure(name, raw)
    secrets = Secrets(environ, _demand(structure, raw, need))
    _, missing = secrets.read()
    mistakes = [unreadable] if unreadable else mistakes
    if structure is None or mistakes or missing:
        raise refusal([*mistakes, *missing])
    secrets.reload()
    return Settings.model_validate({**raw, "secrets": secrets})


#: What another file may say otherwise: everything that a plan and its brake depend on.
_POLICY = ("policy", "local_group", "protect", "scope", "brake")


def with_policy(settings: Settings, name: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """These settings with the policy of another file; of that file nothing else is read.

    Raises:
        SettingsError: every mistake in it, a line each.
    """
    own, _ = _file(environ.get(CONFIG) or DEFAULT_CONFIG)
    other, unreadable = _file(name)
    if unreadable:
        raise refusal([unreadable])
    raw = {key: value for key, value in own.items() if key not in _POLICY}
    raw |= {key: value for key, value in other.items() if key in _POLICY}
    _, mistakes = _structure(name, raw)
    if mistakes:
        raise refusal(mistakes)
    return Settings.model_validate({**raw, "secrets": settings.secrets})


def _file(name: str) -> tuple[dict[str, Any], Mistake | None]:
    try:
        return tomllib.loads(Path(name).read_bytes().decode()), None
    except FileNotFoundError:
        remedy = f"not found; write it as infra/hooks.example.toml shows, or name it in {CONFIG}"
    except tomllib.TOMLDecodeError as error:
        remedy = f"is not TOML: {error}"
    except UnicodeDecodeError:
        remedy = "is not UTF-8 text"
    except RecursionError:
        remedy = "is nested too deeply"
    except (OSError, ValueError):
        remedy = "cannot be read; check its path, owner and mode"
    return {}, Mistake(name, remedy)


def _structure(name: str, raw: dict[str, Any]) -> tuple[Structure | None, list[Mistake]]:
    """What the file says, or all that is wrong with it, in the order of the file's model."""
    mistakes = [Mistake(f"{name}: {_place(loc)}", remedy) for loc, remedy in contradictions(raw)]
    try:
        structure = Structure.model_validate(raw)
    except ValidationError as error:
        return None, [*_translated(name, error), *mistakes]
    return structure, mistakes


def _demand(structure: Structure | None, raw: Mapping[str, Any], role: Role) -> Demand:
    """What to ask of the environment; from what can be read of a file with mistakes, if need be."""
    if structure is not None:
        return Demand(
            role=role,
            directories=tuple(each.name for each in structure.directories),
            organization=structure.atlassian.organization_id is not None,
            exposed=not structure.listen.operations.loopback,
        )
    tables = raw.get("directory")
    rows = [each for each in tables if isinstance(each, dict)] if isinstance(tables, list) else []
    names = {name: None for each in rows if (name := DirectoryName.maybe(each.get("name")))}
    atlassian = raw.get("atlassian")
    organization = isinstance(atlassian, dict) and "organization_id" in atlassian
    return Demand(role=role, directories=tuple(names), organization=organization, exposed=False)


#: Pydantic's words for these speak of Python.
_WORDS = {
    "missing": "missing",
    "model_type": "must be a table",
    "too_short": "is empty",
    "tuple_type": "must be a list",
}


def _translated(name: str, error: ValidationError) -> Iterator[Mistake]:
    """Pydantic's findings in the operator's words. The input itself is never repeated."""
    errors = error.errors(include_url=False, include_input=False)
    for found in errors:
        loc, kind = found["loc"], found["type"]
        if kind == "too_short" and any(_within(each["loc"], loc) for each in errors):
            continue  # its entries were refused one by one
        if kind == "extra_forbidden":
            remedy = _unknown(loc)
        elif kind == "value_error":
            remedy = str(found["ctx"]["error"])
        else:
            about = _walk(loc)[1]
            words = _WORDS.get(kind) or found["msg"].removeprefix("Input ")
            remedy = f"{words}; {about}" if about else words
        yield Mistake(f"{name}: {_place(loc)}", remedy)


def _within(inner: Loc, outer: Loc) -> bool:
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _place(loc: Loc) -> str:
    """`[brake] left_per_hour`, `[[directory]] 2 name`, `mode`."""
    table, *rest = loc
    if not rest:
        return str(table)
    plain = [f"{each + 1}" if isinstance(each, int) else each for each in rest]
    return " ".join([f"[[{table}]]" if isinstance(rest[0], int) else f"[{table}]", *plain])


def _unknown(loc: Loc) -> str:
    """An unknown key, and the one that was perhaps meant."""
    model = _walk(loc[:-1])[0]
    known = [field.alias or key for key, field in model.model_fields.items()]
    meant = get_close_matches(str(loc[-1]), known, n=1)
    return f"unknown key; did you mean {meant[0]}?" if meant else "unknown key; take it out"


def _walk(loc: Loc) -> tuple[type[BaseModel], str]:
    """The innermost model and description on the way to a place."""
    model: type[BaseModel] = Structure
    about = ""
    for key in loc:
        by_key = {field.alias or each: field for each, field in model.model_fields.items()}
        field = by_key.get(str(key))
        if field is None:
            continue  # a position in a list, or a key of a free table
        about = field.description or about
        model = next(_models(field.annotation), model)
    return model, about


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The model a field holds, alone or in a tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)
