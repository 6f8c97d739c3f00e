"""The wheel in a fresh environment: nothing but ``lmi`` in it, and the command runs in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

import lmi
from lmi.results import Result

ROOT = Path(__file__).parents[1]
pytest.importorskip("build")


def run(*words, cwd, **variables):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run([str(word) for word in words], cwd=cwd, env=kept | variables, capture_output=True, text=True)


def call(*words, cwd, **variables):
    done = run(*words, cwd=cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    place = tmp_path_factory.mktemp("wheel")
    for name in call("git", "ls-files", cwd=ROOT).splitlines():
        if not name.startswith(("tests/", "docs/")):
            (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / "source" / name, follow_symlinks=False)
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", place, cwd=place / "source")
    return next(place.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The ``bin`` of an environment that has the wheel, and what it needs from the environment of these tests."""
    place = tmp_path_factory.mktemp("installed")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    install(python, wheel)
    site = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip())
    (site / "needed.pth").write_text(
        sysconfig.get_path("purelib")
    )  # its own .pth files, and so an editable lmi, stay out
    return python.parent


def install(python, *what):
    call(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        *what,
        cwd=ROOT,
    )


@pytest.mark.slow
def test_the_wheel_holds_one_package_with_its_configs(wheel):
    with zipfile.ZipFile(wheel) as held:
        names = held.namelist()
    assert {name.split("/")[0] for name in names} == {"lmi", f"lmi-{lmi.__version__}.dist-info"}
    tracked = call("git", "ls-files", "conf", "experiments", cwd=ROOT).splitlines()
    assert {f"lmi/{name}" for name in tracked} <= {*names} and "lmi/train.py" in names
    data = call("git", "ls-files", "lmi", cwd=ROOT).splitlines()
    assert {name for name in data if name.endswith((".txt", ".json", ".safetensors", ".html", ".cu"))} <= {*names}


def test_the_version_stands_in_one_place():
    places = call("git", "grep", "-lF", f'"{lmi.__version__}"', "--", "*.py", "*.toml", cwd=ROOT).split()
    assert places == ["lmi/__init__.py"]
    assert re.search(rf"^## {re.escape(lmi.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


@pytest.mark.slow
def test_the_command_runs_its_main_jobs_in_an_empty_folder(installed, tmp_path):
    assert call(installed / "lmi", "--version", cwd=tmp_path) == f"lmi {lmi.__version__}\n"
    where = (
        "import lmi, lmi.experiments; from importlib.util import find_spec;"
        "print(lmi.__file__, [find_spec(name) for name in ('experiments', 'train', 'conf')])"
    )
    printed = call(installed / "python", "-c", where, cwd=tmp_path)
    assert printed.startswith(str(installed.parent)) and printed.endswith("[None, None, None]\n")
    for name in ("x.npy", "y.npy"):
        np.save(tmp_path / name, np.random.default_rng(len(name)).normal(size=(300, 2)) ** (1 + 2 * (name == "y.npy")))
    words = [
        "experiment=arrays",
        "source.x=x.npy",
        "source.y=y.npy",
        "estimator=gaussian",
        "progress=false",
        "logger=none",
    ]
    assert "X and Y share" in call(
        installed / "lmi", "estimate", "x.npy", "y.npy", *words[3:], "hydra.run.dir=one", cwd=tmp_path
    )
    # A sweep starts the command again for each of its trials.
    assert "1 done of 1 trials" in call(installed / "lmi", "-m", *words, "seed=3", cwd=tmp_path)
    folder = next(tmp_path.glob("multirun/arrays/*/*/result.json")).parent
    assert Result.load(folder).facts["command"].startswith("lmi ")
    assert {path.name for path in tmp_path.iterdir()} == {"multirun", "one", "x.npy", "y.npy"}


@pytest.fixture
def plug_in(tmp_path):
    """The package of docs/extending.md, as it stands there."""
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```(toml|python|yaml)\n(.*?)^```", page, re.M | re.S))
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(blocks["toml"])
    (folder / "lmi_range.py").write_text(blocks["python"])
    (tmp_path / "my_conf" / "experiment").mkdir(parents=True)
    (tmp_path / "my_conf" / "experiment" / "mine.yaml").write_text(blocks["yaml"])
    (tmp_path / "my_package.py").write_text(
        "from dataclasses import dataclass\nimport lmi\nfrom lmi.types import Source\n\n\n"
        "@dataclass(frozen=True)\nclass Mine:\n"
        "    source: Source\n\n    def run(self, context):\n        return lmi.Result('mine', {'rows_count': 7})\n"
    )
    return folder


@pytest.mark.slow
def test_the_package_of_the_manual_is_found_by_name(installed, plug_in, tmp_path, starter_of):
    install(installed / "python", plug_in)
    code = (
        "import lmi, torch; x = torch.randn(200, 1); y = x + torch.randn(200, 1)\n"
        "print(lmi.estimate(x, y, 'spearman', shrink=0.5).estimator)\n"
        "try: lmi.estimate(x, x, 'sperman')\nexcept ValueError as error: print(error)"
    )
    said = call(installed / "python", "-c", code, cwd=tmp_path)
    assert said.startswith("spearman\n") and "did you mean 'spearman'?" in said
    quick = ["logger=none", "progress=false", "hydra.run.dir=run"]
    words = ["experiment=noise_levels", "estimator=spearman", "estimator.shrink=0.9", "experiment.levels=[0.2]"]
    starter = starter_of(tmp_path, installed / "python", "lmi.train", path=tmp_path)
    ((code, said),) = starter.run([*words, *quick], cwd=tmp_path)
    assert code == 0 and "noise" in said, said
    assert 0 < Result.load(tmp_path / "run").metrics["most_bits"] < 0.1
    wrong = ["experiment=latent_gaussian", "source=circle", "estimator=spearman"]
    own = ["--config-dir", "my_conf", "experiment=mine", "logger=none", "hydra.run.dir=mine"]
    ends = starter.run(
        ["--help"], [*wrong, "estimator.shrnk=1"], [*wrong, "source=circl"], [*wrong, "source.noise=loud"],
        [*own[:-1], "hydra.run.dir=refused"],
        [*own, "plugins=[my_package]"],
    )  # fmt: skip
    starter.stop()
    assert [code for code, _ in ends] == [0, 1, 1, 1, 1, 0], ends
    said = [words for _, words in ends]
    assert "spearman" in said[0]
    assert "did you mean 'shrink'?" in said[1]
    assert "no such choice; did you mean 'circle'?" in said[2]
    assert "got 'loud'" in said[3]
    assert "'my_package.Mine' is outside lmi" in said[4] and "plugins=[package]" in said[4]
    assert Result.load(tmp_path / "mine").metrics["rows_count"] == 7
