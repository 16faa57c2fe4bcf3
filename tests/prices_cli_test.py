"""The commands prices, price and reprice as a shell sees them."""

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.cli import main
from analytics.logs.rates import CLASSES

# gpt-4o in litellm's list: 2.5 in, 1.25 cached, 10 out per million tokens.
# 600 x 2.5 + 400 x 1.25 + 100 x 10 = 3000 millionths; the log says 3500, as without the cache.
LOG = (
    "request_id,task_category,model,input_tokens,cached_tokens,output_tokens,cost_usd\n"
    "a,law,gpt-4o,1000,400,100,0.0035\n"
    "b,law,gpt-4o,1000,400,100,0.0035\n"
    "c,law,ours,1000,0,100,\n"
)


class Shell:
    """Runs commands on a database of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.err = ""

    def text(self, *words: str, status: int = 0) -> str:
        """What a command prints."""
        assert main(words) == status
        printed = self._capsys.readouterr()
        self.err = printed.err
        return printed.out

    def json(self, *words: str, status: int = 0) -> Any:
        """The document that it prints."""
        return json.loads(self.text(*words, "--json", status=status))


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TIERTUNE_DB", str(tmp_path / "logs.duckdb"))
    return Shell(capsys)


@pytest.fixture
def loaded(shell: Shell, tmp_path: Path) -> Shell:
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    shell.text("load", "log.csv", "--dataset", "prod")
    return shell


def test_the_models_of_the_datasets_are_listed_unknown_ones_first(loaded: Shell) -> None:
    found = loaded.json("prices")
    assert found["price_list"].startswith("litellm 1.")
    ours, gpt = found["prices"]
    assert (ours["model"], ours["source"], ours["input_usd_per_1m"]) == ("ours", None, None)
    assert (ours["calls"], ours["input_tokens"], ours["output_tokens"]) == (1, 1000, 100)
    listed = [gpt[f"{kind}_usd_per_1m"] for kind in CLASSES]
    assert (gpt["source"], listed) == ("list", [2.5, 10, 1.25, 2.5, 2.5, 10])
    assert gpt["services"]["batch"]["input_usd_per_1m"] == 1.25
    text = loaded.text("prices")
    assert found["price_list"] in text
    assert "tiertune price ours --input X --output Y" in loaded.err


def test_models_are_priced_by_name_without_a_database(shell: Shell, tmp_path: Path) -> None:
    found = shell.json("prices", "gemini-2.5-pro", "nobody")["prices"]
    assert [entry["source"] for entry in found] == [None, "list"]
    assert found[1]["long_above_tokens"] == 200_000
    assert not (tmp_path / "logs.duckdb").exists()


def test_a_price_by_hand_is_kept_and_costs_follow_on_request(loaded: Shell) -> None:
    done = loaded.json("price", "ours", "--input", "1", "--output", "2", "--cache-read", "0.5")
    assert done["outdated"] == ["prod"]
    assert "tiertune reprice prod" in loaded.err
    (entry,) = done["prices"]
    assert (entry["source"], entry["by_hand"]) == ("hand", ["input", "output", "cache_read"])
    assert entry["set_at"].endswith("Z")
    assert "hand, 20" in loaded.text("prices")
    priced = loaded.json("reprice", "prod")
    assert [priced[name] for name in ("which", "changed", "priced", "logged", "unknown")] == [
        "missing", 1, 1, 2, 0,
    ]  # fmt: skip
    assert loaded.json("price", "ours", "--remove")["outdated"] == ["prod"]
    assert loaded.json("reprice", "prod")["unknown"] == 1


def test_logged_and_priced_costs_are_compared(loaded: Shell) -> None:
    models = {entry["model"]: entry for entry in loaded.json("reprice", "prod", "--all")["models"]}
    gpt = models["gpt-4o"]
    assert (gpt["logged_usd"], gpt["priced_usd"]) == (pytest.approx(0.007), pytest.approx(0.006))
    assert (gpt["ratio"], gpt["off_share"]) == (pytest.approx(7 / 6), 1)
    assert "cached tokens" in gpt["reason"]
    assert models["ours"]["compared_calls"] == 0
    text = loaded.text("reprice", "prod", "--all")
    assert "costs changed: 0. 2 are by price, 0 by the log, 1 unknown" in text
    assert "100.0%" in text
    assert loaded.json("reprice", "prod", "--missing")["changed"] == 2


def test_a_price_given_at_a_load_is_kept_too(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG, encoding="utf-8")
    shell.text("load", "log.csv", "--dataset", "prod", "--price", "ours=1,2")
    assert "No price is known" not in shell.err
    assert shell.json("prices", "ours")["prices"][0]["source"] == "hand"
    # The file alone, which is not stored, takes it over: 1000 x 1 + 100 x 2 = 1200 millionths.
    (row,) = [
        row for row in shell.json("tiers", "log.csv", "--by", "model")["rows"] if row["model"] == "ours"
    ]
    assert row["cost_usd"]["value"] == pytest.approx(0.0012)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("price", "ours"), "at least one price"),
        (("price", "ours", "--input", "1", "--remove"), "or --remove alone"),
        (("price", "ours", "--remove"), "No price of ours was set by hand. Set by hand: none."),
        (("price", "ours", "--input", "-1"), "no number from 0"),
        (("price", "ours", "--input", "inf"), "no finite number"),
        (("price", "ours", "--input", "2000000"), "from 0 to 1,000,000 USD"),
        (("price", " ", "--input", "1"), "1 to 200 characters"),
        (("reprice", "nobody"), "There is no dataset named nobody. Found: prod."),
        (("reprice", "prod", "--all", "--missing"), "not allowed with"),
    ],
)
def test_what_cannot_be_done_is_said(loaded: Shell, words: tuple[str, ...], said: str) -> None:
    found = loaded.json(*words, status=2)
    assert said in found["error"]["message"]


def test_half_a_price_is_kept_and_said_to_be_half(loaded: Shell) -> None:
    assert loaded.json("price", "ours", "--input", "1")["prices"][0]["source"] is None
    assert "Input and output must both have a price" in loaded.err


def test_a_hostile_name_reaches_the_terminal_without_control_characters(shell: Shell) -> None:
    shell.text("prices", "evil\x1b[31mname")
    assert "\x1b" not in shell.err
    assert "\x1b" not in shell.text("prices", "evil\x1b[31mname")
