"""Lay out sheets as HTML: a plain, accessible table that needs no script and no network.

Whatever is printed is escaped; marks are explained in words too, not only by colour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from vpbench.tables.formats.sheet import FURTHER, Sheet

_STYLE = """
:root { color-scheme: light dark; --rule: #8884; --soft: #666; }
@media (prefers-color-scheme: dark) { :root { --soft: #aaa; } }
body { font: 1rem/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 84rem; padding: 0 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.caption { max-width: 60rem; }
th, td { padding: .25rem .6rem; text-align: right; vertical-align: top; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--rule); vertical-align: bottom; }
thead th[scope="col"]:first-child { text-align: left; }
tbody th { text-align: left; font-weight: normal; min-width: 11rem; max-width: 26rem; }
tbody th { white-space: normal; overflow-wrap: anywhere; }
tbody tr:hover { background: #8882; }
tbody + tbody { border-top: 1px solid currentColor; }
th.group { text-align: center; } tbody th.group { text-align: left; font-style: italic; }
small { color: var(--soft); } .notes { max-width: 60rem; color: var(--soft); }
"""


def page(sheets: Sequence[Sheet]) -> str:
    """A whole page with the sheets one below the other."""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(sheets[0].name)} – vpbench</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            *map(fragment, sheets),
            "</body>",
            "</html>",
        ]
    )


def fragment(sheet: Sheet) -> str:
    """One sheet as a table and its notes, to be put into a page."""
    name = escape(sheet.name)
    lines = [
        f'<p class="caption" id="{name}">{escape(sheet.caption)}</p>',  # outside of what scrolls sideways
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}">',
        f'<table aria-labelledby="{name}">',
        "<thead>",
        *_head(sheet),
        "</thead>",
        "<tbody>",
    ]
    for row, label, marks, cells, bold in sheet.rows():
        if row in sheet.headings:
            lines += ["</tbody>", "<tbody>"] if row else []
            span = len(sheet.columns) + 1
            lines.append(
                f'<tr><th class="group" colspan="{span}" scope="rowgroup">{escape(sheet.headings[row])}</th></tr>'
            )
        texts = "".join(f"<td>{_cell(cell, strong)}</td>" for cell, strong in zip(cells, bold, strict=True))
        lines.append(f'<tr><th scope="row">{escape(label)}{_superscript(marks)}</th>{texts}</tr>')
    lines += ["</tbody>", "</table>", "</div>", '<div class="notes">', *_notes(sheet), "</div>"]
    return "\n".join(lines)


def _head(sheet: Sheet) -> Iterator[str]:
    groups = sheet.groups()
    if any(name for name, _ in groups):
        spans = [
            f'<th class="group" colspan="{n}" scope="colgroup">{escape(name)}</th>'
            if name
            else "<td></td>" * n
            for name, n in groups
        ]
        yield f"<tr><td></td>{''.join(spans)}</tr>"
    headings = [
        f'<th scope="col">{escape(column.heading)}{_unit(column.unit)}</th>' for column in sheet.columns
    ]
    corner = f'<th scope="col">{escape(sheet.corner)}</th>' if sheet.corner else "<td></td>"
    yield f"<tr>{corner}{''.join(headings)}</tr>"


def _unit(unit: str) -> str:
    return f"<br><small>{escape(unit)}</small>" if unit else ""


def _cell(cell: str, bold: bool) -> str:
    first, *further = map(escape, cell.split("\n"))
    shown = f"<strong>{first}</strong>" if bold else first
    return "<br>".join([shown, *(f"<small>{line}</small>" for line in further)])


def _superscript(marks: Sequence[str]) -> str:
    return f"<sup>{escape(','.join(marks))}</sup>" if marks else ""


def _notes(sheet: Sheet) -> Iterator[str]:
    paragraphs = sheet.paragraphs("<strong>Bold</strong>", escape, lambda mark: _superscript([mark]))
    for note in [*paragraphs, *[FURTHER] * sheet.further]:
        yield f"<p>{note}</p>"
