"""Hosts that hold whoever connects: one event loop in a thread, so that hundreds of them cost nothing.

    tarpits = Tarpits(address, port)      # takes addresses from `address` (a function), one a kind
    tarpits.addresses["banner"]
    tarpits.open                          # connections now; .most, .lasted_s (of those that are over)
"""
import asyncio
import threading
import time

DRIP_S = 0.2


async def drip(writer, beginning=b"250-"):
    """Never silent and never done."""
    writer.write(beginning)
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DRIP_S)


async def silence(reader):
    while await reader.read(65536):
        pass


async def greet(reader, writer, *extensions):
    writer.write(b"220 tar.test ESMTP\r\n")
    await reader.readline()
    lines = [b"tar.test", *extensions]
    for line in lines[:-1]:
        writer.write(b"250-" + line + b"\r\n")
    writer.write(b"250 " + lines[-1] + b"\r\n")


async def take(reader, writer, until):
    """Says yes to commands before `until`, which is read."""
    while True:
        line = await reader.readline()
        if not line:
            raise ConnectionError
        if line.upper().startswith(until):
            return
        writer.write(b"250 2.0.0 ok\r\n")


async def says_nothing(reader, _writer):
    await silence(reader)


async def drips_banner(_reader, writer):
    await drip(writer, b"220-")


async def drips_ehlo(reader, writer):
    writer.write(b"220 tar.test ESMTP\r\n")
    await reader.readline()
    await drip(writer)


async def stalls_in_handshake(reader, writer):
    await greet(reader, writer, b"STARTTLS")
    await reader.readline()
    writer.write(b"220 2.0.0 go ahead\r\n")
    await silence(reader)


async def drips_in_handshake(reader, writer):
    await greet(reader, writer, b"STARTTLS")
    await reader.readline()
    writer.write(b"220 2.0.0 go ahead\r\n")
    await reader.read(1)
    await drip(writer, bytes.fromhex("1603033e80" "02003e7c"))  # the head of a ServerHello of 16 KB


async def stalls_at_mail(reader, writer):
    await greet(reader, writer)
    await silence(reader)


async def drips_rcpt(reader, writer):
    await greet(reader, writer)
    await take(reader, writer, b"RCPT")
    await drip(writer)


async def stalls_at_data(reader, writer):
    await greet(reader, writer)
    await take(reader, writer, b"DATA")
    await silence(reader)


async def keeps_verdict(reader, writer):
    """The host may have the message: nobody is in a hurry to take it away."""
    await greet(reader, writer)
    await take(reader, writer, b"DATA")
    writer.write(b"354 go ahead\r\n")
    await silence(reader)


KINDS = {"nothing": says_nothing, "banner": drips_banner, "ehlo": drips_ehlo, "handshake": stalls_in_handshake,
         "hello": drips_in_handshake, "mail": stalls_at_mail, "rcpt": drips_rcpt, "data": stalls_at_data,
         "verdict": keeps_verdict}


class Tarpits:
    def __init__(self, address, port):
        self.open, self.most, self.lasted_s, self.count = 0, 0, [], 0
        self.addresses = {kind: address() for kind in KINDS}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._servers = [self._run(asyncio.start_server(self._serve(KINDS[kind]), address_of_kind, port, backlog=1000))
                         for kind, address_of_kind in self.addresses.items()]

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _serve(self, behave):
        async def serve(reader, writer):
            begun = time.monotonic()
            self.open += 1
            self.count += 1
            self.most = max(self.most, self.open)
            try:
                await behave(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                self.open -= 1
                self.lasted_s.append(time.monotonic() - begun)
                writer.close()
        return serve

    async def _end(self):
        for server in self._servers:
            server.close()
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
