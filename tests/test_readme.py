"""The README and the manual: commands compose, snippets run, the architecture is the tree, CI runs the test line."""

import importlib.util
import os
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

import train

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\{code-cell\} python|\w*)\n(.*?)^```", re.M | re.S)
BLOCKS = FENCE.findall(README)
MANUAL = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "docs").rglob("*.md")
    if "_build" not in path.relative_to(ROOT).parts
)
PAGES = ["README.md", *MANUAL]


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def command_lines(page):
    """Shell lines of a page: blocks of bash, the commands of measured tables, code inside sentences."""
    text = text_of(page)
    lines = [line for kind, body in FENCE.findall(text) if kind == "bash" for line in body.splitlines()]
    lines += re.findall(r"^command: (.+)$", text, re.M)
    lines += re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    return [part.strip() for line in lines for part in line.split("#")[0].split("&&") if part.strip()]


def arguments(command):
    """What a command gives to lmi: behind train.py or lmi, or alone in the tables of experiments."""
    words = command.split()
    if words[0].startswith("experiment=") and "." not in words[0]:
        return shlex.split(command)
    starts = [
        i for i, word in enumerate(words) if word.endswith("train.py") or (i == 0 and word == "lmi" and words[1:])
    ]
    return train.in_full(shlex.split(command)[starts[0] + 1 :]) if starts else None


# docs/extending.md is about a package that tests/test_installed.py installs.
COMMANDS = sorted({command for page in PAGES if page != "docs/extending.md" for command in command_lines(page)})


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if "--help" not in command and arguments(command) is not None]
)
def test_every_command_composes(command):
    words = arguments(command)
    # Sweeps give several values to a key; the first of each is one trial.
    overrides = [re.sub(r"=([^\[{,]+),.*$", r"=\1", word) for word in words if "=" in word and not word.startswith("-")]
    if any("<" in word for word in words):
        pytest.skip("holds a placeholder")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        compose("config", overrides)


@pytest.mark.parametrize("command", [command for command in COMMANDS if re.match(r"(\S*/)?python -m \w", command)])
def test_every_module_that_is_run_is_there(command):
    module = shlex.split(command)[2]
    assert importlib.util.find_spec(module) is not None


@pytest.mark.parametrize("command", [command for command in COMMANDS if "pip install -e" in command])
def test_every_extra_is_there(command):
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.findall(r'"\.\[([\w,]+)\]"', command)
    assert {name for group in named for name in group.split(",")} <= {*extras}


def snippets(page):
    return [body for kind, body in FENCE.findall(text_of(page)) if kind == "python" or kind.startswith("{code-cell}")]


# The README's own is run by the test of its output, notebooks by tests/docs/test_manual.py, inputs.md by tests/test_inputs.py.
RUN = [page for page in MANUAL if snippets(page) and "notebooks" not in Path(page).parts and page != "docs/inputs.md"]


@pytest.mark.parametrize("page", RUN)
def test_every_snippet_runs(page, tmp_path, monkeypatch):
    """The snippets of a page, one after the other, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "snippets"}
    for body in snippets(page):
        exec(compile(body, page, "exec"), namespace)


@pytest.mark.parametrize("page", PAGES)
def test_every_yaml_block_is_yaml(page):
    for kind, body in FENCE.findall(text_of(page)):
        if kind in ("yaml", "yml"):
            assert yaml.safe_load(body) is not None


def test_the_output_shown_is_what_the_code_prints(capsys):
    """Words letter for letter, numbers to 0.03."""
    index = next(i for i, (kind, _) in enumerate(BLOCKS) if kind == "python")
    exec(compile(BLOCKS[index][1], "README.md", "exec"), {})
    printed, shown = capsys.readouterr().out, BLOCKS[index + 1][1]
    number = r"\d+\.\d+"
    assert re.sub(number, "#", printed) == re.sub(number, "#", shown)
    assert [float(n) for n in re.findall(number, printed)] == pytest.approx(
        [float(n) for n in re.findall(number, shown)], abs=0.03
    )


def test_the_readme_is_short():
    assert len(README.encode()) <= 8 * 1024


def test_the_tree_is_the_one_described():
    tree = next(body for kind, body in BLOCKS if body.startswith("train.py "))
    named = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    top = {name.split("/")[0] for name in files if not name.startswith(".")} - {
        "CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md", "pyproject.toml", "docs",
    }  # fmt: skip
    inside = {name.split("/")[1].removesuffix("/") for name in files if name.startswith("lmi/")} - {
        "__init__.py",
        "py.typed",
    }
    assert top | inside == named


def test_ci_runs_the_test_line():
    line = next(line for _, body in BLOCKS for line in body.splitlines() if line.endswith("pytest"))
    pattern = re.search(r"grep -E '([^']+)'", (ROOT / ".ci" / "run").read_text()).group(1)
    assert [row for row in README.splitlines() if re.match(pattern, row)] == [line]


@pytest.mark.parametrize("page", PAGES)
def test_every_image_and_link_in_the_repository_is_there(page):
    for place in re.findall(
        r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub(r"^```.*?^```", "", text_of(page), flags=re.M | re.S)
    ):
        assert (ROOT / page).parent.joinpath(place).exists() or os.path.isabs(place), f"{page}: {place}"
