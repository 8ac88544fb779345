"""``make docs``: the API's documentation out of the docstrings; a warning is an error."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc

import sonic_sb3


def main(output: Path) -> None:
    """
    Write the pages.

    :param output: The folder to make or replace.
    """
    warnings.simplefilter("error")
    # Packages bring their modules along, but only those that their __all__ names; so each module is
    # named, and most twice.
    warnings.filterwarnings("ignore", message="The module specification")
    for name in sonic_sb3.__all__:
        # pdoc looks into the module's dictionary, where lazy names stand only once they were used.
        setattr(sonic_sb3, name, getattr(sonic_sb3, name))
    pdoc.render.configure(docformat="restructuredtext", footer_text=sonic_sb3.__version__)
    modules = pkgutil.walk_packages(sonic_sb3.__path__, "sonic_sb3.")
    pdoc.pdoc("sonic_sb3", *(module.name for module in modules), output_directory=output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
