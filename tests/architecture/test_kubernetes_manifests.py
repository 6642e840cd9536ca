"""deploy/k8s keeps the rules of docker-compose.yml: every service, confined, probed, told what it needs, no secret."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from nexus_kit.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "k8s"
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    each for name in KUSTOMIZATION["resources"] for each in yaml.safe_load_all((FOLDER / name).read_text())
]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in OBJECTS if each["kind"] == kind}


DEPLOYMENTS, JOBS = of_kind("Deployment"), of_kind("Job")
SHARED = {literal.split("=")[0] for literal in KUSTOMIZATION["configMapGenerator"][0]["literals"]}


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def test_every_service_and_the_gateway_is_deployed_found_and_migrated() -> None:
    assert DEPLOYMENTS.keys() == of_kind("Service").keys() == {*SERVICES, "gateway"}
    assert JOBS.keys() == {f"migrate-{service}" for service in SERVICES}
    assert {image["name"] for image in KUSTOMIZATION["images"]} == {
        container["image"]
        for workload in [*DEPLOYMENTS.values(), *JOBS.values()]
        for container in pod_of(workload)["containers"]
    }


@pytest.mark.parametrize("workload", [*DEPLOYMENTS.values(), *JOBS.values()], ids=lambda each: each["metadata"]["name"])
def test_a_pod_is_confined_and_limited(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)

    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_a_deployment_is_probed_spread_and_drained(deployment: dict[str, Any]) -> None:
    pod = pod_of(deployment)
    container = pod["containers"][0]

    assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert pod["topologySpreadConstraints"]
    assert container["lifecycle"]["preStop"]
    paths = [container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "liveness", "readiness")]
    gateway = deployment["metadata"]["name"] == "gateway"
    assert paths == (["/healthz"] * 3 if gateway else ["/livez", "/livez", "/readyz"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_all_that_it_requires_and_nothing_unknown(service: str) -> None:
    settings: type[ServiceSettings] = import_module(f"nexus_{service}.settings").Settings
    pod = pod_of(DEPLOYMENTS[service])
    told = SHARED | {variable["name"] for variable in pod["containers"][0].get("env", [])}
    known = {f"NEXUS_{name.upper()}": field for name, field in settings.model_fields.items()}
    secret = {name for name, field in known.items() if "SecretStr" in str(field.annotation)}

    assert told <= known.keys()
    assert not told & secret, "secrets are files of the service's own Secret"
    assert {name for name, field in known.items() if field.is_required()} <= told | secret
    assert pod["volumes"][0] == {"name": "secrets", "secret": {"secretName": service}}
    row = next(line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith(f"| `{service}` |"))
    common = {"NEXUS_DATABASE_URL", "NEXUS_EVENTS_URL", "NEXUS_CACHE_URL", "NEXUS_INTERNAL_SECRET"}
    assert {name.upper() for name in re.findall(r"`(nexus_\w+)`", row)} == secret - common


def test_the_gateway_is_told_exactly_the_variables_of_its_templates() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "gateway/templates").iterdir())
    told = {variable["name"] for variable in pod_of(DEPLOYMENTS["gateway"])["containers"][0]["env"]}

    assert told | {"NEXUS_NGINX_MAIN"} == set(re.findall(r"\$\{(NEXUS_\w+)\}", texts))


def test_from_outside_there_is_one_way_in_and_it_ends_at_the_gateway() -> None:
    backends = re.findall(r"'service': {'name': '(\w+)'", str(of_kind("Ingress")))

    assert backends == ["gateway"]
    assert {service["spec"].get("type", "ClusterIP") for service in of_kind("Service").values()} == {"ClusterIP"}


def test_the_gateway_reaches_the_three_public_services_and_nothing_else_of_ours() -> None:
    policies = of_kind("NetworkPolicy")
    callers = {name: str(policy["spec"].get("ingress", "")) for name, policy in policies.items()}

    assert policies["nothing-by-default"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert {name for name, allowed in callers.items() if "'gateway'" in allowed} == {"auth", "listings", "bookings"}
    assert "worker" not in callers
    assert "worker" not in str(policies["gateway"]["spec"]["egress"])
