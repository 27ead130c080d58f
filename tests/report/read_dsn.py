"""Parses what dsn_print prints with the email package; prints TAP."""

import subprocess
import sys
from email import message_from_bytes
from email.policy import SMTP, SMTPUTF8

PRINT = sys.argv[1]
ORIGINAL = b"From: alice@example.org\r\nSubject: hello\r\n\r\n--not a boundary\r\nbody\r\n"
HEADER = ORIGINAL.split(b"\r\n\r\n")[0] + b"\r\n"
count = 0


def check(truth, what):
    global count
    count += 1
    print(f"{'ok' if truth else 'not ok'} {count} - {what}")


def build(name, returned):
    return subprocess.run([PRINT, name], input=returned, stdout=subprocess.PIPE, check=True).stdout


def parse(name, returned, policy=SMTP):
    raw = build(name, returned)
    check(all(len(line) <= 998 for line in raw.split(b"\r\n")), f"{name}: no line is over 998")
    check(raw.replace(b"\r\n", b"").find(b"\n") < 0, f"{name}: all lines end with CRLF")
    message = message_from_bytes(raw, policy=policy)
    parts = list(message.iter_parts())
    defects = [d for part in message.walk() for d in part.defects]
    check(not defects, f"{name}: no defects {defects}")
    check(message.get_content_type() == "multipart/report", f"{name}: it is a report")
    check(message["Content-Type"].params["report-type"] == "delivery-status", f"{name}: of delivery")
    check(message["Auto-Submitted"] == "auto-replied", f"{name}: it says that nobody wrote it")
    check(message["Date"] and message["Message-ID"] and message["Subject"], f"{name}: fields of RFC 5322")
    check(len(parts) == 3, f"{name}: it has three parts")
    return message, parts


def blocks(part):
    return [dict(block.items()) for block in part.get_payload()]


def bounce():
    message, parts = parse("bounce", ORIGINAL)
    check(message["To"].addresses[0].addr_spec == "alice@example.org", "bounce: goes to the sender")
    check("bob@example.com" in parts[0].get_content(), "bounce: the text names the recipient")
    check(parts[0].get_content().count("no such user") == 1, "bounce: the text says why, once")
    check(parts[1].get_content_type() == "message/delivery-status", "bounce: type of the status")
    head, bob, carol = blocks(parts[1])
    check(head["Reporting-MTA"] == "dns; out.example.org", "bounce: Reporting-MTA")
    check(head["Original-Envelope-Id"] == "QQ=314159", "bounce: ENVID is decoded")
    check(head["Arrival-Date"] == "Sat, 21 Nov 2026 20:43:00 +0000", "bounce: Arrival-Date")
    check(bob["Original-Recipient"] == "rfc822;Bob+x@example.com", "bounce: ORCPT is decoded")
    check(bob["Final-Recipient"] == "rfc822; bob@example.com", "bounce: Final-Recipient")
    check((bob["Action"], bob["Status"]) == ("failed", "5.1.1"), "bounce: Action and Status")
    check(bob["Remote-MTA"] == "dns; mx1.example.com", "bounce: Remote-MTA")
    check(bob["Diagnostic-Code"] == "smtp; 550 5.1.1 no such user", "bounce: Diagnostic-Code")
    check("Remote-MTA" not in carol, "bounce: no Remote-MTA where nobody answered")
    check(carol["Diagnostic-Code"] == "X-Hikyaku; given up after 5d: connection refused",
          "bounce: our own reason is not called SMTP")
    check(carol["Status"] == "4.4.1", "bounce: an expired message keeps its code")
    check(parts[2].get_content_type() == "message/rfc822", "bounce: the message is returned")
    inner = parts[2].get_payload()[0]
    check(inner["Subject"] == "hello" and "--not a boundary" in inner.get_content(), "bounce: as it was")


def delay():
    message, parts = parse("delay", HEADER)
    head, bob = blocks(parts[1])
    check(bob["Action"] == "delayed", "delay: Action")
    check(bob["Will-Retry-Until"] == "Thu, 26 Nov 2026 20:43:00 +0000", "delay: Will-Retry-Until")
    check(" ".join(parts[0].get_content().split()).count("greylisted") == 1
          and "given up" in parts[0].get_content(), "delay: a last error that has the reply is told alone")
    check("do not need to send it again" in " ".join(parts[0].get_content().split()), "delay: calms the reader")
    check(parts[2].get_content_type() == "text/rfc822-headers", "delay: the header alone is returned")


def relayed():
    message, parts = parse("relayed", HEADER)
    head, bob, carol = blocks(parts[1])
    check((bob["Action"], bob["Status"]) == ("relayed", "2.6.0"), "relayed: Action and Status")
    check((carol["Action"], carol["Status"]) == ("delivered", "2.0.0"), "relayed: or delivered; never class 4")
    check(bob["Diagnostic-Code"] == "smtp; 250 taken as 7", "relayed: what the host said")
    check("Will-Retry-Until" not in bob, "relayed: nothing is tried again")
    check(parts[2].get_content_type() == "text/rfc822-headers", "relayed: RET=FULL is for failures")


def utf8():
    message, parts = parse("utf8", ORIGINAL, SMTPUTF8)
    check(parts[1].get_content_type() == "message/global-delivery-status", "utf8: type of the status")
    check(parts[2].get_content_type() == "message/global", "utf8: type of the message")
    check("知らない" in parts[0].get_content(), "utf8: the text is readable")
    raw = build("utf8", ORIGINAL)
    check("Final-Recipient: utf-8; 例え@例え.jp\r\n".encode() in raw, "utf8: Final-Recipient")


def eightbit():
    message, parts = parse("eightbit", ORIGINAL)
    raw = build("eightbit", ORIGINAL)
    status = raw.split(b"message/delivery-status")[1].split(b"message/rfc822")[0]
    check(status.isascii(), "eightbit: the status part is ASCII")
    check("知らない" in parts[0].get_content(), "eightbit: the text is readable")
    check(message["Content-Transfer-Encoding"] == "8bit", "eightbit: and declared")


def odd():
    message, parts = parse("odd", ORIGINAL)
    check(len(blocks(parts[1])) == 2, "odd: nothing adds a block")
    bob = blocks(parts[1])[1]
    check(bob["Action"] == "failed", "odd: nothing changes the action")
    check(bob["Status"] == "5.0.0", "odd: what is no status code is not used")
    check(bob["Final-Recipient"] == 'rfc822; "a  b"@example.com', "odd: blanks of an address stay")
    check(bob["Original-Recipient"] == "rfc822;x+0D+0AAction:+20delivered", "odd: CR LF is not decoded")
    check(blocks(parts[1])[0]["Original-Envelope-Id"] == "bad+0", "odd: malformed xtext stays")
    check("Action: delivered" in " ".join(parts[0].get_content().split()), "odd: the text may say anything")


def text_of(name):
    message, parts = parse(name, ORIGINAL)
    check(parts[0].get_content_type() == "text/plain", f"{name}: it begins with text")
    return message, parts, parts[0].get_content().replace("\r\n", "\n")


LOG = """\
2026-11-21 20:43:00 +0000, attempt 1
    mx1.example.com[192.0.2.1]:25, with TLS1.3
    the host said "450 4.2.0 greylisted"
2026-11-21 20:44:00 +0000, attempt 2
    mx1.example.com, not reached
    no connection: connection refused
2026-11-21 20:44:01 +0000, attempt 2
    mx2.example.com[192.0.2.2]:25, without TLS
    the host said "550 5.1.1 no such user"
"""
LOG_JA = """\
2026-11-21 20:43:00 +0000 (1 回目)
    mx1.example.com[192.0.2.1]:25 (TLS1.3)
    ホストの応答「450 4.2.0 greylisted」
2026-11-21 20:44:00 +0000 (2 回目)
    mx1.example.com (接続できず)
    接続できません: connection refused
2026-11-21 20:44:01 +0000 (2 回目)
    mx2.example.com[192.0.2.2]:25 (TLS なし)
    ホストの応答「550 5.1.1 no such user」
"""


def story():
    message, parts, text = text_of("story")
    check(LOG in text, "story: the retry log is in it, the latest last")
    check("There is no such mailbox." in text and "Look for slips" in text, "story: what it means, and what to do")
    check(parts[0]["Content-Transfer-Encoding"] == "7bit", "story: as plain as it can be")
    check(message["In-Reply-To"] == message["References"] == "<1@example.org>", "story: it refers to the message")


def story_ja():
    message, parts, text = text_of("story_ja")
    check(LOG_JA in text, "story_ja: the retry log is in it")
    check("メールボックスはありません" in text and "お送りください" in text.replace("\n    ", ""),
          "story_ja: what it means, and what to do")
    check(message["Subject"] == "メールを配送できませんでした", "story_ja: the subject is decoded")
    check(parts[0].get_content_charset() == "utf-8", "story_ja: charset")
    check(parts[0]["Content-Transfer-Encoding"] == "base64" and build("story_ja", ORIGINAL).isascii(),
          "story_ja: any path can carry it")
    check(message["References"] is None, "story_ja: no reference without a Message-ID")
    check(blocks(parts[1])[1]["Action"] == "failed", "story_ja: the status part knows no language")


def delay_ja():
    message, parts = parse("delay_ja", HEADER)
    text = parts[0].get_content().replace("\r\n", "\n")
    raw = build("delay_ja", HEADER)
    check("再送" in message["Subject"] and b"\r\n =?UTF-8?B?" in raw, "delay_ja: a long subject is folded")
    check("送り直す必要はありません" in text.replace("\n", ""), "delay_ja: calms the reader")
    check("2026-11-26 20:43:00 +0000 まで" in text, "delay_ja: until when")


def many():
    _, _, text = text_of("many")
    check(text.count(", attempt ") == 20, "many: the last attempts are told")
    check("... 7 earlier attempts are not shown\n" in text, "many: and how many there were before")
    check(text.index("not shown") < text.index(", attempt 1") < text.index(", attempt 2"), "many: in the order of time")


def others():
    _, _, text = text_of("others")
    check("dan@" not in text and "bob@" not in text and "attempt" not in text,
          "others: nothing is told of other recipients")


def doubt():
    _, _, text = text_of("doubt")
    check("may have been delivered" in text and "Send the message again later" not in text,
          "doubt: nobody is told to send twice")


def socket():
    _, parts, text = text_of("socket")
    status = blocks(parts[1])[1]
    check(status["Remote-MTA"] == "x-unix; /run/lmtp.sock", "socket: Remote-MTA")
    check("mailbox is full" in text, "socket: quota in plain words")


def lost():
    message, _, text = text_of("lost")
    check(message["To"].addresses[0].addr_spec == "postmaster@example.org", "lost: goes to the postmaster")
    check("without a sender" in text and "Your message" not in text, "lost: who did not send it")
    check(message["References"] is None, "lost: what is no Message-ID is not referred to")


for tell in (bounce, delay, relayed, utf8, eightbit, odd, story, story_ja, delay_ja, many, others, doubt, socket, lost):
    tell()
print(f"1..{count}")
