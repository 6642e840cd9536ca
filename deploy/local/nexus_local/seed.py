"""Makes the demo logins and listings, as far as they are missing: `python -m nexus_local.seed DATA`, or `nexus seed`.

The accounts come from auth's own seed; the listings go through the public API, as any host's would.
"""

import json
import os
import ssl
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx

from nexus_local.state import DataFolder
from nexus_local.suite import DEMO_NAMES, Suite
from nexus_local.topology import topology

LISTINGS: list[dict[str, Any]] = json.loads(files("nexus_local").joinpath("demo_listings.json").read_text())


def seed(folder: DataFolder) -> None:
    """Safe to run again: what is there is left alone. Raises for any answer that is not a success."""
    suite = Suite.in_folder(folder)
    _make_accounts(suite)
    trust = ssl.create_default_context(cafile=str(suite.ca_file))
    with httpx.Client(base_url=f"{suite.gateway_url}/api/v1", verify=trust, timeout=30, trust_env=False) as client:
        login = client.post("/auth/login", json=suite.demo_login("host")).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        _make_listings(client)
    folder.seeded.touch()


def _make_accounts(suite: Suite) -> None:
    auth = next(process for process in topology(suite, seed=False) if process.name == "auth")
    accounts = [
        {
            **suite.demo_login(person),
            "full_name": name,
            "roles": ["user", "admin"] if person == "admin" else ["user"],
        }
        for person, name in DEMO_NAMES.items()
    ]
    subprocess.run(
        [sys.executable, "-m", "nexus_auth.seed"],
        input="\n".join(map(json.dumps, accounts)),
        env={**os.environ, **auth.environment},
        check=True,
        text=True,
    )
    print(f"{len(accounts)} demo logins are there")


def _make_listings(client: httpx.Client) -> None:
    mine = client.get("/listings/mine", params={"limit": 100}).raise_for_status().json()["items"]
    there = {listing["title"]: listing for listing in mine}
    for wanted in LISTINGS:
        listing = there.get(wanted["title"]) or client.post("/listings", json=wanted).raise_for_status().json()
        if listing["status"] == "draft":
            client.post(f"/listings/{listing['id']}/publish").raise_for_status()
    print(f"{len(LISTINGS)} demo listings are there")


if __name__ == "__main__":
    seed(DataFolder(Path(sys.argv[1])))
