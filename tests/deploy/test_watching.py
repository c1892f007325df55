"""Prometheus and Grafana: every query can be read, and asks for metrics and labels that the hub's own code has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

from hub import worker_metrics
from hub.doors import metrics as doors_metrics
from hub.doors.gauges import Gauges
from tests.deploy.files import CHART, DEPLOY, alerts, compose, dashboard

FROM_PROMETHEUS = {"up": set[str]()}
FROM_THE_SCRAPE = {"job", "instance", "le"}


class Silent:
    """A server that nobody asks here."""

    async def ready(self) -> bool:
        return True

    @property
    def intake(self) -> Any:
        raise NotImplementedError


def known() -> dict[str, set[str]]:
    """Every series that the hub's processes show, with its labels."""
    gauges = Gauges(Silent(), Silent(), Path())
    found = dict(FROM_PROMETHEUS)
    ours = (doors_metrics.CONNECTIONS, worker_metrics.TOTALS, worker_metrics.BY_CENTRE, gauges._open, gauges._registry)
    for registry in (REGISTRY, *ours):
        found |= _series(registry)
    return found


def _series(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    for collector, names in registry._collector_to_names.items():
        labels = set(getattr(collector, "_labelnames", ()))
        yield from ((name, labels) for name in names)


KNOWN = known()


def asked(node: Any) -> Iterator[tuple[str, set[str]]]:
    """(series, labels that are matched) of every selector below a node of the query's tree."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name or "", {matcher.name for matcher in node.matchers.matchers}
    for below in ("lhs", "rhs", "expr", "vector_selector"):
        if (child := getattr(node, below, None)) is not None:
            yield from asked(child)
    for child in getattr(node, "args", ()):
        yield from asked(child)


def grouped(node: Any) -> Iterator[tuple[set[str], set[str]]]:
    """(labels that are kept, series below) of every aggregation."""
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        yield set(node.modifier.labels), {name for name, _ in asked(node.expr)}
    for below in ("lhs", "rhs", "expr"):
        if (child := getattr(node, below, None)) is not None:
            yield from grouped(child)
    for child in getattr(node, "args", ()):
        yield from grouped(child)


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def queries() -> list[tuple[str, str]]:
    said = [(rule["alert"], rule["expr"]) for rule in alerts()]
    shown = [(panel["title"], target["expr"]) for panel in panels() for target in panel["targets"]]
    return said + [(title, expr.replace("$__rate_interval", "5m")) for title, expr in shown]


@pytest.mark.parametrize(("where", "query"), queries())
def test_a_query_asks_for_what_the_hub_shows(where: str, query: str) -> None:
    tree = promql_parser.parse(query)
    selectors = list(asked(tree))
    assert selectors, where
    for name, labels in selectors:
        assert name in KNOWN, f"{where}: {name}"
        assert labels <= KNOWN[name] | FROM_THE_SCRAPE, f"{where}: {name} {labels}"
    for kept, names in grouped(tree):
        for name in names:
            assert kept <= KNOWN[name] | FROM_THE_SCRAPE, f"{where}: {name} by {kept}"


def test_a_metric_that_is_none_and_a_query_that_cannot_be_read_would_be_found() -> None:
    assert [name for name, _ in asked(promql_parser.parse("rate(ctihub_no_such_total[5m]) > 0")) if name not in KNOWN]
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's words are its own
        promql_parser.parse("sum by (le rate(x[5m]))")


def test_every_metric_of_the_hub_is_on_the_dashboard() -> None:
    shown = {name for _, query in queries() for name, _ in asked(promql_parser.parse(query))}
    ours = {name for name in KNOWN if name.startswith("ctihub_") and not name.endswith("_created")}
    families = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in ours}
    seen = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown}
    assert families - seen == set()


def test_every_alert_says_what_is_the_matter_and_what_to_do() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule
        assert set(rule["annotations"]) == {"summary", "description"}, rule
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m")), rule


def test_what_must_be_told_is_told() -> None:
    names = {rule["alert"] for rule in alerts()}
    assert names >= {
        "CtihubWorkerLag", "CtihubRelayLag", "CtihubManyRejected", "CtihubStoreAway", "CtihubLogAway",
        "CtihubDiskFilling", "CtihubProcessDown", "CtihubHeldWaiting",
    }  # fmt: skip


def test_the_alerts_have_tests_of_their_own_for_promtool() -> None:
    tests = yaml.safe_load((DEPLOY / "prometheus/ctihub.rules.test.yml").read_text("utf-8"))
    assert tests["rule_files"] == ["ctihub.rules.yml"]
    tested = {case["alertname"] for test in tests["tests"] for case in test["alert_rule_test"]}
    assert tested <= {rule["alert"] for rule in alerts()}
    assert {"CtihubStoreAway", "CtihubWorkerLag", "CtihubManyRejected", "CtihubDiskFilling"} <= tested


def test_the_jobs_that_are_scraped_are_those_that_are_asked_for() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    asked_for = set(re.findall(r'job="(ctihub-\w+)"', "".join(query for _, query in queries())))
    assert asked_for <= jobs.keys()
    services = compose()["services"]
    for name, job in jobs.items():
        for found in job.get("dns_sd_configs", ()):
            assert name == f"ctihub-{found['names'][0]}"
            assert found["names"][0] in services
            assert str(found["port"]) == services[found["names"][0]]["environment"]["CTIHUB_METRICS_PORT"]
            assert job["tls_config"]["ca_file"] == "/run/secrets/ca.pem"
    assert set(config["rule_files"]) == {"ctihub.rules.yml"}


def test_the_dashboard_is_one_that_grafana_provisions() -> None:
    board = dashboard()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    assert board["uid"] == "ctihub"
    variable = board["templating"]["list"][0]
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8"))
    assert variable["current"]["value"] == source["datasources"][0]["uid"]
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
    grafana = compose()["services"]["grafana"]
    provider = yaml.safe_load((DEPLOY / "grafana/provisioning/dashboards/ctihub.yml").read_text("utf-8"))
    assert f"./grafana/dashboards:{provider['providers'][0]['options']['path']}:ro" in grafana["volumes"]
    assert source["datasources"][0]["url"].removeprefix("$") in grafana["environment"]


def test_no_two_panels_lie_on_one_another() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken[x, y]}"
                taken[x, y] = panel["title"]


@pytest.mark.parametrize(
    ("copy", "of"),
    [("ctihub.rules.yml", "prometheus/ctihub.rules.yml"), ("ctihub.json", "grafana/dashboards/ctihub.json")],
)
def test_the_chart_carries_the_same_files(copy: str, of: str) -> None:
    assert (CHART / "files" / copy).read_bytes() == (DEPLOY / of).read_bytes(), (
        f"cp deploy/{of} deploy/helm/ctihub/files/"
    )
