"""What the values of nameless columns are taken for; every guess is marked, noted and can be overruled."""

import random

import pytest

from analytics.logs import intake
from analytics.logs.meaning.mapping import Answers


def proposed(store, folder, header, rows, **answers):
    path = folder / "log.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return intake.inspect(path, name="log.csv", answers=Answers(**answers), workdir=store.staging).proposal


def rows(count=60):
    chance = random.Random(1)  # noqa: S311 - a simulated log
    for i in range(count):
        yield [
            *(f"r{i}", f"{1 + i % 28:02d}.11.2026", f"{chance.random():.3f}"),
            *(["richtig", "pass", "fail"][1 + i % 2], "gpt-5-mini", f"{0.001 * chance.random():.6f}"),
        ]


def test_times_confidences_and_verdicts_are_guessed_with_a_note(store, tmp_path):
    found = proposed(store, tmp_path, "id,wann,sicher,urteil,model,cost", rows())
    columns = found.mapping.columns
    assert (columns["ts"], columns["confidence"], columns["correct"]) == (("wann",), ("sicher",), ("urteil",))
    marked = {guess.field: guess.certainty for guess in found.guesses}
    assert [marked[name] for name in ("ts", "confidence", "correct")] == ["check"] * 3
    assert sum("for its values alone" in note for note in found.notes) == 3


def test_small_amounts_are_no_confidence(store, tmp_path):
    # Costs of a tenth of a cent lie between 0 and 1 as well, but end far below it.
    found = proposed(store, tmp_path, "id,wann,sicher,urteil,model,betrag", rows(), map={"confidence": ()})
    assert "betrag" in found.unused
    found = proposed(
        store, tmp_path, "id,model,correct,betrag", [(f"r{i}", "m", 1, f"0.{i:03d}1") for i in range(60)]
    )
    assert "confidence" not in found.mapping.columns


@pytest.mark.parametrize("name", ["temperature", "similarity", "unit_price", "load_ratio"])
def test_names_of_other_shares_are_no_confidence(store, tmp_path, name):
    found = proposed(
        store, tmp_path, f"id,model,correct,{name}", [(f"r{i}", "m", 1, i / 60) for i in range(60)]
    )
    assert "confidence" not in found.mapping.columns


def test_of_two_columns_that_would_do_none_is_taken(store, tmp_path):
    table = [(f"r{i}", "m", 1, i / 59, 1 - i / 59) for i in range(60)]
    found = proposed(store, tmp_path, "id,model,correct,eins,zwei", table)
    assert "confidence" not in found.mapping.columns


def test_bare_zeros_and_ones_are_no_grade(store, tmp_path):
    table = [(f"r{i}", "m", 0.001, i % 2) for i in range(60)]
    found = proposed(store, tmp_path, "id,model,cost,flag", table)
    assert "correct" not in found.mapping.columns
