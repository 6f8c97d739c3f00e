"""The list of measured tables: blocks are complete, their code and commits are there, age is what git says."""

import subprocess
from pathlib import Path

import pytest

from lmi.experiments.benchmarks import __main__ as command
from lmi.experiments.benchmarks.tables import FENCE, ROOT, Table, age, changes_since, read_table, tables
from lmi.results import Result


def test_every_table_names_code_that_is_there():
    listed = tables()
    assert len(listed) >= 15
    for table in listed:
        for path in table.code:
            assert (ROOT / path).exists(), f"{table.page}: {table.name}: {path}"


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_table_is_old_once_its_code_has_changed(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b.py").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    table = Table("t", "", "2026-11-24", git(tmp_path, "rev-parse", "HEAD"), "here", ("a.py",))
    (tmp_path / "b.py").write_text("2")
    git(tmp_path, "commit", "-qam", "other code")
    assert age(changes_since(table, tmp_path)) == "as the code is"
    (tmp_path / "a.py").write_text("2")
    git(tmp_path, "commit", "-qam", "its code")
    assert age(changes_since(table, tmp_path)) == "older than its code: 1 commit since"
    assert changes_since(Table("t", "", "", "0" * 40, "", ("a.py",)), tmp_path) is None


def test_blocks_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="a measured block has name, command"):
        read_table("name: a\ndate: 2026-11-24", "page")
    (tmp_path / "docs").mkdir()
    block = "```{measured}\nname: a\ncommand: c\ndate: d\ncommit: 1e10\nmachine: m\ncode: x y\n```\n"
    (tmp_path / "docs" / "a.md").write_text(block)
    assert tables(tmp_path) == [Table("a", "c", "d", "1e10", "m", ("x", "y"), "docs/a.md")]
    (tmp_path / "docs" / "b.md").write_text(block)
    with pytest.raises(ValueError, match="two tables are called a"):
        tables(tmp_path)


def test_the_command_lists_and_names_the_nearest(capsys):
    command.main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(tables()) and any(line.startswith("reference ") for line in lines)
    with pytest.raises(SystemExit):
        command.main(["--run", "refrence"])
    assert "did you mean 'reference'?" in capsys.readouterr().err
    with pytest.raises(ValueError, match="no single command prints it"):
        command.measure(Table("t", "", "", "", "", ("a",)))


def test_a_table_is_measured_again(tmp_path, monkeypatch):
    """The numbers, as Markdown and as csv, and a block that the list reads."""

    def train(words, **_):
        if words[1] != "train.py":
            return ran(words, **_)
        folder = next(word for word in words if word.startswith("hydra.run.dir=")).partition("=")[2]
        Result("quick", tables={"bars": [{"what": "a", "bits": 0.25}]}).save(Path(folder))

    ran = subprocess.run
    monkeypatch.setattr(command.subprocess, "run", train)
    monkeypatch.setattr(command, "DATA", tmp_path)
    text = command.measure(Table("quick", "python train.py experiment=sklearn_speed", "", "", "", ("lmi",)))
    (block,) = FENCE.findall(text)
    assert read_table(block).name == "quick" and "| a | 0.25 |" in text
    assert (tmp_path / "quick-bars.csv").read_text() == "what,bits\na,0.25\n"
