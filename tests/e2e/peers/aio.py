"""aiosmtpd with STARTTLS: the third receiver, somebody else's SMTP code."""
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP


class _Handler:
    def __init__(self):
        self.envelopes = []

    async def handle_DATA(self, server, session, envelope):
        # aiosmtpd parses every address strictly; what it kept is what it saw.
        envelope.was_tls = session.ssl is not None
        self.envelopes.append(envelope)
        return "250 2.0.0 taken"


class _Controller(Controller):
    def __init__(self, context, **options):
        super().__init__(_Handler(), **options)
        self._context = context

    def factory(self):
        return SMTP(self.handler, tls_context=self._context, hostname=self.name, enable_SMTPUTF8=True)


class AioServer:
    """`envelopes`: mail_from, rcpt_tos, content (dots unstuffed), was_tls. `sni`: names seen."""

    def __init__(self, address, port, name, certificates):
        self.address, self.port, self.name, self.sni = address, port, name, []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.cert, certificates.key)
        context.sni_callback = lambda _sock, seen, _context: self.sni.append(seen)
        self._controller = _Controller(context, hostname=address, port=port)
        self._controller.name = name
        self._controller.start()

    @property
    def envelopes(self):
        return self._controller.handler.envelopes

    def close(self):
        self._controller.stop()
