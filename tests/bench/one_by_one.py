"""The service with one commit for each delivery, as it would be without group commit.

python tests/bench/one_by_one.py serve --no-worker
"""

from __future__ import annotations

import sys

from hooks.__main__ import main
from hooks.store import intake

if __name__ == "__main__":
    intake._TOGETHER = 1
    sys.exit(main())
