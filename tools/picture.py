#!/usr/bin/env python3
"""Draws what a command prints on a terminal as an SVG: the picture of a real run in the README.

    picture.py [--columns 112] [--head 22] [--tail 8] [--prompt TEXT] OUTPUT.svg COMMAND…

The command gets a terminal of its own (so it writes in colour); of a long output the first and the
last lines are drawn. How docs/run.svg is made stands in docs/architecture.md.
"""
import argparse
import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import termios

COLOURS = ["#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9"]
BRIGHT = ["#7a8599", "#f07178", "#b5e890", "#ffcb6b", "#82aaff", "#d7a0f0", "#89ddff", "#ffffff"]
BACKGROUND, FOREGROUND = "#1e222a", "#c8ccd4"
SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|\x1b[()][A-Z0-9]|\x1b\][^\x07]*\x07")


def run(command, columns):
    """What the command wrote to its terminal (standard error goes elsewhere: progress is no picture)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen(command, stdout=slave, stdin=slave, stderr=subprocess.DEVNULL, close_fds=True,
                               env=dict(os.environ, TERM="xterm-256color", LC_ALL="C.UTF-8", COLUMNS=str(columns)))
    os.close(slave)
    output = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece
    process.wait()
    return output.decode("utf-8", "replace").replace("\r\n", "\n")


def colour_256(n):
    if n < 8:
        return COLOURS[n]
    if n < 16:
        return BRIGHT[n - 8]
    if n >= 232:
        return "#{0:02x}{0:02x}{0:02x}".format(8 + 10 * (n - 232))
    steps = (0, 95, 135, 175, 215, 255)
    n -= 16
    return "#%02x%02x%02x" % (steps[n // 36], steps[n // 6 % 6], steps[n % 6])


class Style:
    def __init__(self):
        self.fg, self.bold, self.dim, self.reverse, self.underline = FOREGROUND, False, False, False, False

    def apply(self, codes):
        codes = [int(c or 0) for c in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 4, 7):
                setattr(self, {1: "bold", 2: "dim", 4: "underline", 7: "reverse"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif 30 <= code <= 37:
                self.fg = COLOURS[code - 30]
            elif 90 <= code <= 97:
                self.fg = BRIGHT[code - 90]
            elif code == 39:
                self.fg = FOREGROUND
            elif code == 38 and codes[:1] == [5]:
                self.fg = colour_256(codes[1])
                del codes[:2]
            elif code == 38 and codes[:1] == [2]:
                self.fg = "#%02x%02x%02x" % tuple(codes[1:4])
                del codes[:4]

    def css(self):
        parts = [] if self.fg == FOREGROUND else [f'fill="{self.fg}"']
        if self.bold:
            parts.append('font-weight="bold"')
        if self.dim:
            parts.append('opacity="0.6"')
        if self.underline:
            parts.append('text-decoration="underline"')
        return " ".join(parts)


def rows(text):
    """Each line as a list of (style, text)."""
    style = Style()
    for line in text.split("\n"):
        parts, at = [], 0
        for match in SEQUENCE.finditer(line):
            if match.start() > at:
                parts.append((style.css(), line[at: match.start()]))
            if match.group(2) == "m":
                style.apply(match.group(1))
            at = match.end()
        if at < len(line):
            parts.append((style.css(), line[at:]))
        yield parts


def svg(lines, columns):
    width, height, advance, leading = columns * 8.4 + 32, len(lines) * 19 + 48, 8.4, 19
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
           f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
           f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" fill="{FOREGROUND}" xml:space="preserve">']
    for number, parts in enumerate(lines):
        y, column = 36 + number * leading, 0
        for css, text in parts:
            # Every word is put at its column and given its width: fonts differ, columns must not.
            for word in re.finditer(r"\S+(?: \S+)*", text):
                x, length = 16 + (column + word.start()) * advance, len(word.group()) * advance
                out.append(f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" {css}>{html.escape(word.group())}</text>')
            column += len(text)
    return "\n".join(out + ["</g>", "</svg>", ""])


def main():
    ap = argparse.ArgumentParser(description="a picture of what a command prints")
    ap.add_argument("--columns", type=int, default=112)
    ap.add_argument("--head", type=int, default=22)
    ap.add_argument("--tail", type=int, default=8)
    ap.add_argument("--prompt", default="", help="the command as it is shown")
    ap.add_argument("output")
    ap.add_argument("command", nargs=argparse.REMAINDER)
    args = ap.parse_args()
    lines = list(rows(run(args.command, args.columns).rstrip("\n")))
    if len(lines) > args.head + args.tail + 1:
        left = len(lines) - args.head - args.tail
        lines = lines[: args.head] + [[('opacity="0.6"', f"  … {left} more lines …")]] + lines[-args.tail:]
    if args.prompt:
        lines = [[('fill="#98c379"', "$ "), ('font-weight="bold"', args.prompt)]] + lines
    with open(args.output, "w", encoding="utf-8") as out:
        out.write(svg(lines, args.columns))


if __name__ == "__main__":
    main()
