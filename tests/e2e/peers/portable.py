"""A program of this machine, with its libraries, for a root that has neither."""
import pathlib
import re
import shutil
import subprocess


class Portable:
    def __init__(self, binary, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
        paths = [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
        self.loader = next(path.name for path in paths if path.name.startswith("ld-"))
        for path in [pathlib.Path(binary), *paths]:
            shutil.copy(path, self.directory / path.name)
        self.name = pathlib.Path(binary).name

    def words(self, where):
        """What runs it where `where` is this directory."""
        return f"{where}/{self.loader} --library-path {where} {where}/{self.name}"
