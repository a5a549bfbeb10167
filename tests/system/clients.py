"""Those who come to the server: honest users and three kinds of attackers, and the question whether somebody is let in.

All of them come from the address `source`, which is one of the network namespace that the calling thread is in
(lab.network).
"""
import contextlib
import imaplib
import os
import smtplib
import socket
import ssl
import subprocess

from daemons import DOMAIN, PASSWORD, USER
from lab import server_for

ANYTHING = ssl.create_default_context()
ANYTHING.check_hostname = False
ANYTHING.verify_mode = ssl.CERT_NONE
PATIENCE = 8.0  # seconds: of honest users
HASTE = 4.0     # of attackers: whoever is cut off in the middle of it need not be waited for
GOODBYE = 0.5   # of all: for the answer to QUIT
TRIES = 6       # more than each limit of the test's policy


def dial(source, port, timeout):
    return socket.create_connection((server_for(source), port), timeout, (source, 0))


def knock(source, port):
    """A connection attempt: "answered", "refused" or, if nothing at all comes back, "silence"."""
    try:
        dial(source, port, 1.2).close()  # a SYN, and after a second another
        return "answered"
    except TimeoutError:
        return "silence"
    except ConnectionError:
        return "refused"


class Smtp(smtplib.SMTP):
    """With TLS from the first byte on port 465."""

    def __init__(self, source, port, timeout):
        self.source = source
        super().__init__(server_for(source), port, local_hostname="client.example.org", timeout=timeout)

    def _get_socket(self, host, port, timeout):
        plain = dial(self.source, port, timeout)
        return ANYTHING.wrap_socket(plain) if port == 465 else plain

    def __exit__(self, kind, *_):
        if kind is None:  # else there may be nobody who answers
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self.sock.settimeout(GOODBYE)
                self.quit()
        self.close()


class Imap(imaplib.IMAP4):
    def __init__(self, source, timeout):
        self.source = source
        super().__init__(server_for(source), 993, timeout)

    def _create_socket(self, timeout):
        return ANYTHING.wrap_socket(dial(self.source, self.port, timeout))

    def __exit__(self, kind, *_):
        if kind is None:
            with contextlib.suppress(imaplib.IMAP4.error, OSError):
                self.sock.settimeout(GOODBYE)
                self.logout()
        else:
            self.shutdown()


def ssh(source, user, password, prompts, timeout):
    """True if the login succeeded. The client is OpenSSH's, from the root of the mail daemons."""
    answer = "/tmp/answer"
    root = "/run/lab/mail/root"
    if not os.path.exists(root + answer):
        with open(root + answer, "w", encoding="ascii", opener=lambda p, f: os.open(p, f, 0o755)) as file:
            file.write('#!/bin/sh\necho "$ANSWER"\n')
    options = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "PreferredAuthentications": "password",
               "NumberOfPasswordPrompts": prompts, "ConnectTimeout": int(timeout), "LogLevel": "ERROR"}
    command = ["chroot", root, "/usr/bin/ssh", "-b", source, *(f"-o{k}={v}" for k, v in options.items()),
               f"{user}@{server_for(source)}", "true"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=timeout,
                          env=os.environ | {"SSH_ASKPASS": answer, "SSH_ASKPASS_REQUIRE": "force", "ANSWER": password})
    return done.returncode == 0


# ---------------------------------------------------------------- honest

def submits(source, port=587):
    """Logs in and sends a mail."""
    with Smtp(source, port, PATIENCE) as s:
        if port != 465:
            s.starttls(context=ANYTHING)
        s.login(USER, PASSWORD)
        s.sendmail(f"{USER}@{DOMAIN}", [f"{USER}@{DOMAIN}"], f"From: {USER}@{DOMAIN}\r\nSubject: note to self\r\n\r\nmilk\r\n")


def delivers(source):
    """Another mail server, without a login."""
    with Smtp(source, 25, PATIENCE) as s:
        s.sendmail("bob@example.org", [f"{USER}@{DOMAIN}"], "From: bob@example.org\r\nSubject: hello\r\n\r\nhello\r\n")


def reads(source):
    with Imap(source, PATIENCE) as box:
        box.login(USER, PASSWORD)
        status, _ = box.select("INBOX")
        if status != "OK":
            raise ConnectionError("INBOX can't be opened")


def works(source):
    if not ssh(source, USER, PASSWORD, 1, PATIENCE):
        raise ConnectionError("no login by ssh")


# ---------------------------------------------------------------- attackers: `source(i)` is where try i comes from

def guesses_smtp(source):
    for i in range(TRIES):
        with Smtp(source(i), 465, HASTE) as s, contextlib.suppress(smtplib.SMTPAuthenticationError):
            s.ehlo()
            s.user, s.password = f"info{i}@{DOMAIN}", "123456"
            s.auth("PLAIN", s.auth_plain)


def guesses_imap(source):
    for i in range(TRIES):
        with Imap(source(i), HASTE) as box, contextlib.suppress(imaplib.IMAP4.error):
            box.login(f"office{i}", "123456")


def guesses_ssh(source):
    for i in range(TRIES // 3):  # three tries a connection
        ssh(source(i), "root", "123456", 3, HASTE)


def vanishes(source):
    """Connects to a port on which TLS is spoken, and is gone."""
    for i in range(TRIES):
        dial(source(i), 465, HASTE).close()


def harvests(source):
    """Asks which recipients there are."""
    for i in range(TRIES // 2):
        with Smtp(source(i), 25, HASTE) as s:
            s.ehlo()
            s.mail("bob@example.org")
            for name in ("sales", "office"):
                s.rcpt(f"{name}{i}@{DOMAIN}")
