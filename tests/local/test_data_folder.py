"""What a suite keeps in its folder: its state, its secrets, and its certificates."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from nexus_local import secrets, tls
from nexus_local.state import AlreadyRunning, DataFolder, Identity, Record, State


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


def test_the_folder_is_for_its_owner_alone(folder: DataFolder) -> None:
    assert folder.root.stat().st_mode & 0o777 == 0o700
    assert folder.logs.stat().st_mode & 0o777 == 0o700


def test_the_state_is_read_as_it_was_written(folder: DataFolder) -> None:
    written = State("ready", 1000, Identity(7, 5.5, "/bin/x"), {"api": Record("ready", 3, Identity(8, 6.5, "/bin/y"))})

    folder.write_state(written)

    assert folder.read_state() == written


@pytest.mark.parametrize("remains", ["", '{"phase": "rea', "[]", '{"phase": "ready"}', "\0\0\0\0"])
def test_half_a_state_after_a_power_cut_counts_as_none(folder: DataFolder, remains: str) -> None:
    (folder.root / "state.json").write_text(remains)

    assert folder.read_state() == State()


def test_a_folder_has_one_supervisor(folder: DataFolder) -> None:
    with folder.held(), pytest.raises(AlreadyRunning), folder.held():
        pass

    with folder.held():
        pass


def test_secrets_are_made_once_and_read_by_their_owner_alone(folder: DataFolder) -> None:
    made = secrets.load_or_make(folder.secrets)

    assert secrets.load_or_make(folder.secrets) == made
    assert folder.secrets.stat().st_mode & 0o777 == 0o600


def test_two_suites_share_no_secret(tmp_path: Path) -> None:
    first, second = (json.loads(_made(tmp_path / name)) for name in ("first", "second"))

    assert not set(first.values()) & set(second.values())
    assert len(set(first.values())) == len(first)


def test_a_secret_that_is_new_since_the_last_start_is_made_and_the_others_are_kept(folder: DataFolder) -> None:
    before = secrets.load_or_make(folder.secrets)
    stored = json.loads(folder.secrets.read_text())
    del stored["chapa_webhook_secret"]
    folder.secrets.write_text(json.dumps(stored))

    after = secrets.load_or_make(folder.secrets)

    assert after.chapa_webhook_secret != before.chapa_webhook_secret
    assert after.signing_key == before.signing_key


def test_secrets_do_not_show_in_a_traceback(folder: DataFolder) -> None:
    assert repr(secrets.load_or_make(folder.secrets)) == "Secrets()"


def test_the_certificate_is_good_for_every_local_name(folder: DataFolder) -> None:
    tls.ensure(folder.tls)

    server = x509.load_pem_x509_certificate((folder.tls / "server.pem").read_bytes())
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert server.not_valid_after_utc - datetime.now(UTC) < timedelta(days=398)
    ssl.create_default_context(cafile=folder.tls / "ca.pem")


def test_the_certificate_is_kept_until_it_nears_its_end_and_then_renewed_by_the_same_authority(
    folder: DataFolder,
) -> None:
    tls.ensure(folder.tls)
    kept = {file.name: file.read_bytes() for file in folder.tls.iterdir()}
    tls.ensure(folder.tls)
    assert {file.name: file.read_bytes() for file in folder.tls.iterdir()} == kept

    authority = trustme.CA.from_pem(kept["ca.pem"], kept["ca-key.pem"])
    old = authority.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=29))
    (folder.tls / "server.pem").write_bytes(old.cert_chain_pems[0].bytes())
    tls.ensure(folder.tls)

    renewed = x509.load_pem_x509_certificate((folder.tls / "server.pem").read_bytes())
    assert renewed.not_valid_after_utc - datetime.now(UTC) > timedelta(days=300)
    assert (folder.tls / "ca.pem").read_bytes() == kept["ca.pem"]
    renewed.verify_directly_issued_by(x509.load_pem_x509_certificate(kept["ca.pem"]))


def _made(root: Path) -> str:
    folder = DataFolder(root)
    folder.create()
    secrets.load_or_make(folder.secrets)
    return folder.secrets.read_text()
