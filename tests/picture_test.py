"""docs/run.svg shows what the program prints today; `./dev picture` draws it again."""
import glob
import os
import re
import subprocess
import sys

import program


class Picture(program.Case):
    def test_it_is_true(self):
        with open(os.path.join(program.ROOT, "dev"), encoding="utf-8") as file:
            options = re.search(r"^readonly sample_options='(.*)'$", file.read(), re.M).group(1).split()
        logs = sorted(os.path.relpath(path, program.ROOT) for path in glob.glob(os.path.join(program.CORPUS, "postfix/mail.log*")))
        drawn = self.path("run.svg")
        subprocess.run([sys.executable, "tools/picture.py", "--prompt", "./dev run", drawn, program.BINARY, "scan", *options, *logs],
                       cwd=program.ROOT, check=True, timeout=120)
        with open(drawn, encoding="utf-8") as now, open(os.path.join(program.ROOT, "docs/run.svg"), encoding="utf-8") as then:
            self.assertEqual(now.read(), then.read(), "`./dev picture` draws it again")


if __name__ == "__main__":
    program.main()
