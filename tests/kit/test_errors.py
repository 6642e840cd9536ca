"""The tree of problems is complete: every one has its own code, a title and a status, and a place in the picture."""

import importlib
import pkgutil
from collections.abc import Iterator

import nexus_kit
from nexus_kit import errors
from nexus_kit.errors import Conflict, NotFound, Problem, responses


def _problems() -> list[type[Problem]]:
    for module in pkgutil.iter_modules(nexus_kit.__path__):
        importlib.import_module(f"nexus_kit.{module.name}")
    return [each for each in _below(Problem) if each.__module__.startswith("nexus_kit.")]


def _below(kind: type[Problem]) -> Iterator[type[Problem]]:
    for each in kind.__subclasses__():
        yield each
        yield from _below(each)


def test_every_base_stands_in_the_picture_with_its_status() -> None:
    picture = errors.__doc__ or ""

    for base in Problem.__subclasses__():
        assert f"{base.__name__} {base.status}" in picture


def test_every_problem_of_the_kit_stands_in_the_picture_below_its_base() -> None:
    lines = (errors.__doc__ or "").splitlines()

    for problem in _problems():
        if problem.__base__ is not Problem:
            base = next(kind for kind in Problem.__subclasses__() if issubclass(problem, kind))
            line = next(line for line in lines if f"{base.__name__} {base.status}" in line)
            assert problem.__name__ in line or "…" in line, f"{problem.__name__} is missing below {base.__name__}"


def test_no_two_problems_share_a_code() -> None:
    codes = [problem.code() for problem in _problems()]

    assert len(set(codes)) == len(codes)


def test_every_problem_has_a_title_of_one_sentence() -> None:
    for problem in _problems():
        assert problem.__doc__, f"{problem.__name__} has no title"
        assert problem.title()
        assert not problem.title().endswith(".")


def test_a_class_name_becomes_its_code() -> None:
    class DatesUnavailable(Conflict):
        """Somebody else holds at least one of these nights."""

    assert DatesUnavailable.code() == "dates_unavailable"
    assert DatesUnavailable.title() == "Somebody else holds at least one of these nights"
    assert DatesUnavailable().status == 409


def test_responses_name_every_code_of_a_status() -> None:
    class Taken(Conflict):
        """It is taken."""

    documented = responses(NotFound, Conflict, Taken)

    assert set(documented) == {404, 409}
    assert documented[409]["description"] == "`conflict`: The state of things does not allow it; `taken`: It is taken"
