"""The block above a measured table: command, date, commit, machine, and whether the code has changed since."""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from lmi.experiments.benchmarks.tables import age, changes_since, read_table


class Measured(SphinxDirective):
    """A ``{measured}`` block; see ``lmi.experiments.benchmarks.tables``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """One paragraph."""
        table = read_table("\n".join(self.content), self.env.docname)
        changes = changes_since(table)
        words = nodes.paragraph(classes=["measured"])
        if table.command:
            words += [nodes.literal("", table.command), nodes.Text(" · ")]
        words += nodes.Text(f"{table.date}, commit {table.commit}, {table.machine} · ")
        words += nodes.strong("", age(changes)) if changes is None or changes else nodes.Text(age(changes))
        return [words]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
