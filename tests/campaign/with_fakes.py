"""Makes campaigns start the fakes: imported by Dask workers, or run as ``experiment`` itself."""

from __future__ import annotations

import os
import sys

from sonic_sb3.campaign import cell_run

cell_run._RUN_MODULE = [sys.executable, os.environ["FAKE_COMMANDS"]]

if __name__ == "__main__":
    from sonic_sb3 import experiment

    sys.exit(experiment.main(sys.argv[1:]))
