"""How long from exec to the first 200 of /readyz, and how much memory then; on SQLite.

python tests/bench/ready.py [starts]
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

CONFIG = """
mode = "observe"
[listen]
public = "127.0.0.1:{port}"
operations = "127.0.0.1:0"
[okta]
org_url = "http://127.0.0.1:9"
[atlassian]
api_url = "http://127.0.0.1:9"
[[directory]]
name = "main"
okta_app_id = "0oa00000000000000001"
scim_directory_id = "11111111-1111-4111-8111-111111111111"
"""
ROOT = Path(__file__).parents[2]


def main() -> None:
    """Start it so many times on one database and print the medians; the first start migrates."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "hooks.toml").write_text(CONFIG.format(port=18080))
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOOKS_CONFIG": str(folder / "hooks.toml"),
            "HOOKS_HOOK_SECRET": "s" * 40,
            "HOOKS_SEALING_KEYS": base64.urlsafe_b64encode(bytes(32)).decode(),
            "HOOKS_OKTA_API_TOKEN": "token",
            "HOOKS_SCIM_KEY": "key",
            "HOOKS_DATABASE_URL": f"sqlite:///{folder / 'hooks.db'}",
        }
        _start(environ)
        found = [_start(environ) for _ in range(starts)]
    seconds, mebibytes = (statistics.median(each) for each in zip(*found, strict=True))
    print(json.dumps({"seconds": round(seconds, 3), "rss_mib": round(mebibytes, 1)}))  # noqa: T201


def _start(environ: dict[str, str]) -> tuple[float, float]:
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "hooks", "serve"], env=environ, stderr=subprocess.DEVNULL
    ) as process:
        while not _ready():
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        time.sleep(1.0)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        process.terminate()
    return seconds, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _ready() -> bool:
    try:
        with urllib.request.urlopen("http://127.0.0.1:18080/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
