"""`hooks …` and `python -m hooks`: sends each command to its door.

`serve` goes straight to its own room, so that a serving process never pays for what only
commands need.
"""

from __future__ import annotations

import gc
import sys

#: As `hooks.cli.ends` has it, which is not imported yet when it is needed here.
_INTERRUPTED = 130


def main() -> int:
    """Run the command of this process; the exit code."""
    words = sys.argv[1:]
    if words[:1] == ["serve"]:
        # What is imported stays: looking for garbage among it costs a sixth of the start.
        gc.disable()
        from hooks.serve import serve

        return serve(words[1:])
    if words == ["--version"]:
        from hooks.release import release

        sys.stdout.write(f"hooks {release()}\n")
        return 0
    try:
        from hooks.cli import main as command

        return command()
    except KeyboardInterrupt:  # while it is still being imported
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
