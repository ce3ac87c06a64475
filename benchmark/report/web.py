"""The files that pages are made of: templates, which escape whatever is put into them, styles and scripts."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from vpbench.figures.labels import parts

if TYPE_CHECKING:
    from jinja2 import Environment


def resource(name: str, package: str = __package__) -> str:
    """The text of a file beside the modules of a package."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def environment(*packages: str) -> Environment:
    """Templates of the given packages and of this one, which escape; what is not given to one is an error."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=ChoiceLoader([PackageLoader(package, "") for package in (*packages, __package__)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["parts"] = parts
    return made
