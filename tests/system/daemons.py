"""The daemons under attack: how each is set up in its root, started, and when it is ready."""
import os
import re
import shutil

from lab import HOST, SERVER

DOMAIN = "example.com"
USER, PASSWORD = "anna", "s3cret-anna"  # she has mailboxes and a shell; roots.py made her
LISTEN = f"{SERVER[4]}, {SERVER[6]}"

DOVECOT = f"""protocols = imap
listen = {LISTEN}
log_path = syslog
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = yes
ssl_cert = </etc/ssl/lab.pem
ssl_key = </etc/ssl/lab.key
mail_location = maildir:/var/vmail/%n
mail_uid = vmail
mail_gid = vmail
first_valid_uid = 500
passdb {{
  driver = passwd-file
  args = /etc/dovecot/users
}}
userdb {{
  driver = static
  args = uid=vmail gid=vmail home=/var/vmail/%n
}}
service auth {{
  unix_listener /var/spool/postfix/private/auth {{
    mode = 0666
  }}
}}
service anvil {{
  # No growing pauses after wrong passwords: they would only lengthen the test.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

POSTFIX = f"""compatibility_level = 3.6
myhostname = {HOST}
myorigin = {DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = {LISTEN}
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = inline:{{{USER}@{DOMAIN}={USER}/}}
virtual_mailbox_base = /var/vmail
virtual_uid_maps = static:500
virtual_gid_maps = static:500
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_tls_cert_file = /etc/ssl/lab.pem
smtpd_tls_key_file = /etc/ssl/lab.key
smtpd_tls_security_level = may
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_client_connection_count_limit = 0
# No pauses after errors: they would only lengthen the test.
smtpd_error_sleep_time = 0
alias_maps =
"""

SUBMISSION = """submission inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
smtps inet n - n - - smtpd
  -o syslog_name=postfix/smtps
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_wrappermode=yes
"""

SSHD = f"""ListenAddress {SERVER[4]}
ListenAddress {SERVER[6]}
HostKey /etc/ssh/lab_key
UsePAM yes
KbdInteractiveAuthentication no
PermitRootLogin no
PrintMotd no
# No limits on connections: it isn't sshd that shall shut anybody out here.
MaxStartups 100
PerSourceMaxStartups none
"""

OPENSMTPD = f"""pki lab cert "/etc/ssl/lab.pem"
pki lab key "/etc/ssl/lab.key"
table creds {{ {USER} = "%s" }}
table vmap {{ "{USER}@{DOMAIN}" = "{USER}" }}
""" + "".join(f"""listen on {address} port 25 tls pki lab
listen on {address} port 465 smtps pki lab auth <creds>
listen on {address} port 587 tls-require pki lab auth <creds>
""" for address in SERVER.values()) + f"""action "in" maildir virtual <vmap>
match from any for domain "{DOMAIN}" action "in"
match auth from any for domain "{DOMAIN}" action "in"
"""


def write(root, path, text, mode=0o644):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    with open(root + path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(root + path, mode)


def must(done):
    status, out, err = done
    if status:
        raise RuntimeError((err or out).strip())
    return out


def start_mail(lab):
    """Postfix, Dovecot and sshd."""
    root = lab.root("mail")
    write(root, "/etc/postfix/main.cf", POSTFIX)
    with open(root + "/usr/share/postfix/master.cf.dist", encoding="ascii") as file:
        services = file.read()
    # Field five is chroot: what the daemons would need in there, a package's script would have copied.
    services = re.sub(r"(?m)^(\w\S* +\S+ +\S+ +\S+ +)y ", r"\1n ", services)
    write(root, "/etc/postfix/master.cf", services + SUBMISSION)
    write(root, "/etc/postfix/dynamicmaps.cf", "")
    write(root, "/etc/dovecot/dovecot.conf", DOVECOT)
    write(root, "/etc/dovecot/users", f"{USER}:{{PLAIN}}{PASSWORD}\n")
    write(root, "/etc/ssh/sshd_config", SSHD)
    os.makedirs(root + "/run/sshd", exist_ok=True)
    for path in ("/var/lib/postfix", "/var/spool/postfix/private"):
        os.makedirs(root + path, exist_ok=True)
        os.chown(root + path, 101, 101)
    must(lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/lab_key", root=root))
    lab.start("postfix", "/usr/sbin/postfix", "start-fg", root=root)
    lab.start("dovecot", "/usr/sbin/dovecot", "-F", root=root)
    lab.start("sshd", "/usr/sbin/sshd", "-D", root=root)
    lab.wait_for_ports([22, 25, 465, 587, 993])
    return root


def start_opensmtpd(lab):
    root = lab.root("opensmtpd")
    secret = must(lab.run("smtpctl", "encrypt", PASSWORD, root=root)).strip()
    write(root, "/etc/smtpd.conf", OPENSMTPD % secret)
    write(root, "/etc/mailname", HOST + "\n")
    shutil.copy(root + "/etc/ssl/lab.pem", root + "/etc/ssl/certs/ca-certificates.crt")  # it wants one
    lab.start("opensmtpd", "/usr/sbin/smtpd", "-F", root=root)
    lab.wait_for_ports([25, 465, 587])
    return root


START = {"mail": start_mail, "opensmtpd": start_opensmtpd}
