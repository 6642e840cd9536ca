"""What every section of `make bench` yields: results, each with what it was compared to and what it should be.

Rates are taken in turn, ours and the other's, several times; the median of the ratios counts, because this is fair on a
machine whose speed drifts.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.suite import Suite

ROUNDS = 3


@dataclass(frozen=True)
class Result:
    """One line of the table. `ratio` is ours / reference; `target` says which side of which number it should be on."""

    name: str
    ours: float
    reference: float
    ratio: float
    target: str
    holds: bool


@dataclass(frozen=True)
class Bench:
    """What a section measures: a running suite, alone on the machine, and a folder for what it needs besides."""

    suite: Suite
    folder: Path


Section = Callable[[Bench], Iterator[Result]]


def at_least(name: str, ours: float, reference: float, target: float, ratio: float | None = None) -> Result:
    """Higher is better: ours should be at least `target` times the reference."""
    measured = ours / reference if ratio is None else ratio
    return Result(name, round(ours, 1), round(reference, 1), round(measured, 2), f">= {target:g}", measured >= target)


def at_most(name: str, ours: float, limit: float, target: float = 1) -> Result:
    """Lower is better: ours should be at most `target` times the limit (or the reference)."""
    ratio = ours / limit
    return Result(name, round(ours, 2), round(limit, 2), round(ratio, 2), f"<= {target:g}", ratio <= target)


def in_turn(name: str, ours: Callable[[], float], theirs: Callable[[], float], target: float) -> Result:
    """Measure both alternately; medians of each, and of the ratio of each round."""
    return compared(name, [(ours(), theirs()) for _ in range(ROUNDS)], target)


def compared(name: str, pairs: Sequence[tuple[float, float]], target: float) -> Result:
    """Ours and theirs of each round; higher is better."""
    ratio = statistics.median(mine / other for mine, other in pairs)
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return at_least(name, mine, other, target, ratio)
