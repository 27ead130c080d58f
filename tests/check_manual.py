"""Compares the program with its manual pages, both ways. TAP output.

    check_manual.py HIKYAKU SENDMAIL DOC_DIRECTORY

Commands and their options: `hikyaku --help` and `hikyaku COMMAND --help` with
hikyaku.8. Configuration: `hikyaku config show --all --json` with
hikyaku.conf.5, whose examples must load, as must hikyaku.conf.example.
`hikyaku-sendmail --help` with hikyaku-sendmail.1.
How the pages have to be written for it is said at their top.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

ONLY, ALSO = "Only in destination blocks.", "Also in destination blocks."


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0

    def check(self, good, text, *details):
        self.count += 1
        print(f"{'ok' if good else 'not ok'} {self.count} - {text}")
        if not good:
            self.failed += 1
            for detail in details:
                print(f"# {detail}")

    def compare(self, what, program, manual):
        """Two dictionaries of name to value."""
        for name in sorted(set(program) | set(manual)):
            if name not in manual:
                self.check(False, f"{what} {name} is in the manual")
            elif name not in program:
                self.check(False, f"{what} {name} of the manual is in the program")
            else:
                self.check(program[name] == manual[name],
                           f"{what} {name} is the same in program and manual",
                           f"program: {program[name]}", f"manual:  {manual[name]}")


def run(hikyaku, *arguments, config):
    result = subprocess.run([hikyaku, "-c", config, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False)
    return result.returncode, result.stdout


def help_commands(text):
    """The indented lines of `hikyaku --help`: the name ends at two blanks."""
    found = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", text, re.MULTILINE)
    return {name: "command" for name in found}


HELP_OPTION = re.compile(
    r"^  (?:-(?P<letter>\w))?(?:,? *--(?P<name>[\w-]+))?"
    r"(?: (?P<argument>[A-Z|]+))?(?:  +.*)?$")


def help_options(text):
    """{"-f, --from": "SENDER"}, with "" for flags."""
    options = {}
    for line in text.splitlines():
        match = HELP_OPTION.match(line)
        if match and (match["letter"] or match["name"]):
            options[option_key(match["letter"], match["name"])] = match["argument"] or ""
    return options


def option_key(letter, name):
    return ", ".join(filter(None, [letter and "-" + letter, name and "--" + name]))


SHARED = '.\\" for: '


def page_sections(path):
    """(section, line) of each line that is no comment, SHARED ones excepted."""
    section = ""
    with open(path, encoding="utf-8") as page:
        for line in page:
            line = line.rstrip("\n")
            if line.startswith(".Sh "):
                section = line[4:].strip('"')
            elif not line.startswith('.\\"') or line.startswith(SHARED):
                yield section, line


PAGE_OPTION = re.compile(r"^\.It Fl (?:(?P<letter>\w)(?: , Fl )?)?(?:Fl (?P<name>[\w-]+))?"
                         r"(?: Ar (?P<argument>\S+))?$")


def page_commands(path):
    """{command: {option: argument}}. Options are those of the command before
    them, or of the commands that a SHARED comment lists."""
    commands, owners = {}, []
    for section, line in page_sections(path):
        if section != "COMMANDS":
            continue
        if line.startswith(".It Ic "):
            owners = [re.match(r"\.It Ic ((?:[a-z]+ ?)+)", line)[1].strip()]
            commands[owners[0]] = {}
        elif line.startswith(SHARED):
            owners = line[len(SHARED):].split(", ")
        elif line.startswith(".It Fl "):
            match = PAGE_OPTION.match(line)
            if not match or not set(owners) <= set(commands):
                sys.exit(f"Bail out! {path}: cannot read {line}")
            for name in owners:
                commands[name][option_key(match["letter"], match["name"])] = \
                    match["argument"] or ""
    return commands


def page_options(path):
    """{option: {"type", "default", "place"}}"""
    options, option, expects_default = {}, None, False
    for section, line in page_sections(path):
        if section != "OPTIONS":
            continue
        match = re.match(r"\.It Ic (\w+) No = Ar (.+)$", line)
        if match:
            option = options[match[1]] = {"type": match[2], "default": None,
                                          "place": "global"}
        elif line == "Default:":
            expects_default = True
        elif expects_default:
            option["default"] = re.sub(r"^\.[A-Z][a-z] ", "", line).removesuffix(" .")
            expects_default = False
        elif line == "Default: empty":
            option["default"] = ""
        elif line in (ONLY, ALSO):
            option["place"] = line
    return options


def program_default(value):
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    # The manual names the directories of a distribution, whatever the prefix.
    text = re.sub(r"^/.*(/lib/hikyaku/)", r"/var\1", str(value))
    return re.sub(r"^/.*(/hikyaku/(policy|credentials))$", r"/etc\1", text)


def program_options(text):
    options = {}
    for row in map(json.loads, text.splitlines()):
        place = ONLY if row["destination_only"] else ALSO if row["in_destination"] else "global"
        if row["destination"] is None:
            options[row["name"]] = {"type": row["type"], "place": place,
                                    "default": program_default(row["default"])}
    return options


def page_examples(path):
    example = None
    for section, line in page_sections(path):
        if section == "EXAMPLES" and line.startswith(".Bd -literal"):
            example = ""
        elif line == ".Ed" and example is not None:
            yield example
            example = None
        elif example is not None:
            example += line.replace("\\e", "\\").replace("\\&", "") + "\n"


def check_examples(tap, hikyaku, page, directory):
    for number, example in enumerate(page_examples(page), 1):
        path = os.path.join(directory, f"example{number}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(example)
        status, output = run(hikyaku, "config", "check", config=path)
        tap.check(status == 0, f"example {number} of hikyaku.conf.5 loads", output)


def check_example_file(tap, hikyaku, path, options, directory):
    """The example names every option, and loads with all of them in force."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"^# ?(?=[a-z_]+ = |destination |\t|\})", "", file.read(),
                      flags=re.MULTILINE)
    named = set(re.findall(r"^\s*(\w+) = ", text, re.MULTILINE))
    tap.check(named == set(options), "hikyaku.conf.example names every option",
              *sorted(named ^ set(options)))
    bare = os.path.join(directory, "bare.conf")
    with open(bare, "w", encoding="utf-8") as file:
        file.write(text)
    for config in path, bare:
        status, output = run(hikyaku, "config", "check", config=config)
        tap.check(status == 0, f"{os.path.basename(config)} loads", output)


def check_commands(tap, hikyaku, page, empty):
    manual = page_commands(page)
    program = help_commands(run(hikyaku, "--help", config=empty)[1])
    tap.check(len(program) > 0, "the program lists its commands")
    tap.compare("command", program, {name: "command" for name in manual})
    for name in sorted(set(program) & set(manual)):
        text = run(hikyaku, *name.split(), "--help", config=empty)[1]
        tap.compare(f"{name}: option", help_options(text), manual[name])


def check_configuration(tap, hikyaku, page, empty):
    status, text = run(hikyaku, "config", "show", "--all", "--json", config=empty)
    program = program_options(text) if status == 0 else {}
    tap.check(len(program) > 0, "the program lists its configuration", text)
    tap.compare("configuration", program, page_options(page))
    return program


def check_sendmail(tap, sendmail, page):
    """{option: argument}, both ways."""
    text = subprocess.run([sendmail, "--help"], stdout=subprocess.PIPE, text=True,
                          check=False).stdout
    program = {name: argument for name, argument in
               re.findall(r"^  -(\w+)(?: ([A-Z]+))?  +\S", text, re.MULTILINE)}
    manual = {}
    for section, line in page_sections(page):
        match = re.match(r"\.It Fl (\w+)(?:(?: Ns)? Ar (\S+))?$", line)
        if section == "OPTIONS" and match:
            manual[match[1]] = match[2] or ""
    tap.check(len(program) > 0, "hikyaku-sendmail lists its options")
    tap.compare("hikyaku-sendmail: option", program, manual)


def main(hikyaku, sendmail, doc):
    tap = Tap()
    page = os.path.join(doc, "hikyaku.conf.5")
    example = os.path.join(doc, "hikyaku.conf.example")
    with tempfile.TemporaryDirectory() as directory:
        empty = os.path.join(directory, "empty.conf")
        open(empty, "w", encoding="utf-8").close()
        check_commands(tap, hikyaku, os.path.join(doc, "hikyaku.8"), empty)
        options = check_configuration(tap, hikyaku, page, empty)
        check_examples(tap, hikyaku, page, directory)
        check_example_file(tap, hikyaku, example, options, directory)
    check_sendmail(tap, sendmail, os.path.join(doc, "hikyaku-sendmail.1"))
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
