"""A scripted LMTP server on a unix socket (RFC 2033): as smtpd.py, with a verdict for each
recipient. `Behaviour.verdicts` has the replies by address; the others are taken."""
import os
import socket

from . import smtpd


class Connection(smtpd.Connection):
    def do_lhlo(self, line):
        super().do_ehlo(line)

    def do_ehlo(self, line):
        self.reply("EHLO", line, "500 5.5.1 this is LMTP")

    do_helo = do_ehlo

    def take(self, data, raw):
        sender, parameters, recipients = self.envelope
        self.envelope = None
        verdicts = {r: self.b.verdicts.get(r, f"250 2.0.0 stored for {r}") for r in recipients}
        taken = [r for r in recipients if verdicts[r].startswith("2")]
        self.session.messages.append(smtpd.Message(sender, taken, parameters, data, raw,
                                                   self.session.channel, bool(taken), 0.0))
        for recipient in recipients:
            self.reply(".", recipient, verdicts[recipient])


class LmtpServer(smtpd.SmtpServer):
    connection = Connection

    def __init__(self, path, script, certificates):
        self.path = str(path)
        super().__init__(self.path, 0, "lmtp.test", script, certificates)

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(200)
        return listener

    def close(self):
        super().close()
        os.unlink(self.path)
