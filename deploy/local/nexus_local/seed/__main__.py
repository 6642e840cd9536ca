"""`python -m nexus_local.seed DATA`: how `nexus up` makes the small demo at its first start."""

import sys
from pathlib import Path

from nexus_local.seed.command import seed
from nexus_local.state import DataFolder

seed(DataFolder(Path(sys.argv[1])), "small", 1)
