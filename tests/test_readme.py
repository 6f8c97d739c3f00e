"""The README: its commands compose, its snippets run, its architecture is the tree, CI runs its test line."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import train  # noqa: F401  (registers the resolver that the config uses)

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.S)


def commands():
    text = (
        "\n".join(body for kind, body in BLOCKS if kind == "bash")
        + "\n"
        + "\n".join(re.findall(r"`([^`\n]+)`", README))
    )
    for line in text.splitlines():
        for part in line.split("#")[0].split("&&"):
            words = part.split()
            if any(word.endswith("train.py") for word in words) and "--help" not in words:
                yield part.strip()


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_every_command_composes(command):
    words = shlex.split(command)
    words = words[next(i for i, word in enumerate(words) if word.endswith("train.py")) + 1 :]
    # Sweeps give several values to a key; the first of each is one trial.
    overrides = [re.sub(r"=([^\[{,]+),.*$", r"=\1", word) for word in words if "=" in word and not word.startswith("-")]
    if any("<" in word for word in words):
        pytest.skip("holds a placeholder")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        compose("config", overrides)


@pytest.mark.parametrize("snippet", [body for kind, body in BLOCKS if kind == "python"])
def test_every_snippet_runs(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for kind, body in BLOCKS:
        if kind == "python" and body == snippet:
            exec(compile(body, "README.md", "exec"), namespace)
    assert namespace


def test_the_tree_is_the_one_described():
    tree = next(body for kind, body in BLOCKS if body.startswith("train.py "))
    named = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    top = {name.split("/")[0] for name in files if not name.startswith(".")} - {
        "LICENSE", "README.md", "pyproject.toml", "docs",
    }  # fmt: skip
    inside = {name.split("/")[1].removesuffix("/") for name in files if name.startswith("lmi/")} - {
        "__init__.py",
        "py.typed",
    }
    assert top | inside == named


def test_ci_runs_the_test_line():
    line = next(line for _, body in BLOCKS for line in body.splitlines() if line.endswith("pytest"))
    pattern = re.search(r"grep -E '([^']+)'", (ROOT / ".ci" / "run").read_text()).group(1)
    assert [found for found in README.splitlines() if re.match(pattern, found)] == [line]


def test_every_image_is_there():
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / image).is_file(), image
