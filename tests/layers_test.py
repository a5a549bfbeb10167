"""The layer check lets the house stand as it is, and refuses each way to break it."""
import os
import subprocess
import sys
import unittest

import program

CHECK = os.path.join(program.ROOT, "tools/layers.py")
HOUSE = {
    "docs/architecture.md": "| folder | station |\n| --- | --- |\n| `src/base` | words |\n| `src/log` | records |\n| `src/view` | tables |\n",
    "CMakeLists.txt": "station(base PUBLIC lib::fmt)\nstation(log USES base PUBLIC lib::codecs)\nstation(view USES base)\n",
    "src/base/text.h": "#pragma once\n#include <string>\n",
    "src/log/record.h": '#include "base/text.h"\n#include <zlib.h>\n',
    "src/view/table.cc": '#include "base/text.h"\n',
    "src/main.cc": '#include "view/table.cc"\n',
}


class Layers(program.Case):
    def check(self, **changes):
        for name, text in {**HOUSE, **changes.get("files", {})}.items():
            path = self.path(name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, CHECK, self.folder.name], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    def test_a_sound_house(self):
        self.assertEqual(self.check(), (0, ""))

    def test_this_house(self):
        done = subprocess.run([sys.executable, CHECK], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_each_violation_is_refused(self):
        for name, files, words in (
                ("downwards", {"src/base/text.h": '#include "log/record.h"\n'}, "src/log stands below"),
                ("in a piece of a source", {"src/base/walk.inc": '#include "log/record.h"\n'}, "src/log stands below"),
                ("sideways without USES", {"src/view/table.cc": '#include "log/record.h"\n'}, "does not say that it USES log"),
                ("not from src on", {"src/log/record.h": '#include "record.h"\n'}, "is no file of src/"),
                ("up and round", {"src/log/record.h": '#include "../base/text.h"\n'}, "is no file of src/"),
                ("a library of another", {"src/view/table.cc": "#include <zlib.h>\n"}, "belongs to src/log"),
                ("a folder without a row", {"src/extra/thing.h": "\n"}, "missing in the table"),
                ("blanks before the include", {"src/base/text.h": '  #  include "log/record.h"\n'}, "stands below")):
            with self.subTest(name):
                code, said = self.check(files=files)
                self.assertEqual(code, 1)
                self.assertIn(words, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
