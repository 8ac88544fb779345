"""``make docs``: the API's documentation out of the docstrings; a warning is an error."""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path
from types import GenericAlias

import pdoc
import tqdm
from stable_baselines3.common.monitor import ResultsWriter
from stable_baselines3.common.vec_env import vec_monitor

import sonic_sb3


def main(output: Path) -> int:
    """
    Write the pages.

    :param output: The folder to make or replace.
    :returns: The exit status: 1 after warnings, which are printed.
    """
    for name in sonic_sb3.__all__:
        # pdoc looks into the module's dictionary, where lazy names stand only once they were used.
        setattr(sonic_sb3, name, getattr(sonic_sb3, name))
    vec_monitor.ResultsWriter = ResultsWriter  # imported for type checkers only
    tqdm.tqdm.__class_getitem__ = classmethod(GenericAlias)  # generic in its stubs only
    pdoc.render.configure(docformat="restructuredtext", footer_text=sonic_sb3.__version__)
    modules = [module.name for module in pkgutil.walk_packages(sonic_sb3.__path__, "sonic_sb3.")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Packages bring their modules along, but only those that their __all__ names; so each
        # module is named, and most twice.
        warnings.filterwarnings("ignore", message="The module specification")
        pdoc.pdoc("sonic_sb3", *modules, output_directory=output)
    for warning in caught:
        print(f"warning: {warning.message}", file=sys.stderr)
    return 1 if caught else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
