"""The README's tables, held to the code they tell about."""

from __future__ import annotations

import inspect
import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import hooks
from hooks import cli, policies
from hooks.core.alarm import WAY_OUT as WAY_OUTS
from hooks.core.alarm import WORDS, Kind
from hooks.core.drift import WORDS as DRIFT
from hooks.core.drift import Kind as Drift
from hooks.core.log_event import EVENT_TYPES
from hooks.core.refusal import WAY_OUT
from hooks.settings.structure import Structure

README = (Path(__file__).parents[2] / "README.md").read_text()


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: the first cell of each row, and the others."""
    text = README.partition(f"\n{heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    cells = [
        [each.strip() for each in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    return {key.replace("`", ""): rest for key, *rest in cells}


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in get_args(annotation) for model in _models(each)]


def settings() -> dict[str, list[str]]:
    """Every setting: its place, its default as the file writes it, what it is for."""
    found = {}
    for name, field in Structure.model_fields.items():
        table = field.alias or name
        inner = _models(field.annotation)
        place = f"[[{table}]]" if field.alias else f"[{table}]"
        if not inner:
            key = f"{place} <name>" if table == "expiry" else table
            found[key] = [_default(field.default), str(field.description)]
        for model in inner:
            for key, each in model.model_fields.items():
                found[f"{place} {key}"] = [_default(each.default), str(each.description)]
    return found


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value == {}:
        return "none"
    return f"`{_written(value)}`"


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case timedelta():
            return f'"{_duration(value)}"'
        case tuple():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return f'"{value!s}"'


def _duration(length: timedelta) -> str:
    seconds = round(length.total_seconds())
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def test_every_setting_stands_in_the_readme_with_its_default() -> None:
    told = rows("### hooks.toml")
    assert list(told) == list(settings())
    for key, (default, about) in settings().items():
        assert told[key] == [default, about], key


def test_every_setting_is_acted_on() -> None:
    house = Path(hooks.__path__[0])
    rooms = [each for each in house.rglob("*.py") if "settings" not in each.parts]
    code = "\n".join(each.read_text() for each in rooms)
    rule = inspect.getsource(policies.of)
    read = ("policy", "scope", "protect", "brake", "look_again", "catch_up", "audit", "retention",
            "notify", "okta", "atlassian")  # fmt: skip
    for place in settings():
        table, _, key = place.strip("[").replace("]]", "]").partition("] ")
        if table in read:
            assert re.search(rf"settings\.{table}\.{key}\b", code), place
        if table == "local_group":
            assert re.search(rf"\beach\.{key}\b", rule), place


def test_every_secret_stands_in_the_readme() -> None:
    from hooks.core.ids import DirectoryName
    from hooks.settings.demand import Demand, Role

    told = set(rows("### The environment"))
    named = {name for key in told for name in re.findall(r"HOOKS_\w+", key)}
    for role in Role:
        names = (DirectoryName("main"),)
        demand = Demand(role=role, directories=names, organization=True, exposed=True)
        wanted = {each.names[0] for each in demand.wanted()}
        assert wanted <= named


def test_every_refusal_stands_in_the_readme_with_its_way_out() -> None:
    told = rows("### Refused")
    assert told == {cause.value: [way] for cause, way in WAY_OUT.items()}


def test_every_alarm_stands_in_the_readme_with_its_meaning_and_way_out() -> None:
    told = rows("### Alarms")
    assert told == {kind.value: [WORDS[kind], WAY_OUTS[kind]] for kind in Kind}


def test_every_event_type_to_subscribe_to_stands_in_the_readme() -> None:
    listed = re.findall(r"^ +- `([a-z_.]+)`$", README, re.MULTILINE)
    assert sorted(listed) == list(EVENT_TYPES)


def test_every_command_stands_in_the_readme() -> None:
    told = {key.split()[1] for key in rows("## Commands")}
    assert told == set(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


def test_a_sentence_has_a_line_of_its_own() -> None:
    text = (each for each in README.splitlines() if not each.startswith(("|", " ", "#")))
    assert [each for each in text if re.search(r"[a-z)`]\. [A-Z]", each)] == []


def test_the_readme_says_what_each_kind_of_drift_means() -> None:
    assert rows("## Audit") == {each.value: [DRIFT[each]] for each in Drift}


def test_every_alarm_has_its_page_in_the_runbook() -> None:
    pages = README.partition("\n### Runbook\n")[2].partition("\n## ")[0]
    told = [line.removeprefix("#### ") for line in pages.splitlines() if line.startswith("#### ")]
    assert told == [kind.value for kind in Kind]


def test_every_command_the_readme_writes_can_be_run() -> None:
    """Its words are commands, and its options are theirs; `serve` reads its own."""
    tree: Any = typer.main.get_command(cli.app)
    for words in re.findall(r"`hooks ([a-z][^`]+)`", README):
        command, names = tree, {"--help", "--no-worker", "--only-worker"}
        for word in words.split():
            below = getattr(command, "commands", {})
            if word.startswith("--"):
                meant = [command, *([below["list"]] if "list" in below else [])]
                options = {name for one in meant for each in one.params for name in each.opts}
                assert word.partition("=")[0] in options | names, words
            elif below and re.fullmatch(r"[a-z-]+", word):
                assert word in below, words
                command = below[word]
