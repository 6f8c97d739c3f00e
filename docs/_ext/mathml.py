"""Formulas as MathML, which browsers draw by themselves: nothing is fetched when a page is read."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import latex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator


def _markup(latex: str, *, block: bool) -> str:
    return latex2mathml.tex2mathml(latex, as_block=block)


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """A formula inside a line."""
    self.body.append(_markup(node.astext(), block=False))
    raise nodes.SkipNode


def visit_displaymath(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on a line of its own, in a box that scrolls where it is too wide."""
    self.body.append(f'<div class="math-block">{_markup(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer that ``html_math_renderer`` names."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_displaymath, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
