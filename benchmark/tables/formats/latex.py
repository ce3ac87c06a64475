"""Lay out a sheet as LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vpbench import escape
from vpbench.tables.formats.sheet import FURTHER, NAME_HEADING, Sheet, SheetColumn, shorten, wrap

_LABEL = 20  # characters of a line of a row's label
# In points: a column of a paper that has two, and the text of an article that has one.
_COLUMN, _TEXT = 200, 345


def latex(sheet: Sheet) -> str:
    r"""The sheet as a ``table`` environment; it needs ``\usepackage{booktabs}`` and no other package.

    What is too wide for a column of a paper of two columns goes across both, as ``table*``, which is the same as
    ``table`` in a paper of one. What is wider than an article's text is set smaller, and reaches into both margins.
    """
    width = len(sheet.columns)
    points = _points(sheet)
    wide = points > _TEXT
    environment = "table*" if points > _COLUMN else "table"
    lines = [
        rf"\begin{{{environment}}}[tb]",
        r"\centering",
        rf"\caption{{{escape.latex(sheet.caption)}}}",
        rf"\label{{tab:{sheet.name}}}",
        r"\smallskip",
        r"\scriptsize" if wide else r"\footnotesize",
        rf"\setlength{{\tabcolsep}}{{{2 if wide else 3}pt}}",
        *[r"\makebox[\linewidth][c]{%"] * wide,
        rf"\begin{{tabular}}{{l{'r' * width}}}",
        r"\toprule",
        *_header(sheet),
        r"\midrule",
    ]
    for row, label, marks, cells, bold in sheet.rows():
        if row in sheet.headings:
            heading = escape.latex(sheet.headings[row])
            lines += [r"\midrule"] * (row > 0) + [
                rf"\multicolumn{{{width + 1}}}{{l}}{{\emph{{{heading}}}}} \\"
            ]
        shown = _lines(label, _label_width(sheet), "[t]{@{}l@{}}", _marks(marks))
        texts = [cell.split("\n") for cell in cells]
        first = [
            rf"\textbf{{{escape.latex(t[0])}}}" if strong else escape.latex(t[0])
            for t, strong in zip(texts, bold, strict=True)
        ]
        lines.append(" & ".join([shown, *first]) + r" \\")
        for n in range(1, max(map(len, texts), default=1)):
            further = [rf"{{\tiny {escape.latex(t[n])}}}" if n < len(t) else "" for t in texts]
            lines.append(" & ".join(["", *further]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}" + "}" * wide]
    if notes := sheet.paragraphs("Bold", escape.latex, lambda mark: _marks([mark])):
        lines += [r"\par\medskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright"]
        lines += [f"{note}\\par" for note in notes] + [r"\end{minipage}"]
    lines += [f"% {FURTHER}"] * sheet.further  # not for the paper's readers
    return "\n".join([*lines, rf"\end{{{environment}}}"]) + "\n"


def _label_width(sheet: Sheet) -> int:
    return _LABEL if len(sheet.columns) > 5 else 2 * _LABEL


def _points(sheet: Sheet) -> float:
    r"""About how wide the table is in ``\footnotesize``: a digit takes 4.25 pt, and a column a space of 6."""
    labels = [
        max(map(escape.width, wrap(label, _label_width(sheet)))) + len(marks)
        for _, label, marks, _, _ in sheet.rows()
    ]
    columns = [_characters(column, sheet.short_headings) for column in sheet.columns]
    return 4.25 * (max(labels, default=0) + sum(columns)) + 6 * len(columns) + 6


def _characters(column: SheetColumn, short_heading: bool) -> float:
    """Width of a column in characters of the table's type; further lines of a cell are set smaller."""
    heading = [shorten(column.heading)] if short_heading else wrap(column.heading, NAME_HEADING)
    cells = [cell.split("\n") for cell in column.cells]
    first = [(1.15 if column.is_bold(row) else 1) * len(lines[0]) for row, lines in enumerate(cells)]
    beneath = [0.7 * len(line) for lines in cells for line in lines[1:]]
    return max(*map(len, [*heading, column.unit]), *first, *beneath, 1)


def _header(sheet: Sheet) -> Iterator[str]:
    """The groups with a rule below each, the headings, and the units."""
    groups = sheet.groups()
    if any(name for name, _ in groups):
        spans = [rf"\multicolumn{{{n}}}{{c}}{{{escape.latex(name)}}}" for name, n in groups]
        yield " & ".join(["", *spans]) + r" \\"
        first = 2
        for name, n in groups:
            if name:
                yield rf"\cmidrule(lr){{{first}-{first + n - 1}}}"
            first += n
    if sheet.short_headings:
        shown = [escape.latex(shorten(column.heading)) for column in sheet.columns]
    else:
        shown = [_lines(column.heading, NAME_HEADING, "[b]{@{}r@{}}") for column in sheet.columns]
    yield " & ".join([escape.latex(sheet.corner), *shown]) + r" \\"
    if any(column.unit for column in sheet.columns):
        yield " & ".join(["", *(escape.latex(column.unit) for column in sheet.columns)]) + r" \\"


def _lines(label: str, width: int, how: str, marks: str = "") -> str:
    r"""A name in braces, for after ``\\`` a bracket or an asterisk would be an argument; long ones in lines."""
    lines = [escape.latex(line) for line in wrap(label, width)]
    if len(lines) == 1:
        return f"{{{lines[0]}}}{marks}"
    inner = r" \\ ".join(f"{{{line}}}" for line in lines)
    return rf"\begin{{tabular}}{how}{inner}{marks}\end{{tabular}}"


def _marks(marks: Sequence[str]) -> str:
    return rf"\textsuperscript{{{','.join(map(escape.latex, marks))}}}" if marks else ""
