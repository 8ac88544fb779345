"""Makes campaigns start the fakes: imported by Dask workers, or run as ``experiment`` itself."""

from __future__ import annotations

import sys
from pathlib import Path

from sonic_sb3.campaign import cell_run

cell_run._RUN_MODULE = [sys.executable, str(Path(__file__).with_name("fake_commands.py"))]

if __name__ == "__main__":
    from sonic_sb3 import experiment

    sys.exit(experiment.main(sys.argv[1:]))
