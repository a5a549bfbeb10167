"""The output is the same to the byte for any number of threads."""
import gzip
import json
import os
import shutil
import subprocess


import program


class Threads(program.Case):
    def assert_same(self, *arguments, verb="scan", formats=("json",)):
        for form in formats:
            chosen = [] if verb == "events" else ["--format", form]
            one = program.run(verb, *chosen, "--threads", 1, *arguments)
            self.assert_sound(one, megabytes=400)
            for threads in (2, 3, 7):
                many = program.run(verb, *chosen, "--threads", threads, *arguments)
                self.assert_sound(many, megabytes=400)
                self.assertEqual(one.out, many.out, f"{verb} {form}, {threads} threads")
        return one

    def generated(self, kind, size, seed, name="mail.log"):
        path = self.path(name)
        with open(path, "wb") as out:
            subprocess.run([os.path.join(program.TOOLS, "gen"), "--kind", kind, "--bytes", size, "--seed", str(seed)], stdout=out, check=True)
        return path

    def test_one_file_in_chunks(self):
        size = "4M" if program.SANITIZER else "24M"
        for kind in ("opensmtpd", "mixed"):
            with self.subTest(kind):
                path = self.generated(kind, size, 11)
                done = self.assert_same(path, "--policy", "strikes", formats=("json", "plain", "counts"))
                self.assertTrue(done.out)

    def test_events_in_order(self):
        size = "2M" if program.SANITIZER else "12M"
        self.assert_same(self.generated("mixed", size, 12), verb="events")

    def test_a_repetition_at_the_beginning_of_a_piece(self):
        """What is repeated stands before a piece that another thread reads: wherever pieces begin."""
        before = b"Mar  2 00:00:00 mail postfix/cleanup[7]: 4ZlxrbfymfKF: message-id=<x@y.example>\n"
        reject = (b"Mar  2 00:00:01 mail postfix/smtpd[8]: NOQUEUE: reject: RCPT from unknown[192.0.2.9]: 554 5.7.1 <a@b.example>: "
                  b"Relay access denied; from=<c@d.example> to=<a@b.example> proto=ESMTP helo=<x>\n")
        again = b"Mar  2 00:00:02 mail syslogd: last message repeated 4 times\n"
        for size in (1 << 18, 1 << 20, 1 << 21):
            filler = before * ((size - len(reject)) // len(before) + 1)
            head = filler[:size - len(reject)]
            head = head[:head.rfind(b"\n") + 1]
            pad = size - len(head) - len(reject)
            head = head[:-1] + b"z" * pad + b"\n"
            path = self.path("repeated.log", head + reject + again + filler * 3)
            done = self.assert_same(path, verb="events")
            counts = [event.get("count", 1) for event in map(json.loads, done.lines) if event["event"] == "relay_denied"]
            self.assertEqual(counts, [1, 4], size)

    def test_rotated_and_compressed(self):
        """One log in four parts, two of them compressed, named in a wrong order."""
        whole = self.generated("postfix", "2M" if program.SANITIZER else "12M", 13)
        with open(whole, "rb") as file:
            lines = file.read().splitlines(keepends=True)
        quarter = len(lines) // 4
        for number, name in enumerate(("mail.log.3.gz", "mail.log.2.gz", "mail.log.1", "mail.log")):
            piece = b"".join(lines[number * quarter: (number + 1) * quarter if number < 3 else None])
            self.path("part-" + name, gzip.compress(piece, 1) if name.endswith(".gz") else piece)
        parts = [self.path("part-" + n) for n in ("mail.log.1", "mail.log", "mail.log.3.gz", "mail.log.2.gz")]
        # (a name of its own for the whole would make a set of it: compare what both hold instead)
        together = self.assert_same(*parts)
        shutil.move(whole, self.path("whole"))
        alone = program.scan("--format", "json", self.path("whole"))
        self.assertEqual(together.json["sources"], alone.json["sources"])

    def test_corpora(self):
        for name in sorted(os.listdir(program.CORPUS)):
            if not os.path.isdir(os.path.join(program.CORPUS, name)):
                continue
            arguments, forms, _ = program.corpus(name)
            for form, paths in forms.items():
                with self.subTest(f"{name} {form}"):
                    self.assert_same(*arguments, *paths)

    def test_standard_input_is_read_alike(self):
        path = self.generated("mixed", "2M", 14)
        with open(path, "rb") as file:
            piped = program.scan("--format", "json", "-", stdin=file)
        named = program.scan("--format", "json", path)
        self.assertEqual(piped.json["sources"], named.json["sources"])


if __name__ == "__main__":
    program.main()
