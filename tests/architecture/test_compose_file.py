"""docker-compose.yml stays right even where no Docker runs: the specification's schema, and the rules of the house."""

import json
import re
import subprocess
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nexus_kit.settings import ServiceSettings
from sqlalchemy import make_url

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
ONE_SHOT = {name for name in CONTAINERS if name.startswith("migrate-")}
GATEWAY_VARIABLES = set(
    re.findall(r"\$\{(NEXUS_\w+)\}", "".join(path.read_text() for path in (ROOT / "gateway/templates").iterdir()))
)


def settings_of(service: str) -> dict[str, Any]:
    """Name of every setting as an environment variable, and its field."""
    settings: type[ServiceSettings] = import_module(f"nexus_{service}.settings").Settings
    return {f"NEXUS_{name.upper()}": field for name, field in settings.model_fields.items()}


def given_as_files(container: dict[str, Any]) -> dict[str, str]:
    """File under /run/secrets, and the secret that it shows."""
    entries = [{"source": each, "target": each} if isinstance(each, str) else each for each in container["secrets"]]
    return {entry["target"]: entry["source"] for entry in entries}


def test_the_file_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())

    errors = [
        f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(schema).iter_errors(COMPOSE)
    ]

    assert errors == []


def test_every_service_of_the_house_is_there_with_its_migrations() -> None:
    for service in SERVICES:
        assert CONTAINERS[service]["build"]["args"]["SERVICE"] == service
        assert CONTAINERS[f"migrate-{service}"]["build"] == CONTAINERS[service]["build"]
        assert CONTAINERS[service]["depends_on"][f"migrate-{service}"] == {
            "condition": "service_completed_successfully"
        }


def test_only_the_gateway_publishes_ports() -> None:
    assert [name for name, container in CONTAINERS.items() if "ports" in container] == ["gateway"]


def test_only_who_must_talk_to_the_outside_has_a_way_out() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    outside = {name for name, container in CONTAINERS.items() if set(container["networks"]) != {"inside"}}
    assert outside == {"gateway", "bookings", "worker"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_confined_restarted_and_cannot_fill_the_disk_with_logs(name: str) -> None:
    container = CONTAINERS[name]

    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["read_only"] is True
    assert container["restart"] in ({"on-failure:5"} if name in ONE_SHOT else {"unless-stopped"})
    assert container["logging"]["options"].keys() == {"max-size", "max-file"}
    assert not container.get("privileged")


@pytest.mark.parametrize("name", sorted(CONTAINERS.keys() - ONE_SHOT))
def test_a_container_that_stays_has_a_health_check(name: str) -> None:
    assert CONTAINERS[name]["healthcheck"]["test"]


def test_who_depends_on_another_waits_until_it_is_ready() -> None:
    for container in CONTAINERS.values():
        for other, how in container.get("depends_on", {}).items():
            assert how["condition"] == ("service_completed_successfully" if other in ONE_SHOT else "service_healthy")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_all_that_it_requires_and_nothing_unknown(service: str) -> None:
    container = CONTAINERS[service]
    settings = settings_of(service)

    told = container["environment"].keys() | {name.upper() for name in given_as_files(container)}

    assert told <= settings.keys()
    assert {name for name, field in settings.items() if field.is_required()} <= told


def test_the_gateway_is_told_exactly_the_variables_of_its_templates() -> None:
    from_the_image = {"NEXUS_NGINX_MAIN"}

    assert CONTAINERS["gateway"]["environment"].keys() | from_the_image == GATEWAY_VARIABLES


def test_no_secret_stands_in_the_file() -> None:
    secret_settings = {
        name
        for service in SERVICES
        for name, field in settings_of(service).items()
        if "SecretStr" in str(field.annotation)
    }
    for container in CONTAINERS.values():
        assert not container.get("environment", {}).keys() & secret_settings
        assert container.get("environment", {}).get("POSTGRES_PASSWORD") is None
    assert all(secret.keys() == {"file"} for secret in COMPOSE["secrets"].values())


def test_only_auth_holds_the_signing_key() -> None:
    holders = [name for name, container in CONTAINERS.items() if "signing_key" in str(container.get("secrets"))]

    assert holders == ["auth"]


def test_the_store_of_events_is_durable() -> None:
    command = CONTAINERS["valkey"]["command"][-1]

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "valkey:/data" in CONTAINERS["valkey"]["volumes"]


def test_the_script_makes_every_secret_once_and_they_fit_together(tmp_path: Path) -> None:
    def make() -> dict[str, str]:
        subprocess.run([ROOT / "deploy/docker/make-secrets.sh", tmp_path], check=True, capture_output=True)
        return {path.name: path.read_text() for path in tmp_path.iterdir()}

    tmp_path.chmod(0o755)  # as git leaves the folder in a fresh clone
    secrets = make()

    assert secrets.keys() == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    for service in SERVICES:
        url = make_url(secrets[f"{service}_database_url"])
        assert (url.username, url.database) == (f"nexus_{service}", f"nexus_{service}")
        assert url.password == secrets[f"{service}_database_password"].strip()
    assert make_url(secrets["events_url"]).password == secrets["valkey_password"].strip()
    assert len(secrets["internal_secret"]) >= 32
    key = load_pem_private_key(secrets["signing_key"].encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert make() == secrets
    assert tmp_path.stat().st_mode & 0o077 == 0
