"""A result as one HTML page that opens offline, and as the text table that ends a run."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from lmi.files import CONFIG_FILE, REPORT_FILE, inside
from lmi.results import Result, Scalar

SHORT = 40  # cells of a table that stands above the figures


def shown(value: Scalar) -> str:
    """A table cell as text: four significant digits, no more.

    >>> shown(0.12345), shown(294528), shown(None), shown(1e-9)
    ('0.1235', '294528', '', '1e-09')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def columns_of(rows: list[dict[str, Scalar]]) -> list[str]:
    """Column names in the order of their first appearance."""
    return list(dict.fromkeys(name for row in rows for name in row))


def text_table(rows: list[dict[str, Scalar]]) -> str:
    """Rows as aligned plain text.

    >>> print(text_table([{"what": "truth", "bits": 0.5}, {"what": "estimate", "bits": 0.25}]))
    what      bits
    truth      0.5
    estimate  0.25
    """
    columns = columns_of(rows)
    cells = [columns] + [[shown(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    numeric = [all(isinstance(row.get(name), (int, float, type(None))) for row in rows) for name in columns]
    lines = (
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )
    return "\n".join(lines)


def text_result(result: Result) -> str:
    """What ends a run in a terminal: the answer, the verdict with its reasons, tables, notes.

    >>> print(text_result(Result("demo", answer="X and Y share 1 bit.", verdict="doubtful", reasons=("few samples",))))
    X and Y share 1 bit.
    DOUBTFUL: few samples
    """
    lines = [result.answer] if result.answer else []
    if result.verdict:
        level = result.verdict if result.verdict == "reliable" else result.verdict.upper()
        lines.append(f"{level}: " + "; ".join(result.reasons) if result.reasons else level)
    blocks = ["\n".join(lines)] if lines else []
    blocks += [text_table(rows) for rows in result.tables.values()]
    return "\n\n".join([*blocks, *(f"note: {note}" for note in result.notes)])


def write_report(folder: Path) -> Path:
    """Write ``report.html`` into the folder of a finished run, from what the folder holds."""
    result = Result.load(folder)
    tables = [
        {
            "title": name.replace("_", " "),
            "short": len(rows) * len(columns_of(rows)) <= SHORT,
            "legend": {column: result.legend[column] for column in columns_of(rows) if column in result.legend},
            "columns": [
                {"name": column, "number": all(isinstance(row.get(column), int | float | None) for row in rows)}
                for column in columns_of(rows)
            ],
            "rows": [
                [
                    {
                        "name": column,
                        "text": shown(row.get(column)),
                        "number": isinstance(row.get(column), (int, float)),
                    }
                    for column in columns_of(rows)
                ]
                for row in rows
            ],
        }
        for name, rows in result.tables.items()
    ]
    figures = [
        {"name": name, "caption": caption, "data": base64.b64encode(result.figures[name].read_bytes()).decode()}
        for name, caption in result.captions.items()
        if name in result.figures
    ]
    config = inside(folder, CONFIG_FILE)
    environment = Environment(loader=PackageLoader("lmi.report", "."), autoescape=select_autoescape())
    html = environment.get_template("page.html").render(
        result=result,
        facts={name: value for name, value in result.facts.items() if not isinstance(value, dict)},
        tables=tables,
        figures=figures,
        metrics=[{"name": name, "value": shown(value)} for name, value in result.metrics.items()],
        config=config.read_text(encoding="utf-8", errors="replace") if config else "",
    )
    path = folder / REPORT_FILE
    path.write_text(html, encoding="utf-8")
    return path
