"""The presets find what the awk scripts find that people use today, address for address.

The scripts stand in bench/baselines, mended where they are plainly wrong; docs/scripts.md tells
where, and what the scripts as they were published would have found.
"""
import json
import os
import re
import subprocess

import program

BASELINES = os.path.join(program.ROOT, "bench/baselines")
DOMAINS = ["--local-domain", "domain1.example", "--local-domain", "domain2.example"]
COLUMN = {"traditional": 6, "rfc3339": 4, "rfc5424": 8}
SEEDS = range(1, 13)


def awk(script, path, form):
    done = subprocess.run(["mawk", "-v", f"id={COLUMN[form]}", "-f", os.path.join(BASELINES, script), path],
                          capture_output=True, check=True, env=dict(os.environ, LC_ALL="C"))
    return set(done.stdout.decode().split())


def announced_only(path):
    """Logins that sshd announced when the log ended: the generator doesn't count them, but they are all that will come."""
    found = {}
    with open(path, encoding="utf-8") as log:
        for line in log:
            for words, weight in ((r"]: Invalid user \S+ from (\S+) port", 1), (r"]: Failed password for invalid user \S+ from (\S+) port", -1)):
                match = re.search(words, line)
                if match:
                    found[match.group(1)] = found.get(match.group(1), 0) + weight
    return found


class Scripts(program.Case):
    def generated(self, kind, form, seed, size="1M"):
        path, truth = self.path("mail.log"), self.path("truth.json")
        with open(path, "wb") as out:
            subprocess.run([os.path.join(program.TOOLS, "gen"), "--kind", kind, "--bytes", size, "--seed", str(seed),
                            "--form", form, "--sources", "3000", "--truth", truth], stdout=out, check=True)
        with open(truth, encoding="utf-8") as file:
            return path, json.load(file)

    def offenders(self, policy, path):
        done = program.scan("--policy", policy, *DOMAINS, "--format", "plain", "--timezone", "UTC", "--year", 2026, path)
        self.assert_sound(done)
        self.assertEqual(len(done.lines), len(set(done.lines)), "an address twice")
        return set(done.lines)

    def test_presets_equal_the_scripts(self):
        found = 0
        for seed in SEEDS:
            for form in COLUMN:
                with self.subTest(seed=seed, form=form):
                    path, truth = self.generated("opensmtpd", form, seed)
                    by_awk = awk("hard_soft.awk", path, form) | awk("no_tls.awk", path, form)
                    self.assertEqual(self.offenders("strikes", path), by_awk)
                    self.assertEqual(by_awk, set(truth["offenders"]["strikes"]))
                    tries = awk("tries.awk", path, form)
                    self.assertEqual(self.offenders("tries", path), tries)
                    found += len(by_awk) + len(tries)
        self.assertGreater(found, 1000, "the logs must hold offenders")

    def test_on_other_daemons_the_truth_decides(self):
        """The scripts know OpenSMTPD only; the writer of the log knows all of it."""
        for kind in ("mixed", "postfix"):
            for seed in SEEDS:
                with self.subTest(kind=kind, seed=seed):
                    path, truth = self.generated(kind, "traditional", seed)
                    self.assertEqual(self.offenders("strikes", path), set(truth["offenders"]["strikes"]))
                    self.assertEqual(self.offenders("tries", path), set(truth["offenders"]["tries"]))

    def test_counts_equal_the_truth(self):
        # OpenSMTPD's "Invalid recipient" leaves open which of two it is: the generator calls it neither.
        logins = ["auth_failed", "no_tls"]
        refusals = ["no_ptr", "ptr_mismatch", "bad_helo", "dnsbl", "relay_denied", "unknown_recipient", "sender_rejected"]
        for kind, kinds in (("opensmtpd", logins), ("mixed", logins), ("postfix", logins + refusals)):
            path, truth = self.generated(kind, "rfc3339", 21)
            open_logins = announced_only(path)
            found = {s["address"]: s["events"] for s in program.scan("--format", "json", path).json["sources"]}
            wrong = []
            for row in truth["addresses"]:
                for event in kinds:
                    got, want = found.get(row["address"], {}).get(event, 0), row.get(event, 0)
                    if event == "auth_failed":
                        want += open_logins.get(row["address"], 0)
                    if got != want:
                        wrong.append(f"{row['address']} {event}: {got}, should be {want}")
            self.assertEqual(wrong[:5], [], f"{kind}: {len(wrong)} counts are wrong")


if __name__ == "__main__":
    program.main()
