#!/usr/bin/env python3
"""One scenario of the system test: attackers at real daemons behind a real firewall, honest users beside them.

    system_test.py SCENARIO [--shell]      SCENARIO is one of those that `--list` names

Who attacks is cut off: his next connection attempt gets nothing. Who doesn't goes on all the time. Then one is let in
again by hand and one ban ends by itself. The scenarios with "nobody" are the same without mailward, and there everybody
must still be let in: they prove that the others can fail.

MAILWARD is the binary, MAILWARD_SYSTEM the folder that roots.py filled, MAILWARD_CROWDSEC that in which CrowdSec was
unpacked; what stands in this clone's build folder otherwise.
"""
import argparse
import ipaddress
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import clients
import daemons
import guards
import lab as laboratory
from lab import wait_until

BUILD = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
BINARY = os.environ.get("MAILWARD") or BUILD + "/release/mailward"
ROOTS = os.environ.get("MAILWARD_SYSTEM") or BUILD + "/system"
UNPACKED = os.environ.get("MAILWARD_CROWDSEC") or BUILD + "/crowdsec"

SCENARIOS = {f"{house}-{name}": (house, kind, backend)
             for house in daemons.START
             for name, kind, backend in (("nftables", "daemon", "nftables"), ("crowdsec", "daemon", "crowdsec"),
                                         ("once", "timer", "nftables"),
                                         ("unsteady", "unsteady", "nftables"), ("nobody", "nobody", None))}


class Attacker:
    """`network` is an address, or a /64 in which each attempt comes from another one."""

    def __init__(self, attack, network, port, policy):
        self.attack, self.network, self.port, self.policy = attack, ipaddress.ip_network(network), port, policy
        self.trouble, self.cut_off = None, False

    def address(self, i):
        return str(self.network[i + 1] if self.network.num_addresses > 1 else self.network[0])

    def __str__(self):
        return f"{self.attack.__name__} from {self.name}"

    @property
    def name(self):
        """As `mailward bans` has it."""
        return str(self.network if self.network.num_addresses > 1 else self.network[0])

    def begin(self):
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        """Once, or if that fails and not because he is cut off, again."""
        with laboratory.network("attackers"):
            done = False
            while not done and not self.cut_off and not self.trouble:
                try:
                    self.attack(self.address)
                    done = True
                except (OSError, clients.smtplib.SMTPException, clients.imaplib.IMAP4.error, subprocess.TimeoutExpired):
                    pass  # cut off in the middle of it, or the server is slow
                except Exception:
                    self.trouble = traceback.format_exc()

    def knock(self):
        """From an address that did not come before, where it is a network."""
        with laboratory.network("attackers"):
            return clients.knock(self.address(99), self.port)


def attackers_of(house, backend):
    """Each from a network of his own. CrowdSec's bouncer for nftables (0.0.25) puts only the first address of a network
    into its sets, and a ban of IPv6 is one of a /64: with it, all come by IPv4."""
    six = [f"2001:db8:bad:{i}::/64" for i in (1, 2)] if backend != "crowdsec" else [f"203.0.113.{i}/32" for i in (211, 212)]
    c = clients
    if house == "mail":
        return [Attacker(c.guesses_smtp, "203.0.113.200/32", 465, "guessing"), Attacker(c.guesses_imap, six[0], 993, "guessing"),
                Attacker(c.guesses_ssh, "203.0.113.201/32", 22, "guessing"), Attacker(c.vanishes, "203.0.113.202/32", 465, "vanishing"),
                Attacker(c.harvests, six[1], 25, "harvesting")]
    return [Attacker(c.guesses_smtp, six[0], 465, "guessing"), Attacker(c.vanishes, "203.0.113.202/32", 465, "vanishing"),
            Attacker(c.harvests, "203.0.113.203/32", 25, "harvesting")]


class HonestUsers:
    """They come one after the other, again and again, from next door and from elsewhere, until told to stop."""

    SOURCES = ["203.0.113.9", "2001:db8:600d::7", "198.51.100.7"]

    def __init__(self, house):
        self.acts = [clients.submits, clients.delivers] + ([clients.reads, clients.works] if house == "mail" else [])
        self.done, self.failures = 0, []
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        with laboratory.network("honest"):
            for source, act in itertools.cycle(itertools.product(self.SOURCES, self.acts)):
                if self.ended.is_set():
                    return
                try:
                    act(source)
                    self.done += 1
                except Exception as error:
                    self.failures.append(f"{act.__name__} from {source}: {error!r}")
                time.sleep(0.1)  # they are people

    def one_round(self):
        """Waits until each of them did all that he does once more."""
        goal = self.done + len(self.acts) * len(self.SOURCES)
        wait_until("a round of the honest users", lambda: self.failures or self.done >= goal, 30)
        assert not self.failures, "honest users could not go on: " + "; ".join(self.failures[:5])

    def stop(self):
        self.ended.set()
        self.thread.join(30)
        assert not self.failures, "honest users could not go on: " + "; ".join(self.failures[:5])


def stands(network, banned):
    return any(network.version == b.version and network.subnet_of(b) for b in banned)


class Scenario:
    def __init__(self, lab, house, kind, backend):
        self.lab, self.house, self.backend = lab, house, backend
        self.begin = time.monotonic()
        self.guard = guards.KINDS[kind](lab, BINARY, backend)
        self.attackers = attackers_of(house, backend)
        self.pool = ThreadPoolExecutor(len(self.attackers))

    def say(self, text):
        print(f"{time.monotonic() - self.begin:6.2f} s  {text}", flush=True)

    def run(self):
        daemons.START[self.house](self.lab)
        self.say("daemons are up")
        if self.backend == "crowdsec":
            guards.CrowdSec(self.lab, guards.find_crowdsec(UNPACKED)).start()
            self.say("CrowdSec and its bouncer are up")
        self.guard.start()
        self.say("the guard is up")
        self.honest = HonestUsers(self.house)
        self.honest.one_round()
        self.say("honest users did all that they do")
        for attacker in self.attackers:
            assert attacker.knock() == "answered", f"{attacker}: not let in before he did anything"
        self.guard.attacks_begin()
        for attacker in self.attackers:
            attacker.begin()
        self.lab.logger.rotate()  # in the middle of it
        if self.backend is None:
            self.nobody_is_cut_off()
        else:
            self.all_are_cut_off()
            self.guard.attacks_ended()
            self.one_is_let_in_again()
            self.the_short_ban_ends()
            self.bans_outlive_the_guard()
        self.honest.one_round()
        self.honest.stop()
        self.say(f"honest users went on all the time: {self.honest.done} times")

    def attacks_end(self):
        for attacker in self.attackers:
            attacker.thread.join(30)
            assert not attacker.thread.is_alive(), f"{attacker}: he does not come to an end"
            assert not attacker.trouble, f"{attacker}: {attacker.trouble}"

    def nobody_is_cut_off(self):
        self.attacks_end()
        for attacker in self.attackers:
            assert attacker.knock() == "answered", f"{attacker}: cut off, and nobody did it"
        self.say("nobody is cut off")

    def all_are_cut_off(self):
        """Each knocks once more as soon as he stands in the firewall, and all of them together after that."""
        waiting, answers = list(self.attackers), {}

        def next_one():
            banned = guards.banned_by_kernel(self.lab)
            for attacker in [a for a in waiting if stands(a.network, banned)]:
                waiting.remove(attacker)
                attacker.cut_off = True
                answers[attacker] = self.pool.submit(attacker.knock)
                self.say(f"{attacker}: stands in the firewall")
            return not waiting
        try:
            wait_until("", next_one, 15)
        except TimeoutError:
            raise AssertionError("still let in: " + ", ".join(f"{a} ({a.knock()})" for a in waiting)) from None
        for attacker, answer in answers.items():
            assert answer.result() == "silence", f"{attacker}: stands in the firewall, and his next connection attempt is {answer.result()}"
        lasting = [a for a in self.attackers if a.policy != "harvesting"]  # the harvester's ban may be over by now
        for attacker, answer in zip(lasting, self.pool.map(Attacker.knock, lasting)):
            assert answer == "silence", f"{attacker}: let in again"
        self.attacks_end()
        self.say("all attackers are cut off")
        self.bans_are_told(lasting)

    def bans_are_told(self, lasting):
        bans = self.guard.bans()
        for attacker in lasting:
            ban = bans.get(attacker.name)
            assert ban and ban["policy"].endswith("/" + attacker.policy), f"{attacker}: `mailward bans` has {ban} for him, of {bans}"
            assert ban["count"] == guards.LIMIT + 1, f"{attacker}: convicted by {ban['count']}, and {guards.LIMIT + 1} are enough: {ban}"
        others = set(bans) - {a.name for a in self.attackers}
        assert not others, f"banned, but no attacker: {others}"

    def is_let_in(self, attacker, seconds):
        with laboratory.network("attackers"):
            wait_until(f"{attacker}: let in again", lambda: clients.knock(attacker.address(99), attacker.port) == "answered", seconds)
        self.say(f"{attacker}: let in again")

    def is_told_no_more(self, attacker):
        wait_until(f"{attacker}: no more in `mailward bans`", lambda: attacker.name not in self.guard.bans(), 3)

    def one_is_let_in_again(self):
        guesser, *others = self.attackers
        self.guard.unban(guesser.name)
        self.is_let_in(guesser, 5)
        vanisher = next(a for a in others if a.policy == "vanishing")
        wait_until(f"{vanisher}, who is not unbanned, is kept out", lambda: vanisher.knock() == "silence", self.guard.repairs_within)
        assert guesser.knock() == "answered", f"{guesser}: kept out again"
        self.is_told_no_more(guesser)

    def the_short_ban_ends(self):
        harvester = next(a for a in self.attackers if a.policy == "harvesting")
        self.is_let_in(harvester, guards.SHORT + 10)
        self.is_told_no_more(harvester)

    def bans_outlive_the_guard(self):
        self.guard.stop()
        vanisher = next(a for a in self.attackers if a.policy == "vanishing")
        assert vanisher.knock() == "silence", f"{vanisher}: let in when mailward ended"
        self.say("mailward ended, its bans stay")


def needed(house, backend):
    """What is missing for this scenario, in words; "" if nothing is."""
    roots = [house] + (["bouncer"] if backend == "crowdsec" else [])
    missing = [name for name in roots if not os.path.exists(f"{ROOTS}/{name}.ready")]
    if missing:
        return f"the root of {' and '.join(missing)} is not in {ROOTS}: tests/system/roots.py makes it"
    if backend == "crowdsec" and not guards.find_crowdsec(UNPACKED):
        return f"CrowdSec is not here: ./dev test unpacks it into {UNPACKED}"
    if backend and not os.path.exists(BINARY):
        sys.exit(f"{BINARY} is missing: ./dev build makes it")
    return ""


def show_what_was_said(scenario, folder):
    """What helps to find out why: ends of logs, the firewall, what mailward says of itself. All of the logs into `folder`."""
    place = laboratory.PLACE + "/log"
    for name in sorted(os.listdir(place)):
        with open(f"{place}/{name}", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        if lines:
            print(f"--- {name}", *lines[-40:], sep="\n")
    print("--- nft list ruleset", scenario.lab.run("nft", "list", "ruleset")[1], sep="\n")
    for command in ("status", "bans"):
        if scenario.backend:
            print(f"--- mailward {command}", *scenario.lab.run(*scenario.guard.arguments(command))[1:], sep="\n")
    if folder:
        shutil.copytree(place, folder, dirs_exist_ok=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS)
    parser.add_argument("--list", action="store_true", help="names all scenarios")
    parser.add_argument("--keep", metavar="FOLDER", help="where the logs go when it fails")
    parser.add_argument("--shell", action="store_true", help="a shell in that world at the end, whatever the end is")
    arguments = parser.parse_args()
    if arguments.list or not arguments.scenario:
        print(*SCENARIOS, sep="\n")
        return
    house, kind, backend = SCENARIOS[arguments.scenario]
    if missing := needed(house, backend):
        laboratory.skip(missing)
    laboratory.enter()
    scenario = Scenario(laboratory.Lab(ROOTS), house, kind, backend)
    failed = False
    try:
        scenario.run()
        print("ok")
    except Exception as error:
        failed = True
        show_what_was_said(scenario, arguments.keep)
        print(f"FAILED: {error}" if isinstance(error, (AssertionError, TimeoutError)) else f"FAILED: {traceback.format_exc()}")
    if arguments.shell:
        print(f"The logs are in {laboratory.PLACE}/log. nsenter --net=/run/netns/{{server,attackers,honest}} COMMAND goes into a network.")
        subprocess.run(["sh", "-i"], check=False)
    sys.stdout.flush()
    os._exit(failed)  # threads may still wait for answers that don't come


if __name__ == "__main__":
    main()
