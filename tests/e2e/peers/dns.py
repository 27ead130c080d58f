"""Name servers: Knot DNS with a zone that the test makes, and a scripted one for failures."""
import pathlib
import socket
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from . import net

TTL_S = 300


class Zone:
    """Records of a whole little internet: name -> list of (type, rdata)."""

    def __init__(self):
        self.records = {}

    def add(self, name, rtype, rdata, ttl=TTL_S):
        self.records.setdefault(name.rstrip(".").lower(), []).append((rtype, rdata, ttl))

    def mx(self, domain, preference, host):
        self.add(domain, "MX", f"{preference} {host.rstrip('.')}.")

    def address(self, host, address):
        self.add(host, "AAAA" if ":" in address else "A", address)

    def cname(self, name, target):
        self.add(name, "CNAME", f"{target.rstrip('.')}.")

    def text(self):
        lines = [". 60 SOA ns. root. 1 3600 600 86400 60", ". 60 NS ns.", "ns. 60 A 127.0.0.1"]
        for name, records in self.records.items():
            lines += [f"{name}. {ttl} {rtype} {rdata}" for rtype, rdata, ttl in records]
        return "\n".join(lines) + "\n"


class Knot:
    """knotd, authoritative for the root, so that what is not in the zone does not exist."""

    def __init__(self, directory, address, port, zone):
        self.address, self.port = address, port
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True)
        (directory / "zone").write_text(zone.text())
        conf = directory / "knot.conf"
        conf.write_text(f"""\
server:
    rundir: {directory}
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {directory}/db
log:
  - target: {directory}/knot.log
    any: info
template:
  - id: default
    storage: {directory}
    zonefile-sync: -1
    journal-content: none
zone:
  - domain: .
    file: zone
""")
        with open(directory / "knot.out", "wb") as out:
            self.process = subprocess.Popen([*net.DIE_WITH_PARENT, "/usr/sbin/knotd", "-c", str(conf)],
                                            stdout=out, stderr=out)
        net.wait_for(self._answers, "knotd to serve its zone")

    def _answers(self):
        assert self.process.poll() is None, "knotd ended at once; see knot.out and knot.log"
        query = dns.message.make_query(".", "SOA")
        try:
            reply = dns.query.udp(query, self.address, port=self.port, timeout=0.2)
        except Exception:  # not up yet: refused or no answer
            return False
        return reply.rcode() == dns.rcode.NOERROR and bool(reply.answer)

    def close(self):
        self.process.terminate()
        self.process.wait()


class ScriptedDns:
    """Answers from a Zone, except where `failures` says otherwise.

    failures: (name, type) or name -> "servfail", "refused", "formerr", "notimp", "nxdomain",
    "timeout" (no answer), "garbage" (not DNS), "truncated" (TC over UDP, fine over TCP),
    "empty-mx" (an MX record with no data). May be changed while it runs. `queries` lists what was asked.
    """

    RCODES = {"servfail": dns.rcode.SERVFAIL, "refused": dns.rcode.REFUSED,
              "formerr": dns.rcode.FORMERR, "notimp": dns.rcode.NOTIMP,
              "nxdomain": dns.rcode.NXDOMAIN}

    def __init__(self, address, port, zone, failures=None):
        self.address, self.port, self.zone = address, port, zone
        self.failures = dict(failures or {})
        self.queries = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, port))
        self._tcp = socket.create_server((address, port))
        self._threads = [threading.Thread(target=self._serve_udp, daemon=True),
                         threading.Thread(target=self._serve_tcp, daemon=True)]
        for thread in self._threads:
            thread.start()

    def close(self):
        for s in (self._udp, self._tcp):
            try:
                s.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads it
            except OSError:
                pass
            s.close()
        for thread in self._threads:
            thread.join(5)

    def _serve_udp(self):
        while True:
            try:
                wire, client = self._udp.recvfrom(65535)
            except OSError:
                return
            if not wire:
                return
            self._send(self._answer(wire, is_udp=True), client)

    def _send(self, answer, client):
        """Of what `_answer` returned: over UDP."""
        if answer is None:
            return
        try:
            self._udp.sendto(answer, client)
        except OSError:  # the server is being closed
            pass

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(conn,), daemon=True).start()

    def _serve_connection(self, conn):
        with conn:
            conn.settimeout(5)
            try:
                (size,) = struct.unpack("!H", conn.recv(2, socket.MSG_WAITALL))
                self._write(self._answer(conn.recv(size, socket.MSG_WAITALL), is_udp=False), conn)
            except (OSError, struct.error):
                pass

    def _write(self, answer, conn):
        """Of what `_answer` returned: over TCP."""
        if answer is not None:
            conn.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, wire, is_udp):
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text().rstrip(".").lower()
        rtype = dns.rdatatype.to_text(query.question[0].rdtype)
        self.queries.append((name, rtype))
        failure = self.failures.get((name, rtype), self.failures.get(name))
        if failure == "timeout":
            return None
        if failure == "garbage":
            return b"\xff" * 40
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if failure in self.RCODES:
            reply.set_rcode(self.RCODES[failure])
        elif failure == "truncated" and is_udp:
            reply.flags |= dns.flags.TC
        elif failure == "empty-mx":
            return self._empty_mx(query)
        else:
            self._fill(reply, name, rtype)
        return reply.to_wire()

    def _fill(self, reply, name, rtype):
        for _ in range(8):
            if name not in self.zone.records:
                reply.set_rcode(dns.rcode.NXDOMAIN)
                return
            records = self.zone.records[name]
            found = [(rdata, ttl) for t, rdata, ttl in records if t == rtype]
            aliases = [(rdata, ttl) for t, rdata, ttl in records if t == "CNAME"]
            chosen, kind = (found, rtype) if found else (aliases, "CNAME")
            if not chosen:
                return
            reply.answer.append(dns.rrset.from_text(
                name + ".", chosen[0][1], "IN", kind, *[rdata for rdata, _ in chosen]))
            if kind == rtype:
                return
            name = chosen[0][0].rstrip(".").lower()

    @staticmethod
    def _empty_mx(query):
        """One MX record whose data has no octets: malformed, not a null MX."""
        question = query.to_wire()[12:]
        question = question[:question.index(b"\0") + 5]
        header = struct.pack("!HHHHHH", query.id, 0x8580, 1, 1, 0, 0)
        return header + question + b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 60, 0)
