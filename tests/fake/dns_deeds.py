"""What the name server of dns_server.py can do, by the words of dns.table."""
import functools
import struct

from dns_server import AA, ANSWER, CODES, TC, TO_QUESTION, Late, Raw, mx, name, record, soa

DEEDS = {}
RCODES = {"FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "NOTAUTH": 9}
FILLER = b"\x00\x0a" + b"x" * 500


def deed(words):
    def note(function):
        DEEDS[words] = function
        return function
    return note


def of(words, *settings):
    """The function of a deed, which may need settings: "500 hosts" is the deed "hosts" with 500."""
    return functools.partial(DEEDS[words], *settings) if settings else DEEDS[words]


def good(ask, flags=ANSWER, **how):
    """What the healthy zone would say."""
    return ask.healthy(flags=flags, **how)


def one(ask, data, **how):
    """One record of what was asked for."""
    return ask.answer(record(TO_QUESTION, ask.type, data, **how))


def data(ask):
    """The body of a good record."""
    return ask.server.zone(ask.name, ask.type)[0]


# -- codes and refusals --

for _rcode in RCODES:
    DEEDS[_rcode] = lambda ask, code=RCODES[_rcode]: ask.answer(
        flags=ANSWER | code, authority=[soa("test")] if code == 3 else [])


@deed("BADVERS")
def badvers(ask):
    return ask.answer(additional=[record(b"\0", "OPT", b"", ttl=1 << 24, klass=1232)])


@deed("SERVFAIL with good records")
def servfail_with_records(ask):
    return good(ask, ANSWER | 2)


@deed("NXDOMAIN with good records")
def nxdomain_with_records(ask):
    return good(ask, ANSWER | 3)


@deed("no data")
def no_data(ask):
    return ask.answer(authority=[soa("test")])


@deed("no data, no SOA")
def no_data_no_soa(ask):
    return ask.answer()


@deed("lame referral")
def lame(ask):
    return ask.answer(authority=[record("test", "NS", name("ns.elsewhere.test"))])


@deed("SOA cut off")
def broken_soa(ask):
    return ask.answer(authority=[record("test", "SOA", name("ns.test") + b"\0\0")])


# -- truncation, TCP, time --

@deed("truncated, TCP good")
def truncated(ask):
    return good(ask) if ask.is_tcp else ask.answer(flags=ANSWER | TC)


@deed("truncated, TCP truncated too")
def truncated_always(ask):
    return ask.answer(flags=ANSWER | TC)


def over_tcp(ask, what):
    return what if ask.is_tcp else ask.answer(flags=ANSWER | TC)


for _over, _octets in (("closes", Raw(b"")),
                       ("stalls", Raw(b"", stalls=True)),
                       ("sends half a length", Raw(b"\x01")),
                       ("sends half a length and stalls", Raw(b"\x01", stalls=True)),
                       ("length of 0", Raw(b"\0\0", stalls=True))):
    DEEDS["truncated, TCP " + _over] = functools.partial(over_tcp, what=_octets)


@deed("truncated, TCP length says more")
def tcp_length_lies(ask):
    return over_tcp(ask, Raw(struct.pack("!H", 4000) + good(ask)))


@deed("truncated, 64 KB over TCP")
def huge(ask):
    if not ask.is_tcp:
        return ask.answer(flags=ANSWER | TC)
    texts = [record(TO_QUESTION, "TXT", b"\xff" + b"t" * 255) for _ in range(240)]
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), additional=texts)


@deed("silence")
def silence(_ask):
    return None


@deed("silence, then an answer")
def silent_once(ask):
    return None if ask.nth == 1 else good(ask)


@deed("answer too late")
def too_late(ask):
    return Late(good(ask), 60)


@deed("answer late")
def late(ask):
    return Late(good(ask), 0.3)


# -- not an answer to the question --

@deed("other id")
def other_id(ask):
    message = good(ask)
    return bytes([message[0] ^ 1]) + message[1:]


@deed("other id, then the answer")
def spoofed_first(ask):
    message = one(ask, mx("trap.elsewhere.test"))
    return [bytes([message[0] ^ 1]) + message[1:], good(ask)]


@deed("other name in the question")
def other_name(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)),
                      question=[name("other.test") + struct.pack("!HH", CODES[ask.type], 1)])


@deed("other type in the question")
def other_type(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), question=[ask.question[:-4] + b"\0\x10\0\1"])


@deed("other class in the question")
def other_class(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), question=[ask.question[:-2] + b"\0\3"])


@deed("no question")
def no_question(ask):
    return ask.answer(record(name(ask.name), ask.type, data(ask)), question=[])


@deed("two questions")
def two_questions(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), question=[ask.question] * 2)


@deed("a question itself")
def not_a_response(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), flags=0x0100)


@deed("other opcode")
def other_opcode(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), flags=ANSWER | 0x1000)


@deed("header alone")
def header_alone(ask):
    return ask.answer(question=[])


@deed("three octets")
def three_octets(ask):
    return ask.id + b"\x81"


@deed("empty datagram")
def empty_datagram(_ask):
    return b""


@deed("garbage")
def garbage(ask):
    return ask.id + b"\xff" * 60


# -- records of something else --

@deed("record of another name")
def another_owner(ask):
    return ask.answer(record("other.test", ask.type, data(ask)))


@deed("record of another name beside the good one")
def another_owner_too(ask):
    return ask.answer(record("other.test", ask.type, data(ask)), record(TO_QUESTION, ask.type, data(ask)))


@deed("record of another type")
def another_type(ask):
    return ask.answer(record(TO_QUESTION, "TXT", b"\1x"))


@deed("record of another class")
def another_class(ask):
    return one(ask, data(ask), klass=3)


# -- octets that lie --

@deed("owner that points at itself")
def pointer_loop(ask):
    at = 12 + len(ask.question)
    return ask.answer(record(struct.pack("!H", 0xc000 | at), ask.type, data(ask)))


@deed("two pointers at each other")
def pointer_ring(ask):
    at = 12 + len(ask.question)
    ring = struct.pack("!HH", 0xc000 | (at + 2), 0xc000 | at)
    return ask.answer(record(ring[:2], ask.type, ring + data(ask)))


@deed("chain of 300 pointers")
def pointer_chain(ask):
    """In the body of a record of another type, so that only the name of the last record needs it."""
    start = 12 + len(ask.question) + 2 + 10
    links = [TO_QUESTION] + [struct.pack("!H", 0xc000 | (start + 2 * i)) for i in range(299)]
    end = struct.pack("!H", 0xc000 | (start + 2 * 299))
    return ask.answer(record(TO_QUESTION, "TXT", b"".join(links)), record(end, ask.type, data(ask)))


@deed("pointer forward")
def pointer_forward(ask):
    at = 12 + len(ask.question) + 2 + 10 + len(data(ask))
    return ask.answer(record(struct.pack("!H", 0xc000 | at), ask.type, data(ask)),
                      record(ask.name, "TXT", b"\1x"))


@deed("pointer behind the end")
def pointer_behind(ask):
    return ask.answer(record(b"\xff\xff", ask.type, data(ask)))


@deed("label of 64")
def label_of_64(ask):
    return ask.answer(record(b"\x40" + b"a" * 64 + b"\0", ask.type, data(ask)))


@deed("name of 256 octets")
def long_name(ask):
    return ask.answer(record((b"\x3f" + b"a" * 63) * 4 + b"\0", ask.type, data(ask)))


@deed("RDLENGTH too large")
def rdlength_large(ask):
    return one(ask, data(ask), length=len(data(ask)) + 40)


@deed("RDLENGTH too small")
def rdlength_small(ask):
    return one(ask, data(ask), length=len(data(ask)) - 1)


@deed("RDLENGTH of 65535")
def rdlength_huge(ask):
    return one(ask, data(ask), length=65535)


@deed("no RDATA")
def no_rdata(ask):
    return one(ask, b"")


@deed("RDATA of an octet")
def one_octet(ask):
    return one(ask, b"\0")


@deed("RDATA of an octet too many")
def octet_too_many(ask):
    return one(ask, data(ask) + b"\0")


@deed("count of one too many")
def count_too_high(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), counts=(1, 2, 0, 0))


@deed("count of 0 with a record")
def count_zero(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), counts=(1, 0, 0, 0))


@deed("count of 65535")
def count_huge(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask)), counts=(1, 65535, 0, 0))


@deed("garbage behind the end")
def trailing(ask):
    return ask.answer(record(TO_QUESTION, ask.type, data(ask))) + b"\xaa" * 20


@deed("cut off in the record")
def cut(ask):
    return good(ask)[:-2]


# -- aliases --

def chain(ask, length):
    """`length` aliases to a name at which the good record is."""
    names = [ask.name] + [f"c{i}.{ask.name}" for i in range(length)]
    links = [record(here, "CNAME", name(there)) for here, there in zip(names, names[1:])]
    return ask.answer(*links, record(names[-1], ask.type, data(ask)))


for _length in (1, 8, 20, 100):
    DEEDS[f"{_length} CNAME" + "s" * (_length > 1)] = functools.partial(chain, length=_length)


@deed("CNAME an answer, for ever")
def endless_chain(ask):
    """Each answer is one alias more; there is no SOA, so it has to be asked for."""
    ask.server.deeds["c." + ask.name, ask.type] = endless_chain
    return ask.answer(record(TO_QUESTION, "CNAME", name("c." + ask.name)))


@deed("CNAME loop")
def cname_loop(ask):
    return ask.answer(record(TO_QUESTION, "CNAME", name("c." + ask.name)),
                      record("c." + ask.name, "CNAME", name(ask.name)))


@deed("CNAME to itself")
def cname_self(ask):
    return ask.answer(record(TO_QUESTION, "CNAME", name(ask.name)))


@deed("two CNAMEs")
def two_cnames(ask):
    return ask.answer(record(TO_QUESTION, "CNAME", name("c." + ask.name)),
                      record(TO_QUESTION, "CNAME", name("d." + ask.name)),
                      record("c." + ask.name, ask.type, data(ask)))


@deed("CNAME beside the record")
def cname_beside(ask):
    return ask.answer(record(TO_QUESTION, "CNAME", name("c." + ask.name)),
                      record(TO_QUESTION, ask.type, data(ask)))


@deed("CNAME to the root")
def cname_root(ask):
    return ask.answer(record(TO_QUESTION, "CNAME", b"\0"))


# -- MX records: hosts are called after what they are, see zone() in test_fake_dns.py --

@deed("null MX")
def null_mx(ask):
    return one(ask, mx(b"\0", 0))


@deed("null MX of preference 10")
def null_mx_10(ask):
    return one(ask, mx(b"\0", 10))


@deed("two null MX")
def null_mx_twice(ask):
    return ask.answer(*[record(TO_QUESTION, "MX", mx(b"\0", 0))] * 2)


@deed("null MX beside a host")
def null_mx_beside(ask):
    return ask.answer(record(TO_QUESTION, "MX", mx(b"\0", 0)), record(TO_QUESTION, "MX", mx("mx." + ask.name)))


def hosts(ask, kind, count):
    return ask.mx(*(f"{kind}{i}.{ask.name}" for i in range(count)))


@deed("500 hosts, nobody at home")
def hosts_500(ask):
    return hosts(ask, "dead", 500)


@deed("500 hosts, the best is good")
def hosts_500_good(ask):
    names = ["mx." + ask.name, *(f"dead{i}.{ask.name}" for i in range(499))]
    return ask.mx(*names)


@deed("500 hosts that do not exist")
def hosts_500_gone(ask):
    return hosts(ask, "gone", 500)


@deed("3000 hosts, the best is the last")
def hosts_3000(ask):
    """64 KB."""
    dead = [record(TO_QUESTION, "MX", struct.pack("!H", 60000) + b"\2dx" + TO_QUESTION) for _ in range(3000)]
    return ask.answer(*dead, record(TO_QUESTION, "MX", mx("mx." + ask.name, 1)))


@deed("one host 20 times")
def same_host(ask):
    return ask.answer(*[record(TO_QUESTION, "MX", mx("dead0." + ask.name))] * 20)


@deed("MX to the domain itself")
def mx_itself(ask):
    return ask.mx(ask.name)


@deed("MX to our own name")
def mx_own_name(ask):
    return ask.mx("client.sender.test")


@deed("MX to an address as a name")
def mx_address(ask):
    return ask.mx("127.0.0.1")


@deed("MX to a bracketed address")
def mx_literal(ask):
    return ask.mx(b"\x0b[127.0.0.1]\0")


@deed("MX with an escape sequence")
def mx_escape(ask):
    return ask.mx(b"\x08\x1b[31mx\r\n\0")


@deed("MX with an escape sequence, and a good one")
def mx_escape_too(ask):
    return ask.mx(b"\x08\x1b[31mx\r\n\0", "mx." + ask.name)


@deed("MX with a NUL in the name")
def mx_nul(ask):
    return ask.mx(name("mx." + ask.name)[:-1] + b"\5\0evil\0")


@deed("MX to a name without an address")
def mx_no_address(ask):
    return ask.mx("bare." + ask.name)


@deed("MX to a name that does not exist")
def mx_gone(ask):
    return ask.mx("gone." + ask.name)


@deed("TTL of 0")
def ttl_0(ask):
    return one(ask, data(ask), ttl=0)


@deed("TTL of 2^31")
def ttl_2_31(ask):
    return one(ask, data(ask), ttl=1 << 31)


@deed("TTL of 2^32 - 1")
def ttl_2_32(ask):
    return one(ask, data(ask), ttl=(1 << 32) - 1)


# -- addresses --

@deed("500 addresses, nobody at home")
def addresses_500(ask):
    dead = [f"{ask.server.dead}.{i}" for i in range(1, 251)] * 2
    return ask.addresses(*dead)


@deed("500 addresses, one good among them")
def addresses_500_good(ask):
    good_one = ask.server.zone(ask.name, "A")[0]
    dead = [record(TO_QUESTION, "A", bytes([*map(int, ask.server.dead.split(".")), i])) for i in range(1, 251)] * 2
    records = [record(TO_QUESTION, "A", good_one), *dead]
    return ask.answer(*records)


@deed("mapped good address")
def mapped(ask):
    return one(ask, b"\0" * 10 + b"\xff\xff" + ask.server.zone(ask.name, "A")[0])


def address(ask, text):
    return ask.addresses(text)


for _address in ("127.0.0.1", "0.0.0.0", "169.254.1.1", "224.0.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
                 "fe80::1", "ff02::1"):
    DEEDS[_address] = functools.partial(address, text=_address)


@deed("127.0.0.1 beside a good one")
def prohibited_beside(ask):
    return ask.answer(record(TO_QUESTION, "A", b"\x7f\0\0\1"),
                      record(TO_QUESTION, "A", ask.server.zone(ask.name, "A")[0]))
