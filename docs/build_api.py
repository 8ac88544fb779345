"""``make docs``: the API's documentation out of the docstrings; a warning is an error."""

from __future__ import annotations

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
    for name in sonic_sb3.__all__:
        # pdoc looks into the module's dictionary, where lazy names stand only once they were used.
        setattr(sonic_sb3, name, getattr(sonic_sb3, name))
    pdoc.render.configure(docformat="restructuredtext", footer_text=sonic_sb3.__version__)
    pdoc.pdoc("sonic_sb3", output_directory=output)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
