"""``python -m tests.validators``: exported configs, merged into whole ones, before a router's own validator.

vLLM Semantic Router's command line is installed into a venv of its own under ``build/``.
"""

import argparse
import copy
import random
import subprocess
import sys
import venv
from pathlib import Path

import yaml

from analytics.export.merge import merged
from analytics.export.targets import exported
from analytics.policy import CategoryPolicy, Default, Score, ThresholdPolicy
from tests.soak import figures
from tests.soak.figures import Figure

HOME = Path(__file__).parents[1] / "build" / "validators"
PACKAGE = "vllm-sr==0.4.0"
MODELS = ("fast", "big")
NAMES = ("law", 'math "odd"', "a: b # c", "- list", "{x}", "Ünïcode 数学", "true", "null", "1.5", "<b>x</b>")
POLICIES = 40
SEED = 20261128


def main() -> int:
    """Validate; 1 where a config is refused, or a wrong one is taken."""
    parser = argparse.ArgumentParser(prog="python -m tests.validators", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"update {figures.PAGE.name} as well")
    options = parser.parse_args()
    command, base = _installed()
    chance = random.Random(SEED)  # noqa: S311 - drawn policies
    taken = sum(_valid(command, _merged(base, _policy(chance))) for _ in range(POLICIES))
    wrong = yaml.safe_load(_merged(base, _policy(chance)))
    wrong["routing"]["decisions"][0]["modelRefs"] = [{"model": "nobody"}]
    refused = not _valid(command, yaml.safe_dump(wrong))
    found = [
        Figure(
            f"{PACKAGE}: exports merged into its own template that its validator takes",
            "all, and not one with an unknown model",
            f"{taken} of {POLICIES}; the wrong one is {'refused' if refused else 'taken'}",
            met=taken == POLICIES and refused,
        )
    ]
    for figure in found:
        print(f"{figure.what}: {figure.measured}")
    if options.write:
        figures.write("validators", found)
    return 0 if all(figure.met for figure in found) else 1


def _installed() -> tuple[Path, str]:
    """The validator, and a config of two models made by its own ``init``."""
    command = HOME / "venv" / "bin" / "vllm-sr"
    if not command.exists():
        venv.create(HOME / "venv", with_pip=True)
        pip = [HOME / "venv" / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]
        subprocess.run(pip, check=True)
    template = HOME / "template.yaml"
    init = [command, "config", "init", "--force", "--output", template]
    subprocess.run(init, check=True, capture_output=True)
    config = yaml.safe_load(template.read_text(encoding="utf-8"))
    (model,) = config["providers"]["models"]
    config["providers"]["defaults"]["model"] = MODELS[0]
    config["providers"]["models"] = [copy.deepcopy(model) | {"name": name} for name in MODELS]
    config["routing"]["modelCards"] = [{"name": name} for name in MODELS]
    for decision in config["routing"]["decisions"]:
        for ref in decision["modelRefs"]:
            ref["model"] = MODELS[0]
    return command, yaml.safe_dump(config, sort_keys=False)


def _policy(chance: random.Random) -> ThresholdPolicy:
    """Any policy of a few categories with hostile names; a threshold of 0 is refused by the export itself."""
    categories = {}
    for name in chance.sample(NAMES, chance.randint(1, len(NAMES))):
        route = chance.choice(["cascade", "cascade", "fast_only", "strong_only"])
        categories[name] = CategoryPolicy(
            route=route,
            threshold=chance.uniform(0.01, 1.0) if route == "cascade" else None,
            fast_model=MODELS[0],
            strong_model=MODELS[1],
            verdict="estimated",
        )
    return ThresholdPolicy(
        policy_kind="cascade",
        default=Default(route="strong_only"),
        categories=categories,
        confidence=Score(kind="logprob", source="avg_logprob"),
    )


def _merged(base: str, policy: ThresholdPolicy) -> str:
    return merged(base, "vllm-sr", exported(policy, "vllm-sr")).text


def _valid(command: Path, text: str) -> bool:
    path = HOME / "merged.yaml"
    path.write_text(text, encoding="utf-8")
    run = subprocess.run(
        [command, "config", "validate", "--config", path], check=False, capture_output=True, text=True
    )
    if run.returncode:
        print((run.stdout + run.stderr).strip()[-400:], file=sys.stderr)
    return run.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
