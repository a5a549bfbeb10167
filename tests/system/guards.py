"""Who guards the server: mailward as a daemon, mailward --once from a timer, or nobody, so that the test can fail."""
import ipaddress
import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from daemons import DOMAIN
from lab import PLACE, wait_until

FOLDER = PLACE + "/mailward"
CONFIG, LEDGER, POLICY = FOLDER + "/mailward.toml", FOLDER + "/ledger.sqlite", FOLDER + "/policy.toml"
LIMIT = 3   # one more convicts
SHORT = 10  # seconds that the ban of a harvester lasts; the others' don't end within the test
PORTS = [22, 25, 465, 587, 993]

SETTINGS = f"""[input]
files         = ["{PLACE}/log/mail.log", "{PLACE}/log/auth.log"]
timezone      = "UTC"
[judge]
policy        = "{POLICY}"
local_domains = ["{DOMAIN}"]
[firewall]
backend       = "%s"
ports         = {PORTS}
"""
POLICIES = f"""[[policy]]
name   = "guessing"
events = ["auth_failed"]
limit  = {LIMIT}
window = "1h"
ban    = "1h"
[[policy]]
name   = "vanishing"
events = ["no_tls", "tls_failed"]
limit  = {LIMIT}
window = "1h"
ban    = "1h"
[[policy]]
name   = "harvesting"
events = ["unknown_recipient"]
limit  = {LIMIT}
window = "1h"
ban    = "{SHORT}s"
"""


class Nobody:
    """Nothing runs, nothing is banned. The test tells when what happens."""

    repairs_within = 0  # seconds: what another hand did to the firewall when the attacks had ended

    def __init__(self, lab, *_):
        self.lab = lab

    def start(self):
        pass

    def attacks_begin(self):
        pass

    def attacks_ended(self):
        pass

    def stop(self):
        pass


class Guard(Nobody):
    """What all ways of running mailward share. `backend` is that of its configuration."""

    def __init__(self, lab, binary, backend):
        super().__init__(lab)
        self.binary, self.backend = binary, backend
        os.makedirs(FOLDER)
        for path, text in ((CONFIG, SETTINGS % backend), (POLICY, POLICIES)):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)

    def arguments(self, command, *more):
        return [self.binary, command, "--config", CONFIG, "--ledger", LEDGER, *more]

    def ask(self, command, *more):
        """One of mailward's commands to its end: its standard output."""
        status, out, err = self.lab.run(*self.arguments(command, *more))
        if status:
            raise RuntimeError(f"mailward {command} {' '.join(more)}: status {status}: {err.strip()}")
        return out

    def bans(self):
        """{address or network: what `mailward bans` tells of it}"""
        return {b["address"]: b for b in json.loads(self.ask("bans", "--format", "json") or "[]")}

    def unban(self, network):
        self.ask("unban", network)


class Daemon(Guard):
    """`mailward run` in the foreground, as its unit starts it."""

    def start(self):
        self.process = self.lab.start("mailward", *self.arguments("run"))
        wait_until("mailward answers", self.ready)

    def ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"mailward ended with status {self.process.returncode}")
        return self.lab.run(*self.arguments("status"))[0] == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(10)
        if status:
            raise RuntimeError(f"mailward ended with status {status} on SIGTERM")


class Unsteady(Daemon):
    """The same, but each of its processes is killed once while the attackers are at it, and then nftables is flushed by
    another hand. The daemon as a whole is started again when it ended, as systemd does it."""

    repairs_within = 5

    def attacks_begin(self):
        self.killing = ThreadPoolExecutor(1).submit(self.kill_each)

    def kill_each(self):
        for i in range(3):
            old = wait_until("mailward has all its parts", self.parts)
            os.kill(old[i], signal.SIGKILL)
            wait_until("mailward has new parts", lambda: self.has_others_than(old[i]))
        self.process.kill()
        self.process.wait()
        super().start()

    def has_others_than(self, part):
        now = self.parts()
        return now and part not in now and self.ready()

    def parts(self):
        """The processes of reader, helper and keeper; None while one is missing."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            parts = sorted(map(int, file.read().split()))
        return parts if len(parts) == 3 else None

    def attacks_ended(self):
        self.killing.result()
        self.lab.run("nft", "flush", "ruleset")


class Timer(Guard):
    """`mailward run --once` each second, as a timer does it, but more often."""

    def start(self):
        self.ended = threading.Event()
        self.trouble = []
        self.run_once()  # before anybody comes: what is in the logs by now is old
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def run_once(self):
        status, out, err = self.lab.run(*self.arguments("run", "--once"))
        with open(f"{PLACE}/log/mailward.out", "a", encoding="utf-8") as log:
            log.write(err)
        if status or out or len(err.splitlines()) != 1:
            self.trouble.append(f"status {status}, standard output {out!r}, standard error {err!r}: not one line on standard error")

    def work(self):
        while not self.ended.wait(1):
            self.run_once()

    def stop(self):
        self.ended.set()
        self.thread.join(20)
        if self.trouble:
            raise RuntimeError(f"mailward run --once: {self.trouble[0]} (and {len(self.trouble) - 1} more)")


KINDS = {"nobody": Nobody, "daemon": Daemon, "unsteady": Unsteady, "timer": Timer}


def banned_by_kernel(lab):
    """Networks that stand in sets of nftables, whoever put them there."""
    found = set()
    for entry in json.loads(lab.run("nft", "-j", "list", "ruleset")[1])["nftables"]:
        if "set" not in entry:
            continue
        name, kind = entry["set"]["name"], entry["set"]["type"]
        # One of ours holds prefixes of one length, which its name tells.
        length = name.partition("_")[2] if re.fullmatch(r"v[46]_\d+", name) else {"ipv4_addr": 32, "ipv6_addr": 128}[kind]
        found |= {ipaddress.ip_network(f"{e['elem']['val']}/{length}") for e in entry["set"].get("elem", [])}
    return found


class CrowdSec:
    """The real one, its local API only, and its firewall bouncer, both in the server's network."""

    CONFIG = """
common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: {0}}}
config_paths:
  config_dir: {0}
  data_dir: {0}
  simulation_path: {0}/simulation.yaml
  hub_dir: {0}
  index_path: {0}/index.json
  notification_dir: {0}
  plugin_dir: {0}
db_config: {{log_level: info, type: sqlite, db_path: {0}/crowdsec.db, use_wal: true}}
api:
  client: {{credentials_path: /etc/crowdsec/local_api_credentials.yaml}}
  server: {{log_level: info, listen_uri: "127.0.0.1:8080", profiles_path: {0}/profiles.yaml, trusted_ips: [127.0.0.1]}}
prometheus: {{enabled: false}}
"""
    PROFILE = """name: default
filters: ["Alert.Remediation == true && Alert.GetScope() == 'Ip'"]
decisions: [{type: ban, duration: 4h}]
on_success: break
"""
    BOUNCER = """
mode: nftables
pid_dir: {0}
update_frequency: 1s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://127.0.0.1:8080/
api_key: {1}
disable_ipv6: false
deny_action: DROP
deny_log: false
supported_decisions_types: [ban]
blacklists_ipv4: crowdsec-blacklists
blacklists_ipv6: crowdsec6-blacklists
nftables:
  ipv4: {{enabled: true, set-only: false, table: crowdsec, chain: crowdsec-chain}}
  ipv6: {{enabled: true, set-only: false, table: crowdsec6, chain: crowdsec6-chain}}
prometheus: {{enabled: false}}
"""

    def __init__(self, lab, programs):
        self.lab, self.programs, self.place = lab, programs, PLACE + "/crowdsec"

    def write(self, name, text):
        with open(f"{self.place}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def cscli(self, *arguments):
        status, out, err = self.lab.run(self.programs + "/cscli", "-c", self.place + "/config.yaml", *arguments)
        if status:
            raise RuntimeError(f"cscli {' '.join(arguments)}: {err.strip()}")
        return out

    def start(self):
        os.makedirs(self.place)
        os.makedirs("/etc/crowdsec", exist_ok=True)
        for name, text in (("config.yaml", self.CONFIG.format(self.place)), ("simulation.yaml", "simulation: false\n"),
                           ("profiles.yaml", self.PROFILE), ("index.json", "{}")):
            self.write(name, text)
        self.cscli("machines", "add", "mailward", "--password", "secret", "--force", "-f", "/etc/crowdsec/local_api_credentials.yaml")
        key = self.cscli("bouncers", "add", "firewall", "-o", "raw").split()[0]
        self.lab.start("crowdsec", self.programs + "/crowdsec", "-c", self.place + "/config.yaml", "-no-cs")
        self.lab.wait_for_ports([8080])
        self.write("bouncer.yaml", self.BOUNCER.format(self.place, key))
        self.lab.start("bouncer", self.lab.roots + "/bouncer/usr/bin/crowdsec-firewall-bouncer", "-c", self.place + "/bouncer.yaml")
        wait_until("the bouncer made its tables", lambda: "crowdsec6" in self.lab.run("nft", "list", "tables")[1])


def find_crowdsec(unpacked):
    """The folder of its programs: what ./dev test unpacked, or what is installed; None if there is none."""
    for folder in (unpacked + "/usr/bin", "/usr/bin"):
        if os.path.exists(folder + "/crowdsec"):
            return folder
    return None
