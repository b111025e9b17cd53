"""The alert rules and the dashboard, held to the figures and alarms of the code."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

import hooks
from hooks import figures, operations
from hooks.core.alarm import Kind

ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "infra/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "infra/dashboard.json").read_text())
PROMTOOL = shutil.which("promtool")
#: What Prometheus itself has of every target, and what it adds to every series.
_OF_PROMETHEUS = {"up"}
_ADDED = {"job", "instance"}
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


@dataclass(frozen=True)
class Figure:
    """A metric, and which values its labels have from the start."""

    labels: frozenset[str]
    values: dict[str, set[str]]


@cache
def _figures() -> dict[str, Figure]:
    """Every series there is, by the name under which it is scraped."""
    operations._tell(None)  # a scrape: what is closed is there from now on
    found = {}
    for each in vars(figures).values():
        if not isinstance(each, MetricWrapperBase):
            continue
        names = each._labelnames
        told = [dict(sample.labels) for family in each.collect() for sample in family.samples]
        values = {name: {labels[name] for labels in told if name in labels} for name in names}
        more = {"le"} if each._type == "histogram" else set()
        for suffix in _SUFFIXES[str(each._type)]:
            found[each._name + suffix] = Figure(frozenset(names) | more, values)
    return found


@cache
def words() -> set[str]:
    """Every constant of the code: what a label can be that is not there from the start."""
    rooms = Path(hooks.__path__[0]).rglob("*.py")
    trees = (ast.walk(ast.parse(room.read_text())) for room in rooms)
    return {str(each.value) for tree in trees for each in tree if isinstance(each, ast.Constant)}


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the rules and the dashboard, and where it stands."""
    for rule in RULES:
        yield f"alert {rule['alert']}", rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]


EXPRESSIONS = list(expressions())


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_uses_only_figures_and_labels_that_exist(where: str, expression: str) -> None:
    bare = re.sub(r'"[^"]*"', '""', expression)
    series = re.findall(r"\b(hooks_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert series, where
    known: set[str] = set(_ADDED)
    for name, matchers in series:
        if name in _OF_PROMETHEUS:
            continue
        assert name in _figures(), where
        figure = _figures()[name]
        known |= figure.labels
        for label, value in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert label in figure.labels, (where, label)
            closed = figure.values[label]
            assert set(value.split("|")) <= (closed or words()), (where, value)
    for grouped in re.findall(r"\bby \(([^)]*)\)", bare):
        assert set(re.split(r",\s*", grouped)) <= known, (where, grouped)


def test_the_legend_of_a_panel_names_labels_its_series_keep() -> None:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            bare = " by (" not in target["expr"]
            assert named <= (kept | (_ADDED if bare else set())), panel["title"]


def test_every_alarm_has_a_rule_of_its_own() -> None:
    watched = re.findall(r'hooks_alarm\{alarm="(\w+)"\}', " ".join(each["expr"] for each in RULES))
    assert sorted(watched) == sorted(Kind)


def test_every_rule_says_how_urgent_it_is_and_which_section_of_the_readme_helps() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for rule in RULES:
        readme, _, section = rule["annotations"]["runbook"].partition(", ")
        assert (readme, section in headings) == ("README", True), rule["alert"]
        alarm = re.search(r'hooks_alarm\{alarm="(\w+)"', rule["expr"])
        assert section == alarm[1] if alarm else section not in list(Kind), rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)


def test_what_the_readme_has_watched_is_watched() -> None:
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"`(hooks_[a-z_]+)[`{]", readme))
    shown = {name for _, each in EXPRESSIONS for name in re.findall(r"hooks_\w+", each)}
    assert named <= shown, named - shown


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({each["id"] for each in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for each in panels:
        at = each["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, each["title"]
        assert all(x < 24 for x, _ in cells), each["title"]
        taken |= cells


def test_a_tile_shows_what_is_now_and_nothing_where_nobody_tells() -> None:
    tiles = [each for each in DASHBOARD["panels"] if each["type"] == "stat"]
    assert tiles
    for each in tiles:
        assert each["fieldConfig"]["defaults"]["noValue"] == "no data", each["title"]
        for target in each["targets"]:
            # A range keeps the last value of a replica that is gone; a constant is no reading.
            assert (target["instant"], target["range"]) == (True, False), each["title"]
            assert "vector(" not in target["expr"], each["title"]


def promtool(*words: str | Path) -> None:
    """Prometheus' own tool has nothing to say."""
    if PROMTOOL is None:
        # It comes with Prometheus alone, on no package index; names and labels are held without.
        pytest.skip("no promtool here: it comes with Prometheus")  # pip cannot bring it
    ran = subprocess.run([PROMTOOL, *words], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_reads_the_rules_and_what_the_dashboard_asks(tmp_path: Path) -> None:
    promtool("check", "rules", ROOT / "infra/alerts.yml")
    asked = [each.replace("$__rate_interval", "5m") for _, each in EXPRESSIONS]
    rules = [{"record": f"asked_{at}", "expr": each} for at, each in enumerate(asked)]
    group = {"groups": [{"name": "dashboard", "rules": rules}]}
    (tmp_path / "asked.yml").write_text(yaml.safe_dump(group))
    promtool("check", "rules", tmp_path / "asked.yml")


def plays(folder: Path, *cases: dict[str, Any]) -> None:
    """The rules raise in each case what it expects."""
    asked = {
        "rule_files": [str(ROOT / "infra/alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", **each} for each in cases],
    }
    (folder / "asked.yml").write_text(yaml.safe_dump(asked))
    promtool("test", "rules", folder / "asked.yml")


def expects(name: str, at: str, *raised: dict[str, str]) -> dict[str, Any]:
    """One alert at a time of its case, with the labels of whatever it tells of."""
    (rule,) = (each for each in RULES if each["alert"] == name)
    alerts = [
        {"exp_labels": {**rule["labels"], **each}, "exp_annotations": rule["annotations"]}
        for each in raised
    ]
    return {"eval_time": at, "alertname": name, "exp_alerts": alerts}


def revoked(seconds: str) -> list[dict[str, str]]:
    """Somebody who lost access in the second hour, one bucket earlier or later."""
    held = {"30": "0", "60": "0", "300": "0", "+Inf": "0"}
    late = {each for each in held if float(each) >= float(seconds)}
    return [
        {
            "series": f'hooks_revoked_seconds_bucket{{since="received",le="{le}",instance="a"}}',
            "values": f"0x90 {int(le in late)}x900",
        }
        for le in held
    ]


def test_one_leaver_who_kept_access_for_minutes_is_told_and_one_who_did_not_is_not(
    tmp_path: Path,
) -> None:
    name = "HooksRevokesSlowly"
    slow = [expects(name, "80m"), expects(name, "2h", {}), expects(name, "6h", {})]
    over = expects(name, "9h")
    plays(
        tmp_path,
        {"input_series": revoked("300"), "alert_rule_test": [*slow, over]},
        {"input_series": revoked("60"), "alert_rule_test": [expects(name, "2h")]},
    )


def test_a_hook_that_misses_events_is_told_after_an_hour(tmp_path: Path) -> None:
    name = "HooksHookMisses"
    missed = [
        {"series": f'hooks_events_missed{{instance="{each}"}}', "values": f"0x30 {count}x300"}
        for each, count in (("a", 3), ("b", 3))
    ]
    well = [{"series": 'hooks_events_missed{instance="a"}', "values": "0x300"}]
    plays(
        tmp_path,
        {
            "input_series": missed,
            "alert_rule_test": [expects(name, "80m"), expects(name, "2h", {})],
        },
        {"input_series": well, "alert_rule_test": [expects(name, "2h")]},
    )


@pytest.mark.parametrize("answer", ["400", "401", "408", "413", "415"])
def test_a_delivery_refused_for_good_is_told(tmp_path: Path, answer: str) -> None:
    series = f'hooks_deliveries_total{{answer="{answer}",instance="a"}}'
    played = {"series": series, "values": "0x10 1x60"}
    name = "HooksDeliveriesRefused"
    told = [expects(name, "5m"), expects(name, "15m", {"answer": answer}), expects(name, "40m")]
    plays(tmp_path, {"input_series": [played], "alert_rule_test": told})


def test_one_replica_without_the_database_is_for_working_hours_and_all_for_now(
    tmp_path: Path,
) -> None:
    def up(one: str, other: str) -> list[dict[str, str]]:
        return [
            {"series": f'hooks_store_up{{job="hooks",instance="{each}"}}', "values": values}
            for each, values in (("a", one), ("b", other))
        ]

    one, everyone = "HooksReplicaStoreAway", "HooksStoreAway"
    lone = {"job": "hooks", "instance": "b"}
    plays(
        tmp_path,
        {
            "input_series": up("1x60", "0x60"),
            "alert_rule_test": [expects(one, "15m", lone), expects(everyone, "15m")],
        },
        {"input_series": up("0x60", "0x60"), "alert_rule_test": [expects(everyone, "3m", {})]},
        {"input_series": up("1x60", "1x60"), "alert_rule_test": [expects(one, "15m")]},
    )


def test_prometheus_raises_each_alarm_and_raises_none_while_all_is_well(tmp_path: Path) -> None:
    well = [
        {"series": f'hooks_alarm{{alarm="{kind}",instance="a"}}', "values": "0x200"}
        for kind in Kind
    ]
    up = {"series": 'up{job="hooks",instance="a"}', "values": "1x200"}
    quiet = [expects(rule["alert"], "3h") for rule in RULES]
    cases: list[dict[str, Any]] = [{"input_series": [up, *well], "alert_rule_test": quiet}]
    for rule in RULES:
        if not (found := re.search(r'alarm="(\w+)"', rule["expr"])):
            continue
        series = {"series": f'hooks_alarm{{alarm="{found[1]}",instance="a"}}', "values": "1x200"}
        raised = expects(rule["alert"], "3h", {"alarm": found[1]})
        cases.append({"input_series": [up, series], "alert_rule_test": [raised]})
    plays(tmp_path, *cases)
