"""Whom the preset `default` must not name: people, offices, phones, mail servers. Each of them beside an
attacker who looks much like it, whom the preset does name."""
import datetime
import os
import tempfile
import unittest

import program

BEGIN = datetime.datetime(2026, 3, 2)
TAIL = "from=<{sender}> to=<{recipient}> proto=ESMTP helo=<{helo}>"
REJECT = "postfix/smtpd[77]: NOQUEUE: reject: RCPT from {ptr}[{address}]: "
INNOCENT, GUILTY = "192.0.2.10", "198.51.100.10"
# When a queue tries again: soon, then less often, for days.
QUEUE = [5 * 2 ** n for n in range(6)] + list(range(230, 4 * 1440, 67))


def record(minutes, text, host="mail"):
    return f"{(BEGIN + datetime.timedelta(minutes=minutes)).strftime('%b %e %H:%M:%S')} {host} {text}"


def refused(address, reply, minutes, sender="anna@firm.example", recipient="bert@here.example", helo="mx.firm.example"):
    facts = {"address": address, "sender": sender, "recipient": recipient, "helo": helo, "ptr": "mx.firm.example"}
    return record(minutes, (REJECT + reply + "; " + TAIL).format(**facts))


def failed(address, user, minutes):
    return record(minutes, f"dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): "
                           f"user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.25, TLS, session=<a{minutes}>")


def login(address, user, minutes):
    return record(minutes, f"dovecot: imap-login: Login: user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.25, "
                           f"mpid=77, TLS, session=<b{minutes}>")


class Innocents(unittest.TestCase):
    def judge(self, lines, innocent=(INNOCENT,), guilty=(), words=""):
        """The innocent are no offenders, the guilty are; `words` stand in what explain says of the first."""
        ordered = [line for _, line in sorted(enumerate(lines), key=lambda x: (self.time_of(x[1]), x[0]))]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "mail.log")
            with open(path, "w", encoding="utf-8") as out:
                out.write("".join(line + "\n" for line in ordered))
            how = ("--year", "2026", "--timezone", "UTC", "--policy", "default", path)
            sources = {s["address"]: s for s in program.scan("--format", "json", *how).json["sources"]}
            for address in innocent:
                self.assertIn(address, sources, "the log was not understood")
                self.assertEqual(sources[address]["policies"], [], address)
            for address in guilty:
                self.assertTrue(sources[address]["offender"], f"{address}: {sources[address]}")
            for address in (*innocent, *guilty):
                told = program.run("explain", address, "--format", "json", *how).json
                self.assertEqual(told["offender"], sources[address]["offender"])
            if words:
                told = program.run("explain", innocent[0] if innocent else guilty[0], *how).text
                self.assertIn(words, " ".join(told.split()))

    @staticmethod
    def time_of(line):
        return datetime.datetime.strptime("2026 " + line[:15], "%Y %b %d %H:%M:%S")

    def test_a_queue_comes_again(self):
        for reply in ("450 4.1.8 <{sender}>: Sender address rejected: Domain not found",
                      "450 4.7.1 <{helo}>: Helo command rejected: Host not found",
                      "450 4.7.25 Client host rejected: cannot find your hostname, [{address}]",
                      "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted",
                      "451 4.3.0 <{recipient}>: Temporary lookup failure",
                      "452 4.2.2 <{recipient}>: Recipient address rejected: Mailbox is full",
                      "452 4.3.1 Insufficient system storage",
                      "450 4.1.1 <{recipient}>: Recipient address rejected: User unknown in local recipient table"):
            with self.subTest(reply):
                self.judge([refused(INNOCENT, reply, m) for m in QUEUE])

    def test_several_people_of_one_domain_that_does_not_resolve(self):
        reply = "450 4.1.8 <{sender}>: Sender address rejected: Domain not found"
        lines = [refused(INNOCENT, reply, m + n, f"{n}@firm.example") for m in QUEUE for n in range(5)]
        # One that makes up a domain each time is no queue.
        lines += [refused(GUILTY, reply, 20 * n, f"a@nx{n}.example") for n in range(4)]
        self.judge(lines, guilty=[GUILTY], words="it is a mail server that tries again: all are about mail that it was told to bring again")

    def test_temporary_does_not_pay_for_the_rest(self):
        later = "450 4.7.1 <{helo}>: Helo command rejected: Host not found"
        unknown = "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown in local recipient table"
        lines = [refused(a, later, m) for m in QUEUE for a in (INNOCENT, GUILTY)]
        lines += [refused(INNOCENT, unknown, 60 + n, recipient=f"x{n}@here.example") for n in range(2)]
        lines += [refused(GUILTY, unknown, 60 + n, recipient=f"x{n}@here.example") for n in range(3)]
        self.judge(lines, guilty=[GUILTY], words="all but 2, so few are allowed, are about mail that it was told to bring again")

    def test_other_daemons_tell_to_come_again(self):
        session = "9a2bd95a086bc4b0"
        for text in ("sm-mta[7]: 6AL8EbqW024395: ruleset=check_mail, arg1=<a@far.example>, relay=[192.0.2.10], reject=451 "
                     "4.1.8 <a@far.example>... Domain of sender address a@far.example does not resolve",
                     "sm-mta[7]: 6AL8EbqW024395: ruleset=check_rcpt, arg1=<b@far.example>, relay=[192.0.2.10], reject=451 "
                     "4.1.8 <b@far.example>... Domain of sender address a@far.example does not resolve",
                     "exim[7]: H=mx.firm.example [192.0.2.10] F=<a@firm.example> temporarily rejected RCPT "
                     "<b@here.example>: greylisted",
                     "courieresmtpd: error,relay=::ffff:192.0.2.10,port=39377,from=<a@nx.example>: 417 DNS lookup "
                     "failure: nx.example.  Try again later.",
                     f'smtpd[7]: {session} smtp failed-command command="RCPT TO:<b@here.example>" result="451 Temporary '
                     'failure: <b@here.example>"'):
            with self.subTest(text):
                opened = f"smtpd[7]: {session} smtp connected address=192.0.2.10 host=mx.firm.example"
                closed = f"smtpd[7]: {session} smtp disconnected reason=quit"
                around = (lambda m: [record(m, opened), record(m, text), record(m, closed)]) if session in text else \
                         (lambda m: [record(m, text)])
                self.judge([line for m in QUEUE for line in around(m)])

    def test_full_mailboxes_and_large_messages(self):
        session = "9a2bd95a086bc4b0"
        size = ("postfix/smtpd[77]: NOQUEUE: reject: MAIL from mx.firm.example[192.0.2.10]: 552 5.3.4 Message size exceeds "
                "fixed limit; from=<a@firm.example> proto=ESMTP helo=<mx.firm.example>")
        full = "552 5.2.2 <{recipient}>: Recipient address rejected: Mailbox is full"
        self.judge([refused(INNOCENT, full, 60 * n, f"{n}@firm.example", f"{n}@here.example") for n in range(8)]
                   + [refused(GUILTY, full.replace("5.2.2", "5.7.1"), 60 * n, recipient=f"{n}@here.example") for n in range(8)],
                   guilty=[GUILTY])
        self.judge([record(60 * n, size) for n in range(8)])
        self.judge([record(60 * n, "exim[7]: rejected MAIL FROM:<a@firm.example> H=mx.firm.example [192.0.2.10]: message too "
                                   f"big: size=9999999{n} max=52428800") for n in range(8)])
        self.judge([record(60 * n, "exim[7]: rejected from <a@firm.example> H=mx.firm.example [192.0.2.10]: message too "
                                   f"big: read=6000000{n} max=52428800") for n in range(8)])
        self.judge([record(60 * n, line) for n in range(8) for line in (
            f"smtpd[7]: {session} smtp connected address=192.0.2.10 host=mx.firm.example",
            f'smtpd[7]: {session} smtp failed-command command="." result="554 5.3.4 Message too big for system: '
            'Transaction failed, message too big"',
            f"smtpd[7]: {session} smtp disconnected reason=quit")])

    def test_an_office(self):
        people = ["anna", "bert", "clara"]
        # A new colleague, who was never there; the others log in before and after.
        office = [login(INNOCENT, user, 60 * n + i) for n in range(9) for i, user in enumerate(people)]
        office += [failed(INNOCENT, "dieter", 100 + n) for n in range(7)]
        # A guesser with an account of his own.
        guesser = [login(GUILTY, "emma", 60 * n + 3) for n in range(9)] + [failed(GUILTY, "frieda", 100 + n) for n in range(7)]
        self.judge(office + guesser, guilty=[GUILTY], words="3 users logged in from there: 4 are allowed for each of them")
        # Each mistypes before the first login; the second office fails more than its people may.
        early = [failed(a, user, 10 * i + n) for a, times in ((INNOCENT, 3), (GUILTY, 5))
                 for i, user in enumerate(people) for n in range(times)]
        late = [login(a, user, 500 + i) for a in (INNOCENT, GUILTY) for i, user in enumerate(people)]
        self.judge(early + late, guilty=[GUILTY])

    def test_the_owner_of_a_name_under_attack(self):
        bots = [f"203.0.113.{n}" for n in range(1, 14)]
        attack = [failed(bot, user, 30 * n + i) for n, bot in enumerate(bots) for i, user in enumerate(("anna", "info"))]
        home = [login("192.0.2.99", "anna", 5)]
        owner = [failed(INNOCENT, "anna", 200)]
        # The bots have tried a name that is nobody's as well; the owner only his own.
        self.judge(attack + home + owner, innocent=(INNOCENT, "192.0.2.99"), guilty=bots,
                   words="that user logs in elsewhere")
        # Nobody logs in with that name, ever: then it is nobody's.
        self.judge(attack + owner, innocent=(), guilty=[INNOCENT, *bots])

    def test_a_name_that_few_bots_have_tried(self):
        bots = [f"203.0.113.{n}" for n in range(1, 6)]
        attack = [failed(bot, "anna", 30 * n) for n, bot in enumerate(bots)]
        self.judge(attack + [failed(INNOCENT, "anna", 200)], innocent=[INNOCENT, *bots])
        # Where the log says that there is no such user, nobody mistypes.
        unknown = "dovecot: auth: passwd-file(root,{},<u{}>): unknown user"
        self.judge([record(30 * n, unknown.format(bot, n)) for n, bot in enumerate([*bots, GUILTY])], innocent=(),
                   guilty=[GUILTY, *bots])

    def test_whoever_does_not_like_our_certificate(self):
        def handshake(minutes, address, why):
            lines = (f"connect from mx.firm.example[{address}]", f"SSL_accept error from mx.firm.example[{address}]: -1",
                     f"warning: TLS library problem: error:0A000415:SSL routines::{why}:../ssl/record/rec_layer_s3.c:1584:",
                     f"lost connection after STARTTLS from mx.firm.example[{address}]",
                     f"disconnect from mx.firm.example[{address}] ehlo=1 starttls=0/1 commands=1/2")
            return [record(minutes, f"postfix/smtpd[77]: {line}") for line in lines]
        self.judge([line for n in range(9) for address, why in ((INNOCENT, "sslv3 alert certificate expired"),
                                                                (GUILTY, "wrong version number"))
                    for line in handshake(10 * n, address, why)], guilty=[GUILTY])

    def test_a_server_without_tls_that_delivers(self):
        broken = "postfix/smtpd[77]: SSL_accept error from mx.firm.example[{}]: lost connection"
        taken = ("postfix/smtpd[77]: 4A820B020{:02}: client=mx.firm.example[192.0.2.10]",
                 "postfix/qmgr[9]: 4A820B020{:02}: from=<anna@firm.example>, size=315, nrcpt=1 (queue active)")
        both = [record(10 * n, broken.format(a)) for n in range(12) for a in (INNOCENT, GUILTY)]
        self.judge(both + [record(10 * n + 1, line.format(n)) for n in range(13) for line in taken], guilty=[GUILTY])

    def test_a_list_that_does_not_serve_us(self):
        why = "554 5.7.1 Service unavailable; Client host [{address}] blocked using bl.example; "
        later = refused(INNOCENT, "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted", 5)
        self.judge([later] + [refused(INNOCENT, why + "Error: open resolver; https://bl.example/returnc/192.0.2.53", 10 * n) for n in range(9)]
                   + [refused(GUILTY, why + "https://bl.example/query/ip", 10 * n) for n in range(9)], guilty=[GUILTY])

    def test_one_person_with_an_old_password_is_no_attack(self):
        places = ["192.0.2.10", "192.0.2.11", "192.0.2.12"]
        lines = [failed(place, "anna", 600 * n + 7 * i) for i, place in enumerate(places) for n in range(4)]
        self.judge(lines, innocent=places, words="only 3 sources took part, and it takes 4 to call it an attack on that user")
        lines += [failed("192.0.2.13", "anna", 700)]
        self.judge(lines, innocent=(), guilty=[*places, "192.0.2.13"])

    def test_a_monitor_can_be_ignored(self):
        probes = [record(5 * n, "postfix/smtps/smtpd[7]: SSL_accept error from mon.firm.example[192.0.2.10]: lost connection")
                  for n in range(12)]
        self.judge(probes, innocent=(), guilty=[INNOCENT], words="put it on the ignore list")
        bot = probes + [record(70, "postfix/smtpd[7]: warning: non-SMTP command from mon.firm.example[192.0.2.10]: GET /")]
        with self.assertRaises(AssertionError):
            self.judge(bot, innocent=(), guilty=[INNOCENT], words="put it on the ignore list")


if __name__ == "__main__":
    unittest.main()
