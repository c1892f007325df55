"""The Helm chart, rendered by Helm's own code: valid for Kubernetes, restricted, and in step with the hub."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from hub.config import Config
from hub.log.kafka_topics import settings_of
from hub.model.principals import PLACEHOLDER_USER
from hub.registry.acls import Acl, Operation, Resource, acls_of_the_hub
from hub.registry.names import name as checked
from hub.worker_process import DRAIN_S
from tests.deploy.files import CHART, server_properties

HAS_LIBRARY = find_spec("helm_python") is not None
"""There is no wheel for every machine."""
if HAS_LIBRARY:
    import helm_python

KUBERNETES = "1.30"
KAFKA = {"bootstrap": "kafka:9093", "passwordSecret": {"name": "hub"}, "admin": {"passwordSecret": {"name": "admin"}}}
GIVEN: dict[str, Any] = {"kafka": KAFKA}
WITH_STRIMZI: dict[str, Any] = {"strimzi": {"enabled": True, "centres": ["ro", "it"]}}
EVERYTHING: dict[str, Any] = {
    **WITH_STRIMZI,
    "tls": {"secretName": "hub-tls"},
    "database": {"url": "postgresql://ctihub@db/ctihub", "caSecret": "db-ca"},
    "ingress": {"enabled": True, "className": "nginx", "tlsSecretName": "hub-ingress", "annotations": {"a": "b"}},
    "image": {"pullSecrets": [{"name": "pull"}], "tag": "1.2.3"},
    "monitoring": {"podMonitor": True, "prometheusRule": True, "dashboard": True},
    "worker": {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"operator": "Exists"}]},
    "service": {"annotations": {"a": "b"}},
    "networkPolicy": {
        "doorsFrom": [{"podSelector": {}}],
        "metricsFrom": [],
        "egress": {"enabled": True, "to": [{"podSelector": {}}]},
    },
    "webhooks": {"allow": ["10.20.0.0/16", "fd00::/8"], "http": True, "caSecret": {"name": "receivers"}},
    "options": {"HELD_LISTS": "none", "MAX_PUSH_BYTES": 1000, "BEHIND_PROXY": True},
    "admin": {"replicas": 1},
}
VALUES = {"given": GIVEN, "strimzi": WITH_STRIMZI, "everything": EVERYTHING}


DURABLE = r"replica|isr|retention|\.bytes$|unclean|auto\.create|^group\."
"""Settings of brokers on which the promise rests that nothing acknowledged is lost."""


class NotRendered(Exception):
    """In Helm's words."""


def render(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every object that Helm makes of the chart. Raises NotRendered."""
    text = _with_the_library(values) if HAS_LIBRARY else _with_the_program(values)
    return [found for found in yaml.safe_load_all(text) if found]


def _with_the_library(values: Mapping[str, Any]) -> str:
    try:
        with helm_python.Chart.load(CHART) as chart:
            chart.validate_schema(dict(values))
            files = chart.render(dict(values), name="hub", namespace="cti")
    except helm_python.HelmError as error:
        raise NotRendered(str(error)) from error
    return "\n---\n".join(text for path, text in files.items() if path.endswith(".yaml"))


def _with_the_program(values: Mapping[str, Any]) -> str:
    helm = shutil.which("helm")
    if helm is None:
        pytest.fail("Helm is missing; type: go install helm.sh/helm/v3/cmd/helm@v3.22.0", pytrace=False)
    command = [helm, "template", "hub", str(CHART), "-n", "cti", "-f", "-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotRendered(done.stderr)
    return done.stdout


def of_kind(objects: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found for found in objects if found["kind"] == kind}


def pods(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = of_kind(objects, "Deployment") | of_kind(objects, "Job")
    return {name: workload["spec"]["template"]["spec"] for name, workload in found.items()}


@pytest.fixture(scope="module", params=VALUES)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return render(VALUES[request.param])


@pytest.fixture(scope="module")
def on_strimzi() -> list[dict[str, Any]]:
    return render(WITH_STRIMZI)


@pytest.mark.skipif(not HAS_LIBRARY, reason="the program lints with another command")
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_helm_has_nothing_against_it(values: dict[str, Any]) -> None:
    report = helm_python.lint(CHART, values, strict=True)
    assert report["errors"] == []
    assert [said for said in report["messages"] if said["severity"] > 1] == []


def test_every_object_is_valid_for_kubernetes_to_the_last_key(objects: list[dict[str, Any]]) -> None:
    foreign = 0
    for found in objects:
        if re.match(r"(kafka\.strimzi\.io|monitoring\.coreos\.com)/", found["apiVersion"]):
            foreign += 1  # their schemas come with their operators
            continue
        kubernetes_validate.validate(found, KUBERNETES, strict=True)
    assert len(objects) - foreign >= 8


def test_a_misspelt_key_would_be_found(objects: list[dict[str, Any]]) -> None:
    wrong = json.loads(json.dumps(of_kind(objects, "Deployment")["hub-ctihub-relay"]))
    wrong["spec"]["replicaz"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "kafka"),
        ({"kafka": {"bootstrap": "k:9093"}}, "kafka.passwordSecret.name"),
        ({**GIVEN, "database": {"existingSecret": ""}}, "database.existingSecret"),
        ({**GIVEN, "workers": {"replicas": 3}}, "workers"),
        ({**GIVEN, "worker": {"replica": 3}}, "replica"),
        ({**GIVEN, "relay": {"replicas": 2}}, "replicas"),
        ({**GIVEN, "ingress": {"enabled": True}}, "ingress.tlsSecretName"),
        ({"strimzi": {"enabled": True}, "kafka": {"username": "hub"}}, "username"),
        ({**GIVEN, "database": {"url": "mysql://x"}}, "url"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(values: dict[str, Any], says: str) -> None:
    with pytest.raises(NotRendered, match=re.escape(says)):
        render(values)


def test_every_pod_is_restricted(objects: list[dict[str, Any]]) -> None:
    """Source: Kubernetes, Pod Security Standards, profile "restricted"."""
    for name, pod in pods(objects).items():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        allowed = {"emptyDir", "secret"}
        assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"]), name
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"], name
            assert "hostPort" not in json.dumps(container.get("ports", [])), name


def test_what_is_mounted_is_there(objects: list[dict[str, Any]]) -> None:
    for name, pod in pods(objects).items():
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]} == volumes, name


def test_the_relay_is_one_and_never_beside_its_successor(objects: list[dict[str, Any]]) -> None:
    relay = of_kind(objects, "Deployment")["hub-ctihub-relay"]["spec"]
    assert relay["replicas"] == 1
    assert relay["strategy"] == {"type": "Recreate"}


def test_every_role_runs_its_command_and_is_probed(objects: list[dict[str, Any]]) -> None:
    config = of_kind(objects, "ConfigMap")["hub-ctihub"]["data"]
    scheme = "HTTPS" if "CTIHUB_TLS_CERT" in config else "HTTP"
    for role in ("worker", "doors", "relay"):
        pod = pods(objects)[f"hub-ctihub-{role}"]
        container = pod["containers"][0]
        assert container["args"] == ["serve", "--role", role]
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz",
        }  # fmt: skip
        assert all(probe["scheme"] == scheme for probe in probes.values())
        named = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        assert named == {"http": config["CTIHUB_HTTP_PORT"], "metrics": config["CTIHUB_METRICS_PORT"]}
        assert {probe["port"] for probe in probes.values()} == {"metrics"}, "health answers when the doors are full"
        assert pod["terminationGracePeriodSeconds"] > DRAIN_S


def test_the_configuration_is_one_that_the_hub_takes(objects: list[dict[str, Any]]) -> None:
    data = of_kind(objects, "ConfigMap")["hub-ctihub"]["data"]
    options = {name.removeprefix("CTIHUB_").lower(): value for name, value in data.items()}
    assert options.keys() <= Config.model_fields.keys()
    secrets = {"kafka_password": "x", "database_url": "postgresql://a:b@c/d"}
    config = Config(**{**options, **secrets})
    assert config.open_host is None
    assert config.kafka_security_protocol == "SASL_SSL"
    for pod in pods(objects).values():
        for variable in pod["containers"][0]["env"]:
            assert variable["name"].removeprefix("CTIHUB_").lower() in Config.model_fields


def test_no_password_is_outside_a_secret(objects: list[dict[str, Any]]) -> None:
    for found in of_kind(objects, "ConfigMap").values():
        assert not re.search(r"PASSWORD|DATABASE_URL", " ".join(found["data"]))
    for pod in pods(objects).values():
        for variable in pod["containers"][0]["env"]:
            if re.search(r"PASSWORD|DATABASE_URL", variable["name"]):
                assert "secretKeyRef" in variable["valueFrom"]


def test_only_provisioning_and_the_admin_pod_have_the_administrators_password(
    objects: list[dict[str, Any]],
) -> None:
    having = {
        re.sub(r"-\d+$", "", name)
        for name, pod in pods(objects).items()
        if any(variable["name"] == "CTIHUB_KAFKA_ADMIN_PASSWORD" for variable in pod["containers"][0]["env"])
    }
    assert having == {"hub-ctihub-provision", "hub-ctihub-admin"}


def test_the_services_budgets_and_policies_choose_the_pods_that_they_mean(objects: list[dict[str, Any]]) -> None:
    labels = {name: of["spec"]["template"]["metadata"]["labels"] for name, of in of_kind(objects, "Deployment").items()}

    def chosen(selector: dict[str, str]) -> set[str]:
        return {name for name, having in labels.items() if selector.items() <= having.items()}

    assert chosen(of_kind(objects, "Service")["hub-ctihub"]["spec"]["selector"]) == {"hub-ctihub-doors"}
    for name, budget in of_kind(objects, "PodDisruptionBudget").items():
        assert chosen(budget["spec"]["selector"]["matchLabels"]) == {name}
    policies = of_kind(objects, "NetworkPolicy")
    assert chosen(policies["hub-ctihub-doors"]["spec"]["podSelector"]["matchLabels"]) == {"hub-ctihub-doors"}
    assert chosen(policies["hub-ctihub-inside"]["spec"]["podSelector"]["matchLabels"]) == labels.keys()
    for name, deployment in of_kind(objects, "Deployment").items():
        assert chosen(deployment["spec"]["selector"]["matchLabels"]) == {name}


def test_metrics_are_reached_by_who_may_read_them_alone() -> None:
    objects = render(
        {**EVERYTHING, "networkPolicy": {"metricsFrom": [{"podSelector": {"matchLabels": {"who": "may"}}}]}}
    )
    policies = of_kind(objects, "NetworkPolicy")
    opened = {
        name: [rule["ports"][0]["port"] for rule in of["spec"]["ingress"]]
        for name, of in policies.items()
        if "Ingress" in of["spec"]["policyTypes"]
    }
    assert opened == {"hub-ctihub-inside": ["metrics"], "hub-ctihub-doors": ["http"]}
    services = of_kind(objects, "Service")
    assert [port["targetPort"] for of in services.values() for port in of["spec"]["ports"]] == ["http"]
    (monitor,) = of_kind(objects, "PodMonitor").values()
    assert [endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]] == ["metrics"]


def test_only_the_doors_connect_to_public_addresses_when_egress_is_limited() -> None:
    assert not [name for name in of_kind(render(GIVEN), "NetworkPolicy") if name.endswith(("-egress", "-webhooks"))]
    policies = of_kind(render(EVERYTHING), "NetworkPolicy")
    inside, doors = (policies[f"hub-ctihub-{name}"]["spec"] for name in ("egress", "webhooks"))
    assert inside["policyTypes"] == doors["policyTypes"] == ["Egress"]
    assert doors["podSelector"]["matchLabels"].items() - inside["podSelector"]["matchLabels"].items() == {
        ("app.kubernetes.io/component", "doors")
    }
    names, servers = inside["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert servers == {"to": [{"podSelector": {}}]}
    (outside,) = doors["egress"]
    open_to = [(ip_network(one["ipBlock"]["cidr"]), one["ipBlock"].get("except", [])) for one in outside["to"]]

    def is_open(address: str) -> bool:
        at = ip_address(address)
        return any(at in cidr and not any(at in ip_network(no) for no in but) for cidr, but in open_to)

    assert is_open("9.9.9.9")
    assert is_open("2620:fe::fe")
    for address in ("10.1.2.3", "172.20.0.1", "192.168.1.1", "169.254.169.254", "127.0.0.1", "100.64.0.1"):
        assert not is_open(address)
    assert not is_open("fd00::1")


def test_the_settings_of_webhooks_are_those_of_the_hub() -> None:
    data = of_kind(render(EVERYTHING), "ConfigMap")["hub-ctihub"]["data"]
    told = {name.removeprefix("CTIHUB_").lower(): value for name, value in data.items() if "WEBHOOK" in name}
    assert told == {
        "webhook_allow": "10.20.0.0/16,fd00::/8",
        "webhook_http": "true",
        "webhook_ca_file": "/etc/ctihub/webhooks/ca.crt",
    }
    assert told.keys() <= Config.model_fields.keys()
    (mount,) = (
        one for one in pods(render(EVERYTHING))["hub-ctihub-doors"]["containers"][0]["volumeMounts"]
        if one["name"] == "webhooks-ca"
    )  # fmt: skip
    assert mount["mountPath"] == "/etc/ctihub/webhooks"
    assert not [name for name in of_kind(render(GIVEN), "ConfigMap")["hub-ctihub"]["data"] if "WEBHOOK" in name]


def test_the_ingress_lets_no_metrics_out_and_everything_else_in() -> None:
    ingress = of_kind(render(EVERYTHING), "Ingress")["hub-ctihub"]["spec"]
    paths = {path["path"]: path["pathType"] for path in ingress["rules"][0]["http"]["paths"]}
    prefixes = [path for path, kind in paths.items() if kind == "Prefix"]
    assert "/" not in prefixes
    document = json.loads((CHART.parents[2] / "schemas" / "openapi.json").read_text("utf-8"))
    routes = [route for route in document["paths"] if not route.startswith(tuple(prefixes)) and route != "/"]
    assert set(routes) <= {"/healthz", "/readyz", "/metrics"}
    assert ingress["tls"][0]["secretName"] == "hub-ingress"


# ---------------------------------------------------------------- Strimzi


def test_the_hubs_user_is_granted_what_doctor_would_grant_it(on_strimzi: list[dict[str, Any]]) -> None:
    user = of_kind(on_strimzi, "KafkaUser")["ctihub.hub"]
    resources = {"topic": Resource.TOPIC, "group": Resource.GROUP, "transactionalId": Resource.TRANSACTION}
    granted = {
        Acl("ctihub.hub", Operation(operation.lower()), resources[acl["resource"]["type"]], acl["resource"]["name"],
            acl["resource"]["patternType"] == "prefix")
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    }  # fmt: skip
    assert granted == acls_of_the_hub("ctihub.hub")


def test_the_administrator_is_a_super_user(on_strimzi: list[dict[str, Any]]) -> None:
    authorization = of_kind(on_strimzi, "Kafka")["ctihub"]["spec"]["kafka"]["authorization"]
    assert authorization == {"type": "simple", "superUsers": ["ctihub.admin"]}
    assert "authorization" not in of_kind(on_strimzi, "KafkaUser")["ctihub.admin"]["spec"]


def test_the_user_operator_leaves_principals_alone_and_knows_the_hubs_users(on_strimzi: list[dict[str, Any]]) -> None:
    operator = of_kind(on_strimzi, "Kafka")["ctihub"]["spec"]["entityOperator"]["template"]["userOperatorContainer"]
    ignored = {variable["name"]: variable["value"] for variable in operator["env"]}["STRIMZI_IGNORED_USERS_PATTERN"]
    for name in ("ro", "ro-cert", "1", "a" * 63, "ctihub-hub"):
        assert re.fullmatch(ignored, checked(name))
    for name in ("ro.siem", f"{'a' * 63}.{'b' * 63}", PLACEHOLDER_USER):
        assert re.fullmatch(ignored, name)
    for name in of_kind(on_strimzi, "KafkaUser"):
        assert not re.search(ignored, name)


def test_the_topics_have_the_settings_that_the_hub_gives_them(on_strimzi: list[dict[str, Any]]) -> None:
    topics = of_kind(on_strimzi, "KafkaTopic")
    assert topics.keys() == {
        "intake.ro", "intake.it", "intake.members", "rejected.ro", "rejected.it",
        "collection.public", "collection.community", "collection.network",
    }  # fmt: skip
    for name, topic in topics.items():
        spec = topic["spec"]
        assert {key: str(value) for key, value in spec["config"].items()} == settings_of(name, spec["replicas"]), name
        assert (spec["partitions"], spec["replicas"]) == (1, 3)


@pytest.mark.parametrize(("nodes", "isr"), [(1, 1), (3, 2), (5, 2)])
def test_the_brokers_are_as_durable_as_those_of_the_tests(nodes: int, isr: int) -> None:
    objects = render({"strimzi": {"enabled": True, "replicas": nodes}})
    config = of_kind(objects, "Kafka")["ctihub"]["spec"]["kafka"]["config"]
    given = {"${env:KAFKA_REPLICATION}": str(min(nodes, 3)), "${env:KAFKA_MIN_ISR}": str(isr)}
    ours = {name: given.get(value, value) for name, value in server_properties().items()}
    said = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in config.items()}
    assert said.items() <= ours.items()
    durable = {name for name in ours if re.search(DURABLE, name)}
    strimzis_own = {name for name in durable if name.startswith(("share.", "controller.", "broker."))}
    assert durable - strimzis_own <= said.keys()


def test_everything_of_strimzi_belongs_to_the_cluster(on_strimzi: list[dict[str, Any]]) -> None:
    for found in on_strimzi:
        if found["apiVersion"].startswith("kafka.strimzi.io/") and found["kind"] != "Kafka":
            assert found["metadata"]["labels"]["strimzi.io/cluster"] == "ctihub"
    listeners = of_kind(on_strimzi, "Kafka")["ctihub"]["spec"]["kafka"]["listeners"]
    assert all(one["tls"] is True and one["authentication"] == {"type": "scram-sha-512"} for one in listeners)


def test_the_hub_finds_its_password_and_authority_where_strimzi_puts_them(on_strimzi: list[dict[str, Any]]) -> None:
    worker = pods(on_strimzi)["hub-ctihub-worker"]
    secrets = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in worker["containers"][0]["env"]}
    assert secrets["CTIHUB_KAFKA_PASSWORD"] == {"name": "ctihub.hub", "key": "password"}
    authority = next(volume["secret"] for volume in worker["volumes"] if volume["name"] == "kafka-ca")
    assert authority["secretName"] == "ctihub-cluster-ca-cert"


def test_an_unknown_option_would_be_found_before_the_hub_warns() -> None:
    values = yaml.safe_load(Path(CHART / "values.yaml").read_text("utf-8"))
    assert {name.lower() for name in values["options"]} <= Config.model_fields.keys()
