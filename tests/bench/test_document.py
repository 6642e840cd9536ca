"""What `make bench` writes says plainly what holds and what does not."""

from tests.bench.__main__ import SECTIONS, document
from tests.bench.measure import at_least, at_most, compared


def test_the_document_says_plainly_what_does_not_hold() -> None:
    results = {
        "Searching": [at_least("signed-in cached search, requests/s", 4000, 1000, 3)],
        "Booking": [at_most("quote, one client, p50, ms", 16, 15)],
    }

    written = document(results)

    assert "\n1 of 2 targets are reached.\n- NO: quote, one client, p50, ms, 1.07 instead of <= 1\n" in written
    assert "| signed-in cached search, requests/s | 4 | >= 3 | 4,000 | 1,000 | yes |" in written
    assert "| quote, one client, p50, ms | 1.07 | <= 1 | 16 | 15 | NO |" in written


def test_every_section_says_how_it_measures() -> None:
    written = document({name: [] for name in SECTIONS})

    for name, section in SECTIONS.items():
        assert section.__doc__
        assert f"## {name}\n\n{section.__doc__.split()[0]}" in written


def test_a_comparison_counts_the_ratio_of_each_round_not_of_the_medians() -> None:
    rounds = [(100.0, 50.0), (300.0, 100.0), (80.0, 20.0)]

    result = compared("rate", rounds, 3)

    assert (result.ours, result.reference, result.ratio, result.holds) == (100, 50, 3, True)


def test_what_is_slightly_too_slow_does_not_hold_although_it_is_rounded_to_the_target() -> None:
    assert not at_least("rate", 2.999, 1, 3).holds
    assert not at_most("time", 15.001, 15).holds
