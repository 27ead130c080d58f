"""Other users of the machine."""
import pwd
import subprocess

OWNER = "nobody"      # the user that the program goes on as
STRANGER = "daemon"   # another one


def ids(name):
    user = pwd.getpwnam(name)
    return user.pw_uid, user.pw_gid


def as_user(name, *words, **how):
    uid, gid = ids(name)
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *words],
                          capture_output=True, timeout=60, **how)
