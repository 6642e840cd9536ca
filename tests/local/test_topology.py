"""The table of processes is whole, keeps secrets where they belong, and agrees with the documented settings."""

import re
import stat
from dataclasses import asdict
from pathlib import Path

import pytest
from nexus_auth.settings import Settings as AuthSettings
from nexus_bookings.settings import Settings as BookingsSettings
from nexus_kit.settings import ServiceSettings
from nexus_listings.settings import Settings as ListingsSettings
from nexus_local import gateway, ports, secrets
from nexus_local.processes import Process
from nexus_local.state import DataFolder
from nexus_local.suite import REPOSITORY, SERVICES, Suite
from nexus_local.topology import topology
from nexus_worker.settings import Settings as WorkerSettings
from pydantic.fields import FieldInfo

SETTINGS: dict[str, type[ServiceSettings]] = {
    "auth": AuthSettings,
    "listings": ListingsSettings,
    "bookings": BookingsSettings,
    "worker": WorkerSettings,
}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = DataFolder(tmp_path)
    folder.create()
    return Suite(folder, ports.with_offset(1000), secrets.load_or_make(folder.secrets))


@pytest.fixture
def table(suite: Suite) -> dict[str, Process]:
    return {process.name: process for process in topology(suite, seed=True)}


def test_everything_that_is_waited_for_exists_and_nothing_waits_for_itself(table: dict[str, Process]) -> None:
    started: set[str] = set()
    while len(started) < len(table):
        startable = {name for name, process in table.items() if set(process.after) <= started} - started
        assert startable, f"these wait for each other, or for nobody: {table.keys() - started}"
        started |= startable


def test_every_service_gets_every_setting_that_has_no_default(table: dict[str, Process]) -> None:
    for name, settings in SETTINGS.items():
        required = {f"NEXUS_{key.upper()}" for key, field in settings.model_fields.items() if field.is_required()}

        assert required <= table[name].environment.keys(), name


def test_nothing_is_set_that_nobody_reads(table: dict[str, Process]) -> None:
    for name, settings in SETTINGS.items():
        known = {f"NEXUS_{key.upper()}" for key in settings.model_fields}

        assert table[name].environment.keys() <= known, name


def test_only_auth_has_the_private_key_and_only_money_has_the_providers_secrets(table: dict[str, Process]) -> None:
    holders = {
        setting: {name for name, process in table.items() if setting in process.environment}
        for setting in ("NEXUS_SIGNING_KEY", "NEXUS_CHAPA_SECRET_KEY", "NEXUS_CHAPA_WEBHOOK_SECRET")
    }

    assert holders == {
        "NEXUS_SIGNING_KEY": {"auth"},
        "NEXUS_CHAPA_SECRET_KEY": {"bookings", "payments"},
        "NEXUS_CHAPA_WEBHOOK_SECRET": {"bookings", "payments"},
    }


def test_each_service_has_a_database_and_a_role_of_its_own(table: dict[str, Process]) -> None:
    urls = {table[name].environment["NEXUS_DATABASE_URL"] for name in SERVICES}

    assert len(urls) == len(SERVICES)


def test_no_secret_is_on_a_command_line(suite: Suite, table: dict[str, Process]) -> None:
    commands = " ".join(argument for process in table.values() for argument in process.command)

    assert [name for name, secret in asdict(suite.secrets).items() if secret in commands] == []


def test_the_stores_configuration_is_for_its_owner_alone(suite: Suite, table: dict[str, Process]) -> None:
    configuration = Path(table["valkey"].command[-1])

    assert suite.secrets.valkey_password in configuration.read_text()
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600


def test_env_example_names_every_setting_and_no_other_and_holds_no_secret() -> None:
    documented = re.findall(r"^#?(NEXUS_[A-Z_]+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE)
    fields = {
        f"NEXUS_{key.upper()}": field for settings in SETTINGS.values() for key, field in settings.model_fields.items()
    }

    assert dict(documented).keys() == fields.keys() | gateway.TUNABLE.keys()
    for name, value in documented:
        default = gateway.TUNABLE.get(name) or fields[name].get_default() if not _required(name, fields) else ""
        assert value == str(default), name


def test_the_gateways_templates_are_filled_in_and_nginx_accepts_them(suite: Suite) -> None:
    gateway.prepare(suite)

    rendered = "".join(file.read_text() for file in (suite.folder.root / "nginx").glob("*.conf"))
    assert re.findall(r"\$\{NEXUS_[A-Z_]+\}", rendered) == []
    assert f"server 127.0.0.1:{suite.ports['auth']}" in rendered


def test_a_variable_that_nobody_sets_is_an_error_and_not_an_empty_word() -> None:
    with pytest.raises(KeyError, match="NEXUS_NEW"):
        gateway.render("listen ${NEXUS_NEW};", {})


def test_one_switch_lifts_all_limits(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_RATE_LIMITS", "off")
    monkeypatch.setenv("NEXUS_RATE_BURST", "7")

    variables = gateway.variables(suite)

    assert int(variables["NEXUS_RATE_PER_SECOND"]) > 100_000
    assert variables["NEXUS_RATE_BURST"] == "7"


def _required(name: str, fields: dict[str, FieldInfo]) -> bool:
    field = fields.get(name)
    return field is not None and field.is_required()
