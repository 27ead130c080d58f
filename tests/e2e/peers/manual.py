"""The literal blocks of a manual page, for tests that use the very lines a person reads."""
import pathlib
import re

DOC = pathlib.Path(__file__).resolve().parents[3] / "doc"
MARKED = re.compile(r'^\.\\" lines: (.+)\n\.Bd -literal.*\n((?:.*\n)*?)\.Ed$', re.MULTILINE)


class Page:
    """`blocks`: the text of each block below a comment "lines: NAME", by its name."""

    def __init__(self, name):
        text = (DOC / name).read_text(encoding="utf-8")
        found = [(match[1], match[2].replace(r"\e", "\\").replace(r"\&", "")) for match in MARKED.finditer(text)]
        assert len(found) == text.count('.\\" lines: ') == len(dict(found)), f"a block of {name} is marked wrongly"
        self.name, self.blocks = name, dict(found)

    def lines(self, block, places=None):
        """A block, in which `places` of the machine have become those of a test."""
        text = self.blocks[block]
        for old, new in (places or {}).items():
            assert old in text, f"{self.name}, {block}: there is no {old} in it"
            text = text.replace(old, str(new))
        return text
