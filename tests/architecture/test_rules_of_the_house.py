"""The rules of CONTRIBUTING.md that a linter does not know. Each failure names the file and says what to do."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEMBERS = ("contracts", "kit", "services", "deploy/local")
STORY = (
    "tests/e2e/test_guest_books_pays_and_host_is_emailed.py",
    "services/bookings/nexus_bookings/bookings/routes.py",
    "services/bookings/nexus_bookings/bookings/service.py",
    "services/bookings/nexus_bookings/bookings/models.py",
    "contracts/nexus_contracts/bookings.py",
    "services/worker/nexus_worker/reactions.py",
)


def tracked(*patterns: str) -> Iterator[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    yield from (ROOT / line for line in listing.stdout.splitlines() if (ROOT / line).exists())


def sources() -> Iterator[Path]:
    yield from (path for path in tracked(*(f"{member}/**.py" for member in MEMBERS)) if "migrations" not in path.parts)


def test_no_source_file_is_over_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in tracked("*.py", "*.js", "*.css", "*.html")
        if "vendor" not in path.parts and (count := len(path.read_text().splitlines())) > 400
    }

    assert long == {}, "split it by verb"


def test_no_function_is_over_60_lines() -> None:
    """About 40 is the rule; a signature with its docstring may take the rest."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno > 60
    ]

    assert long == []


def test_only_the_kits_unit_of_work_commits() -> None:
    commits = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ".commit(" in line
    ]

    assert commits == [], "one request is one transaction: kit/nexus_kit/db.py commits it"


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]

    assert silent == []


def test_no_mock_and_no_skipped_test() -> None:
    banned = re.compile(
        r"unittest\.mock|MagicMock|monkeypatch\.setattr|pytest\.(mark\.)?(skip|xfail)|# *type: *ignore *$"
    )
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("*.py")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if banned.search(line)
    ]

    assert found == [], "use the real thing, or a simulator that ships with the product"


def test_services_send_facts_through_the_outbox_alone() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources()
        if path.name == "service.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\bxadd\b|\.send\(|\.publish\(|Redis", line)
    ]

    assert found == []


def test_every_noun_has_the_same_four_names() -> None:
    nouns = {path.parent for path in sources() if path.name == "routes.py" and "services" in path.parts}
    four, earned = {"__init__", "routes", "schemas", "models", "service"}, {"queries", "provider"}

    odd = {
        str(noun.relative_to(ROOT)): extra
        for noun in nouns
        if len(extra := {path.stem for path in noun.glob("*.py")} - four) > 1 or not extra <= earned
    }

    assert odd == {}


def test_the_story_can_be_read_in_one_sitting() -> None:
    lengths = {name: len((ROOT / name).read_text().splitlines()) for name in STORY}

    assert lengths[STORY[0]] <= 60
    assert sum(lengths.values()) <= 900, lengths


def test_lock_files_hold_no_address() -> None:
    """Where packages come from is for each environment to say."""
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked("requirements.lock", "services/*/requirements.lock")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "://" in line or line.startswith("--")
    ]

    assert found == []
