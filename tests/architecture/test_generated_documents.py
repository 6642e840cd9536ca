"""Documents that repeat the code are made by `make docs`; here they are compared with what it would write now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_list_of_events_is_up_to_date(generate: ModuleType) -> None:
    assert generate.EVENTS.read_text() == generate.events_page()


def test_the_page_of_problems_lists_every_problem(generate: ModuleType) -> None:
    page = generate.PROBLEMS.read_text()

    assert page == generate.problems_page(page)
    assert all(f'id="{kind.code()}"' in page for kind in generate.all_problems())


def test_no_two_problems_share_a_code_but_differ_in_status(generate: ModuleType) -> None:
    statuses: dict[str, set[int]] = {}
    for kind in generate.all_problems():
        statuses.setdefault(kind.code(), set()).add(kind.status)

    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}
