"""What a peer can do in any phase, by the words of the table: a function of the conversation, of the rest
of the words, and of the reply that should have been given."""
import time

DEEDS = {}
FLOOD_MAX = 256 << 20  # a client that takes more is not hostile to the peer, but broken
GARBAGE = bytes(n * 37 % 251 for n in range(1, 400)).replace(b"\n", b"\0") + b"\r\n"
CONTROLS = b"\x1b[2J\x1b]0;owned\x07\x08\x7f\x9b31m \xff\xfe \xe2\x80\xae evil\x0bvt\x0cff"


def deed(words):
    def note(function):
        DEEDS[words] = function
        return function
    return note


def text_of(words):
    """As in C: "250 ok\\r\\n250 ok" with escapes."""
    return words.encode("latin-1").decode("unicode_escape").encode("latin-1")


def flood(c, chunk, write=None):
    write = write or c.send
    while c.session.sent < FLOOD_MAX:
        write(chunk)
    c.drain()


@deed("close")
def close(c, _words, _good):
    c.leave()


@deed("reset")
def reset(c, _words, _good):
    c.abort()


@deed("stall")
def stall(c, _words, _good):
    c.drain()


@deed("stop reading")
def stop_reading(c, _words, _good):
    c.is_left(within_s=c.lab.patience_s)
    c.abort()


@deed("read in a drip")
def read_in_a_drip(c, _words, _good):
    while not c.is_left(within_s=c.lab.pause_s):
        c.sock.recv(1)
    c.abort()


@deed("drip")
def drip(c, _words, good):
    """Never silent, never done."""
    c.send(good[:3] + b"-" if good else b"2")
    while True:
        time.sleep(c.lab.pause_s)
        c.send(b"x")


@deed("crawl")
def crawl(c, _words, good):
    """Each reply, from here on, just in time."""
    c.is_slow = True
    time.sleep(c.lab.crawl_s)
    c.send(good)


@deed("octet by octet")
def octets(c, _words, good):
    for n in range(len(good)):
        c.send(good[n:n + 1])
    c.said = good


@deed("endless line")
def endless_line(c, _words, good):
    c.send(good[:3] + b"-" if good else b"250-")
    flood(c, b"x" * 65536)


@deed("lines:")
def lines(c, words, good):
    """A good reply of so many lines."""
    c.send(b"".join(good[:3] + b"-one more\r\n" for _ in range(int(words) - 1)) + good[:3] + b" the last\r\n")


@deed("endless reply")
def endless_reply(c, _words, good):
    flood(c, ((good[:3] or b"250") + b"-more of it\r\n") * 4000)


@deed("endless replies")
def endless_replies(c, _words, good):
    flood(c, ((good[:3] or b"250") + b" ok\r\n") * 8000)


@deed("endless NULs")
def endless_nuls(c, _words, _good):
    flood(c, b"\0" * 65536)


@deed("garbage")
def garbage(c, _words, _good):
    c.send(GARBAGE)
    c.drain()


@deed("say")
def say(c, words, _good):
    """Instead of the good reply; then as if nothing had been."""
    c.send(text_of(words) + b"\r\n")


@deed("say at length")
def say_at_length(c, words, _good):
    """A reply with as much text as one line may have."""
    c.send(text_of(words) + b" " + "飛".encode() * 1200 + b"\r\n")


@deed("say with control characters")
def say_controls(c, words, _good):
    c.send(text_of(words) + b" " + CONTROLS + b"\r\n")


@deed("say and close")
def say_and_close(c, words, _good):
    c.send(text_of(words) + b"\r\n")
    c.leave()


@deed("say and reset")
def say_and_reset(c, words, _good):
    c.send(text_of(words) + b"\r\n")
    c.abort()


@deed("say and flood")
def say_and_flood(c, words, good):
    c.send((text_of(words) + b"\r\n") * 1000)
    endless_replies(c, "", good)


@deed("ahead of time")
def ahead(c, words, good):
    """More than the good reply, in one write."""
    c.send(good + text_of(words) + b"\r\n")


@deed("half")
def half(c, _words, good):
    """The beginning of a reply, then the end of the connection."""
    c.send(good[:len(good) // 2])
    c.leave()
