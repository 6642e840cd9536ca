"""`nexus import listings`: a host's file becomes listings that guests book, whatever happens on the way."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from nexus_local.seed.listings import listings

from tests.actors import Actor
from tests.suite import NEXUS, Suite

CSV = """external_id,title,description,category,city,country,latitude,longitude,timezone,price,capacity,amenities
lake-1,Imported lake house,"Quiet, with a garden",house,Bahir Dar,ET,11.59,37.39,Africa/Addis_Ababa,450000,4,wifi|garden
hill-1,Imported hut,Small,castle,Gondar,ET,12.6,37.46,Africa/Addis_Ababa,250000,2,wifi
hill-2,Imported hut,Small,cabin,Gondar,ET,12.6,37.46,Africa/Addis_Ababa,nothing,2,wifi
"""


async def nexus_import(suite: Suite, file: Path, host: Actor, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as this host."""
    token = (await host.sign_in())["access_token"]
    command = [NEXUS, "import", "listings", file, "--data-dir", suite.data, "--token", token, *more]
    return await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=180)


async def test_a_file_becomes_listings_that_guests_book_and_bad_rows_are_named(
    suite: Suite, host: Actor, guest: Actor, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(CSV)

    rehearsed = await nexus_import(suite, file, host, "--dry-run")
    first = await nexus_import(suite, file, host)
    second = await nexus_import(suite, file, host)

    assert [run.returncode for run in (rehearsed, first, second)] == [1, 1, 1], first.stdout + first.stderr
    assert rehearsed.stderr + first.stderr + second.stderr == ""
    assert "would be 1 created" in rehearsed.stdout
    assert "1 created, 0 updated, 0 unchanged, 2 refused" in first.stdout
    assert "0 created, 0 updated, 1 unchanged, 2 refused" in second.stdout
    refused = [json.loads(line) for line in (tmp_path / "mine.csv.refused.ndjson").read_text().splitlines()]
    assert [(each["row"], each["errors"][0]["pointer"]) for each in refused] == [(3, "/category"), (4, "/price/amount")]
    (found,) = (await guest.get("/listings", q="imported lake"))["items"]
    stay = {"listing_id": found["id"], "check_in": "2027-03-01", "check_out": "2027-03-03", "guests": 2}
    assert (await guest.post("/quotes", stay))["total"]["amount"] >= 900000


async def test_a_file_that_is_none_says_why(suite: Suite, host: Actor, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("name,prise\nHouse,4\n")

    run = await nexus_import(suite, file, host)

    assert run.returncode == 2
    assert "unknown columns: name, prise" in run.stdout


@pytest.mark.parametrize("victim", ["listings", "postgres"])
async def test_an_import_outlives_what_dies_meanwhile(suite: Suite, host: Actor, tmp_path: Path, victim: str) -> None:
    file = tmp_path / "many.ndjson"
    file.write_text("".join(json.dumps(each) + "\n" for each in listings(4000, seed=7)))

    run = asyncio.create_task(nexus_import(suite, file, host))
    await asyncio.sleep(2.5)
    restarts = await asyncio.to_thread(suite.kill, victim)
    finished = await run
    await asyncio.to_thread(suite.await_recovery, victim, restarts)
    again = await nexus_import(suite, file, host)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "(4,000 rows" in finished.stdout
    assert "0 created, 0 updated, 4,000 unchanged, 0 refused" in again.stdout
