"""Record what a broad list of calls returns, to full precision, and compare a later tree with it.

    python tests/same_numbers.py record before.json
    python tests/same_numbers.py compare before.json --only estimate/auto --words

Only public names and configured commands are called, so the same file runs on trees whose modules lie elsewhere.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parents[1]))
import lmi
import train  # noqa: F401  (registers the resolvers that the config uses)
from lmi.settings import build

CONF = str(Path(__file__).parents[1] / "conf")
UNSTABLE = ("seconds", "second", "memory", "gib", "mib", "gb", "times_", "flop", "samples_per", "rows_per", "pairs_per")
EXPERIMENTS = {  # those whose metrics are numbers of data; timings alone are left out
    "covariance": [],
    "probe": [],
    "probe_planted": [],
    "probe_activations": [],
    "modules": ["experiment.num_samples=[400]", "experiment.bins=[8]", "experiment.repeats=1"],
    "modules_mlp": [],
    "modules_gpt2": [],
    "pairwise": ["experiment.draws=4", "experiment.atlas=false"],
    "latent_gaussian": ["estimator.max_epochs=2"],
    "latent_nonlinear": ["estimator.max_epochs=2"],
    "digits_halves": ["estimator.max_epochs=2"],
    "accuracy": ["experiment.suite=mixtures", "experiment.every=0", "experiment.estimators=[ksg,gaussian]"],
}
ESTIMATORS: dict[str, dict[str, Any]] = {
    "auto": {},
    "ksg": {},
    "gaussian": {},
    "quantized": {},
    "latent": {"max_epochs": 3},
    "latent_bounds": {"max_epochs": 3},
    "mine": {"max_epochs": 3},
    "nwj": {"max_epochs": 3},
    "infonce": {"max_epochs": 3},
    "smile": {"max_epochs": 3},
}


def source(name: str, n: int, seed: int, **settings: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of the configured source ``name``."""
    with initialize_config_dir(CONF, version_base="1.3"):
        config: Any = OmegaConf.to_container(compose(f"source/{name}"), resolve=True)
    pairs = build({**config["source"], **settings}, "source").sample(n, torch.Generator().manual_seed(seed))
    return pairs.x, pairs.y


def cases(seed: int) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Named samples of the kinds that estimators meet."""
    g = torch.Generator().manual_seed(100 + seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    z = normal(400, 1)
    yield "line", z, z + normal(400, 1)
    z = normal(600, 3)
    yield "three", z, z + normal(600, 3)
    yield "exp", z.exp(), (z + normal(600, 3)) ** 3
    yield "mixture", *source("normal_mixture", 1500, seed)
    yield "student", *source("student", 800, seed)
    yield "linear40", *source("low_rank_gaussian", 700, seed, x_dim=40, y_dim=40)
    yield "nonlinear12", *(z[:, :12] for z in source("low_rank_nonlinear", 500, seed))
    yield "independent", *source("independent", 300, seed, x_dim=5, y_dim=5)
    z = normal(500, 1)
    yield "rounded", (2 * z).round(), z + 0.5 * normal(500, 1)
    yield "counts", z.exp().round(), (z + 0.3 * normal(500, 1)).exp().round()
    yield "relu", normal(500, 6).relu(), normal(500, 6).relu()
    z = normal(4200, 2)
    yield "ring", z / z.norm(dim=1, keepdim=True) + 0.1 * normal(4200, 2), z.abs() + 0.3 * normal(4200, 2)
    z = normal(900, 8)
    yield "product", z, z[:, :1] * z[:, 1:2] + 0.3 * normal(900, 1)


def numbers_of(estimate: Any) -> dict[str, Any]:
    """Everything of an estimate that is a number, and its words apart."""
    record = {
        "nats": estimate.nats,
        "interval": estimate.interval,
        "ceiling": estimate.ceiling,
        "level": estimate.verdict.level,
        "num_samples": estimate.num_samples,
        "details": estimate.details,
        "null": None if estimate.null is None else [estimate.null.mean, estimate.null.observed],
        "pointwise": None if estimate.pointwise is None else float(estimate.pointwise.nansum()),
    }
    return {**record, "words": [*estimate.verdict.reasons, *estimate.warnings, estimate.choice]}


def calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names and what to call."""
    for seed in (0, 1):
        for case, x, y in cases(seed):
            for name, settings in ESTIMATORS.items():
                if (name in ("auto", "ksg", "gaussian") or seed == 0) and (case != "ring" or name == "auto"):
                    yield (
                        f"estimate/{name}/{case}/{seed}",
                        lambda x=x, y=y, n=name, s=settings: numbers_of(lmi.estimate(x, y, n, seed=3, **s)),
                    )
            label = (y[:, 0] > y[:, 0].median()).long()
            for name in ("auto", "ksg"):
                if case in ("line", "three", "linear40"):
                    yield (
                        f"label/{name}/{case}/{seed}",
                        lambda x=x, t=label, n=name: numbers_of(lmi.estimate(x, t, n, y_is_label=True)),
                    )
                if case in ("line", "three", "counts") and seed == 0:
                    yield (
                        f"given/{name}/{case}/{seed}",
                        lambda x=x, y=y, n=name: numbers_of(lmi.estimate(x, y, n, given=x + y)),
                    )
    yield from pairwise_calls()
    yield from module_calls()
    for name, overrides in EXPERIMENTS.items():
        yield f"experiment/{name}", lambda n=name, o=overrides: experiment(n, o)


def pairwise_calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    g = torch.Generator().manual_seed(7)
    for n in (17, 103, 1024, 2500):
        h = torch.randn(n, 12, generator=g, dtype=torch.float64)
        h[:, 1] = h[:, 0] + 0.3 * h[:, 1]
        h[:, 2] = (3 * h[:, 2]).round()
        h[:, 3] = h[:, 3].relu()
        for name in ("ksg", "histogram", "gaussian"):
            yield f"pairwise/{name}/{n}", lambda h=h, e=name: lmi.pairwise_mi(h, estimator=e)
        documents = torch.arange(n) // 10
        yield f"pairwise/nonlinearity/{n}", lambda h=h: lmi.nonlinearity(h)
        yield f"pairwise/effective/{n}", lambda h=h, d=documents: lmi.effective_samples(h, d)
        if 17 < n < 2000:
            yield f"pairwise/significance/{n}", lambda h=h, d=documents: significance(h, d)
        yield f"pairwise/histogram_mi/{n}", lambda h=h: lmi.histogram_mi(h[:, 0], h[:, 1])
    yield "pairwise/g_test", lambda: lmi.g_test(torch.tensor([0.01, 0.1]), 100, 49)
    yield "pairwise/bh", lambda: lmi.benjamini_hochberg(torch.rand(50, generator=g, dtype=torch.float64) ** 3)


def significance(h: torch.Tensor, documents: torch.Tensor) -> Any:
    """The p- and q-values of all pairs by KSG, as the experiment finds them."""
    measure = importlib.import_module("lmi.estimators.pairwise.matrix").pairwise_measure
    generator = torch.Generator().manual_seed(1)
    return vars_of(lmi.pairwise_significance(lmi.pairwise_mi(h), h, measure("ksg"), documents, generator, draws=4))


def module_calls() -> Iterator[tuple[str, Callable[[], Any]]]:
    g = torch.Generator().manual_seed(8)
    w = torch.randn(6, 15, generator=g, dtype=torch.float64)
    x = torch.randn(300, 15, generator=g, dtype=torch.float64)
    blocks = torch.tensor([0, 0, 0, 1, 1, 1])
    yield "modules/gaussian", lambda: vars_of(lmi.gaussian_mi(w @ w.T, blocks))
    yield "modules/jacobian", lambda: vars_of(lmi.jacobian_mi(lambda z: torch.tanh(z @ w.T), x, blocks))
    yield (
        "modules/quantized",
        lambda: vars_of(lmi.quantized_mi(x @ w.T, blocks, 6, generator=torch.Generator().manual_seed(2))),
    )
    m = lmi.pairwise_mi(x @ w.T)
    yield "modules/find", lambda: vars_of(lmi.find_modules(m, 2))
    yield "modules/score", lambda: vars_of(lmi.modularity_score(x @ w.T, blocks, 50, torch.Generator().manual_seed(4)))


def vars_of(value: Any) -> Any:
    """The fields of a result object, or the value itself."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: vars_of(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "_asdict"):
        return {name: vars_of(item) for name, item in value._asdict().items()}
    return value


def experiment(name: str, overrides: list[str]) -> dict[str, Any]:
    """Metrics of a configured experiment, without times and sizes."""
    with initialize_config_dir(CONF, version_base="1.3"):
        config: Any = compose("config", [f"experiment={name}", "logger=none", "trainer=cpu", *overrides])
        config.name = name
        values = OmegaConf.to_container(config, resolve=False)
        resolved: Any = OmegaConf.to_container(config.experiment, resolve=True)
    assert values
    with tempfile.TemporaryDirectory() as folder:
        result = build(resolved, "experiment").run(lmi.Context(0, Path(folder)))
    return {key: v for key, v in result.metrics.items() if not any(word in key for word in UNSTABLE)}


def plain(value: Any) -> Any:
    """Numbers as floats, arrays as their shape with sums: small, and no less sensitive."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (torch.Tensor, np.ndarray)):
        array = np.asarray(value, dtype=float)
        weights = np.cos(np.arange(array.size)).reshape(array.shape)
        return {
            "shape": list(array.shape),
            "sum": plain(float(np.nansum(array))),
            "dot": plain(float(np.nansum(array * weights))),
        }
    if isinstance(value, (bool, str)) or value is None:
        return value
    number = float(value)
    return number if math.isfinite(number) else repr(number)


def differences(old: Any, new: Any, tolerance: float, place: str = "") -> Iterator[str]:
    """Places where two records differ by more than ``tolerance``, relative and absolute."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            if key not in old or key not in new:
                yield f"{place}/{key}: only {'before' if key in old else 'after'}"
            else:
                yield from differences(old[key], new[key], tolerance, f"{place}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, tolerance, f"{place}/{i}")
    elif isinstance(old, float) and isinstance(new, float):
        if abs(old - new) > tolerance * max(1.0, abs(old)):
            yield f"{place}: {old!r} -> {new!r}"
    elif old != new:
        yield f"{place}: {old!r} -> {new!r}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="names that start so")
    parser.add_argument("--tolerance", type=float, default=1e-9)
    parser.add_argument("--words", action="store_true", help="compare reasons and choices too")
    arguments = parser.parse_args()
    before = json.loads(arguments.file.read_text()) if arguments.action == "compare" else {}
    record, wrong, count = {}, 0, 0
    for name, call in calls():
        if not name.startswith(arguments.only):
            continue
        count += 1
        try:
            value = plain(call())
        except (ValueError, TypeError) as error:
            value = {"refused": type(error).__name__, "words": str(error)}
        record[name] = value
        if arguments.action == "compare":
            old, new = before[name], value
            if not arguments.words and isinstance(old, dict) and isinstance(new, dict):
                old, new = ({k: v for k, v in z.items() if k != "words"} for z in (old, new))
            lines = list(differences(old, json.loads(json.dumps(new)), arguments.tolerance))
            wrong += bool(lines)
            print("\n".join(f"{name}{line}" for line in lines), end="\n" if lines else "", flush=True)
    if arguments.action == "record":
        arguments.file.write_text(json.dumps(record, indent=1))
    print(f"{wrong} of {count} calls differ" if wrong else f"ok: {count} calls", flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
