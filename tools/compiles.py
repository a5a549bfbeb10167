#!/usr/bin/env python3
"""Is every Python script of the repository at least one that compiles? Writes nothing."""
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent
failed = False
for folder in ("tools", "tests", "fuzz", "bench", "rules"):
    for path in sorted((root / folder).rglob("*.py")):
        try:
            compile(path.read_text(encoding="utf-8"), str(path), "exec")
        except SyntaxError as error:
            failed = True
            print(f"{path.relative_to(root)}:{error.lineno}: {error.msg}")
sys.exit(failed)
