"""docs/howto_network.md: its commands compose and its snippets run."""

import re
import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import train  # noqa: F401  (registers the resolver that the config uses)

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "howto_network.md").read_text(encoding="utf-8")


def test_commands_compose():
    lines = re.findall(r"python train\.py ([^`\n#]*)", PAGE)
    assert len(lines) >= 5
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        for line in lines:
            if "<" not in line:
                compose("config", shlex.split(line))


@pytest.mark.slow
def test_snippets_run():
    namespace = {}
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, flags=re.S):
        exec(compile(snippet, "howto_network.md", "exec"), namespace)
    assert (0, 2) not in set(zip(namespace["direct"].a.tolist(), namespace["direct"].b.tolist()))
    assert {(0, 1), (1, 2)} <= set(zip(namespace["stable"].a.tolist(), namespace["stable"].b.tolist()))
