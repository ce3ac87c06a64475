"""How Sphinx builds the documentation. It reads no network: everything comes from this checkout."""

from __future__ import annotations

import re
import sys
import types
from importlib.metadata import version as installed

import click

from vpbench.cli.main import main

project = "vpbench"
author = "The vpbench authors"
project_copyright = author
release = version = installed("vpbench")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
]
exclude_patterns = ["_build", "_templates", "examples/package/**"]
smartquotes = False  # two hyphens begin an option, they are no dash
nitpicky = False  # types of numpy and torch would need their inventories from the network

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"vpbench {release}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        *("sidebar/brand.html", "sidebar/search.html", "sidebar/scroll-start.html", "leaderboard.html"),
        *("sidebar/navigation.html", "sidebar/scroll-end.html"),
    ]
}
# Furo's own fonts are the system's; nothing is fetched.


def _escape_bars(app: object, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """``|flow|`` in a docstring is a length, not one of reStructuredText's substitutions."""
    for n, line in enumerate(lines):
        parts = re.split(r"(``.*?``)", line)
        lines[n] = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)


def _whole_command_line() -> None:
    """Offer ``docs_command_line:main``: sphinx-click does not look for the commands that entry points add."""
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in main.list_commands(context)}
    commands = {name: command for name, command in found.items() if command is not None}
    module = types.ModuleType("docs_command_line")
    module.main = click.Group("vpbench", commands, help=main.help, params=main.params)  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module


_whole_command_line()


def setup(app: object) -> None:
    """Register what is done to docstrings."""
    app.connect("autodoc-process-docstring", _escape_bars)  # type: ignore[attr-defined]
