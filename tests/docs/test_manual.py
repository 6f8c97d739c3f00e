"""The manual builds without a warning; nothing public is left out of it; its questions are answered; it fetches nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sphinx.search.en import SearchEnglish

import lmi

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import config_groups  # noqa: E402
import metric_names  # noqa: E402
import public_names  # noqa: E402

NOTEBOOKS = sorted(path.stem for path in (DOCS / "notebooks").glob("*.md"))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The manual as pages; notebooks are not executed here (their cells run below)."""
    folder = tmp_path_factory.mktemp("manual")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-D", "nb_execution_mode=off", str(DOCS), str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_public_name_is_documented(built):
    page = (built / "reference" / "python.html").read_text(encoding="utf-8")
    missing = [name for name in lmi.__all__ if name != "__version__" and f'id="lmi.{name}"' not in page]
    assert missing == []


@pytest.mark.slow
def test_every_question_leads_to_an_answer(built):
    links = re.findall(r"\]\(([^)#]+)\.md(?:#([^)]+))?\)", (DOCS / "questions.md").read_text(encoding="utf-8"))
    assert len(links) >= 20
    for page, anchor in links:
        html = (built / f"{page}.html").read_text(encoding="utf-8")
        assert not anchor or f'id="{anchor}"' in html, f"{page}#{anchor}"


@pytest.mark.slow
def test_every_question_is_found_by_its_words(built):
    """The search lists a page that has all words of a question, and the page of questions has their answers as links."""
    text = (built / "searchindex.js").read_text(encoding="utf-8")
    index, language = json.loads(text[text.index("(") + 1 : text.rindex(")")]), SearchEnglish({})
    page = index["docnames"].index("questions")
    pages = {word: {*(held if isinstance(held, list) else [held])} for word, held in index["terms"].items()}
    questions = re.findall(r"^\d+\. (.*)$", (DOCS / "questions.md").read_text(encoding="utf-8"), re.M)
    assert len(questions) >= 20
    for question in questions:
        words = re.findall(r"[a-z]{3,}", re.sub(r"`|\]\([^)]*\)", " ", question).lower())
        missing = [
            word for word in words if language.word_filter(word) and page not in pages.get(language.stem(word), ())
        ]
        assert missing == [], question


@pytest.mark.slow
def test_nothing_is_fetched_from_elsewhere(built):
    for path in built.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "| ---" not in html, f"{path} has a table that is none"
        assert re.findall(r"<(?:script|img|iframe)[^>]+src=\"(?:https?:)?//[^\"]+", html) == [], path
        assert re.findall(r"<link[^>]+rel=\"stylesheet\"[^>]+href=\"(?:https?:)?//[^\"]+", html) == [], path


@pytest.mark.slow
def test_formulas_are_mathml(built):
    html = (built / "mutual_information.html").read_text(encoding="utf-8")
    assert "<math " in html and "MathJax" not in html and "cdn" not in html


def test_every_field_of_every_setting_is_described():
    missing = [
        f"{cls.__name__}.{row.name}"
        for group in config_groups.groups()
        for cls in config_groups.classes(group)
        for row in config_groups.rows(cls)
        if not row.meaning
    ]
    assert missing == []


def test_ranges_types_and_defaults_are_those_of_the_class():
    from lmi.latent.settings import EncoderSettings

    rows = {row.name: row for row in config_groups.rows(EncoderSettings)}
    assert (rows["train_share"].type, rows["train_share"].range) == ("number", "> 0 and < 1")
    assert rows["hidden"].type == "list of whole number" and rows["hidden"].default == "`(256, 128)`"
    assert rows["optimiser"].type == "`adamw` or `adam`"


def test_every_group_of_the_config_is_there():
    folders = {str(path.parent.relative_to(ROOT / "conf")) for path in (ROOT / "conf").rglob("*.yaml")} - {"."}
    assert {*config_groups.groups()} == folders


def test_names_documented_are_there():
    for names in public_names.GROUPS.values():
        for name in names:
            assert public_names.resolved(name) is not None


@pytest.mark.slow
def test_metrics_are_found_and_have_units():
    names = metric_names.all_names()
    assert {"estimate_seconds", "null_p_value", "oracle_nats", "verdict"} <= {*names["estimate"]}
    assert metric_names.unit("estimate_nats") == "nats" and metric_names.unit("verdict") == "words"
    unknown = {n for listed in names.values() for n in listed if metric_names.unit(n) == "no unit"} - {
        "{estimator}_{name}"
    }
    assert len(unknown) < 0.2 * len({n for listed in names.values() for n in listed}), unknown  # indices, ranks


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (DOCS / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    namespace = {"__name__": "notebook"}
    for body in re.findall(r"^```\{code-cell\} python\n(.*?)^```", text, re.M | re.S):
        exec(compile(body, name, "exec"), namespace)
