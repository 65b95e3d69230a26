"""Kill training, promotion and rollback at every step, flip bits in every file of a version, and see what is live.

Run it with the environment's python: .venv/bin/python scripts/bench/crash.py [--points 200] [--flips 500]

A library put before the C library (LD_PRELOAD; it needs `cc`) counts each call that changes something below the folder
of versions: files created, written, cut, synced, renamed and removed, and folders made. It kills the process with
SIGKILL before a chosen one, or halfway through a write. After each kill the version that is live must be
the old or the new one, whole; every version must be as it was saved; `tagger doctor` must find nothing broken; and the
same command again must succeed and leave nothing behind. A kill says nothing of a loss of power: what was written and
not synced survives it.

Each flipped bit must keep a version from being loaded and promoted, and a running model that is pointed to it must go
on with the version it has. Versions are signed; all seeds are made here. The exit code is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tagger.registry import Registry
    from tagger.service.live import LiveModel

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char below[4096];
static long kill_at, seen;
static int log_to = -1;

void crash_arm(const char *folder, long at, int log) { strcpy(below, folder); kill_at = at; log_to = log; seen = 0; }

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* Tell whether this call is the one that must not end. */
static int last(const char *call, const char *path)
{
    size_t length = strlen(below);
    if (!length || strncmp(path, below, length)) return 0;
    long number = __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST);
    if (log_to >= 0) dprintf(log_to, "%s %s\n", call, path + length);
    return number == kill_at;
}

static const char *opened(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, 4095);
    path[length < 0 ? 0 : length] = 0;
    return path;
}

static const char *named(int folder, const char *name, char *path)
{
    if (name[0] == '/') return name;
    if (folder == AT_FDCWD) { if (!getcwd(path, 4095)) path[0] = 0; } else opened(folder, path);
    size_t length = strlen(path);
    snprintf(path + length, 4096 - length, "/%s", name);
    return path;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

#define AT(call, folder, name) do { char path_[8192]; if (last(call, named(folder, name, path_))) die(); } while (0)
#define ON(call, fd) do { char path_[8192]; if (last(call, opened(fd, path_))) die(); } while (0)

#define OPEN(name) int name(const char *file, int flags, ...) { REAL(name); va_list rest; va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); va_end(rest); if (flags & O_CREAT) AT("create", AT_FDCWD, file); \
    return real(file, flags, mode); }
OPEN(open)
OPEN(open64)

#define OPENAT(name) int name(int folder, const char *file, int flags, ...) { REAL(name); va_list rest; \
    va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (flags & O_CREAT) AT("create", folder, file); return real(folder, file, flags, mode); }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *content, size_t size)
{
    REAL(write); char path[8192];
    if (below[0] && last("write", opened(fd, path))) die();
    if (below[0] && last("half-write", path)) { real(fd, content, size / 2); die(); }
    return real(fd, content, size);
}

size_t fwrite(const void *content, size_t size, size_t many, FILE *stream)
{
    REAL(fwrite); char path[8192];
    if (below[0] && last("write", opened(fileno(stream), path))) die();
    if (below[0] && last("half-write", path)) {
        real(content, size, many / 2, stream);
        fflush(stream);
        die();
    }
    return real(content, size, many, stream);
}

int fsync(int fd) { REAL(fsync); ON("fsync", fd); return real(fd); }
int ftruncate(int fd, off_t size) { REAL(ftruncate); ON("truncate", fd); return real(fd, size); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); ON("truncate", fd); return real(fd, size); }
int rename(const char *from, const char *to) { REAL(rename); AT("rename", AT_FDCWD, to); return real(from, to); }
int mkdir(const char *name, mode_t mode) { REAL(mkdir); AT("mkdir", AT_FDCWD, name); return real(name, mode); }
int rmdir(const char *name) { REAL(rmdir); AT("rmdir", AT_FDCWD, name); return real(name); }
int unlink(const char *name) { REAL(unlink); AT("unlink", AT_FDCWD, name); return real(name); }
int unlinkat(int folder, const char *name, int flags)
{
    REAL(unlinkat); AT("unlink", folder, name);
    return real(folder, name, flags);
}
"""

THEMES = {
    "fisheries": "trawler herring quota harbour net skipper cod landing vessel mackerel",
    "railways": "locomotive timetable signal station tunnel freight carriage platform track passenger",
    "vaccines": "dose measles clinic nurse booster fever vial trial pharmacy immunisation",
}
COMMON = "the minister said on monday that new rules will apply from march in every region and that a report follows"
SEEDS_OF_A_THEME = 8
FLIPS_OF_A_FILE = 5
VERSIONS = 3
"""In the folder that is killed in: enough to roll back twice."""


class Point(NamedTuple):
    """A call in which a command is killed, counted from 1."""

    command: str
    number: int
    call: str


def main() -> int:
    """Print the two tables; return the exit code."""
    parser = argparse.ArgumentParser(description="Kill commands at every step, and flip bits in every file.")
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--flips", type=int, default=500)
    given = parser.parse_args()
    if "TAGGER_CRASH_FOLDER" not in os.environ:
        with tempfile.TemporaryDirectory(prefix="crash-") as folder:
            return run_preloaded(Path(folder).resolve())
    folder = Path(os.environ.pop("TAGGER_CRASH_FOLDER"))
    for name in ("seeds", "state"):
        os.environ[f"TAGGER_{name.upper()}"] = str(folder / name)
    os.environ["TAGGER_SIGNING_KEY_FILE"] = str(folder / "key")
    (folder / "key").write_bytes(os.urandom(32))
    write_seeds(folder / "seeds")
    os.chdir(folder)
    world = World(folder)
    world.make()
    violations = [*print_kills(world, given.points), *print_flips(world, given.flips)]
    for violation in violations:
        print("VIOLATION", violation)
    return int(bool(violations))


def run_preloaded(folder: Path) -> int:
    """Run this program again behind the library."""
    (folder / "shim.c").write_text(SHIM, encoding="utf-8")
    command = ["cc", "-shared", "-fPIC", "-O1", "-w", "-o", folder / "shim.so", folder / "shim.c", "-ldl"]
    subprocess.run(command, check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TAGGER_")}
    environment |= {"LD_PRELOAD": str(folder / "shim.so"), "TAGGER_CRASH_FOLDER": str(folder)}
    return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def write_seeds(folder: Path) -> None:
    """Write seeds and cards of a few themes."""
    folder.mkdir()
    cards = "".join(f"- id: {theme}\n  label: {theme.title()}\n" for theme in THEMES)
    (folder / "themes.yaml").write_text(f"scheme:\n  id: tiny\n  title: Tiny\nthemes:\n{cards}", encoding="utf-8")
    deal = random.Random(6)
    with (folder / "seeds.jsonl").open("w", encoding="utf-8") as file:
        for theme, words in [*THEMES.items(), ("", "canteen portrait garden clock orchestra plaque umbrella chair")]:
            for number in range(SEEDS_OF_A_THEME):
                text = " ".join(deal.sample(words.split(), 5) + deal.sample(COMMON.split(), 15) + [f"{theme}{number}"])
                seed = {"id": f"{theme or 'none'}-{number}", "text": text, "themes": [theme] if theme else []}
                file.write(f"{json.dumps(seed)}\n")


# ---- Kills


class World:
    """A folder of versions to begin from, and copies of it to kill commands in."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "base"
        self.models = folder / "models"
        self.output = folder / "output"
        self._shim = ctypes.CDLL(None)

    def make(self) -> None:
        """Train a version, and copy it; imports are paid for once, for commands run in forks of this process."""
        import tagger.cli.commands
        import tagger.cli.doctor
        import tagger.cli.models
        import tagger.promotion
        import tagger.settings
        import tagger.training  # noqa: F401
        from tagger.registry import Registry

        if code := self.run(["train", "--models", str(self.base)]):
            raise SystemExit(f"train failed ({code}): {self.output.read_text(encoding='utf-8')}")
        registry = Registry(self.base)
        for number in range(2, VERSIONS + 1):
            shutil.copytree(self.base / "v0001", self.base / f"v{number:04d}")
            registry.promote(registry.sign(f"v{number:04d}").name)

    def renew(self) -> None:
        """Begin again from the base."""
        shutil.rmtree(self.models, ignore_errors=True)
        shutil.copytree(self.base, self.models)

    def run(self, command: Sequence[str], kill_at: int = 0, log: Path | None = None) -> int:
        """Run a command in a fork; return its exit code, negative where a signal ended it."""
        child = os.fork()
        if child == 0:
            output = os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if kill_at or log:
                to = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if log else -1
                self._shim.crash_arm(f"{self.models}".encode(), ctypes.c_long(kill_at), to)
            from tagger.cli import main as tagger

            code = 70
            with contextlib.suppress(BaseException):
                code = tagger(command)
            os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def commands(self) -> dict[str, list[str]]:
        """Return what is killed."""
        at = ["--models", str(self.models)]
        return {
            "train": ["train", *at],
            "promote": ["models", "promote", "v0001", *at],
            "rollback": ["models", "rollback", *at],
            "sign": ["models", "sign", "v0001", *at],
        }


def print_kills(world: World, wanted: int) -> Iterator[str]:
    """Print what was live after each kill, by command and call; yield what must not be."""
    started = time.monotonic()
    points = chosen_points(world, wanted)
    counts: dict[tuple[str, str], Counter[str]] = {}
    for point in points:
        outcome = kill_at(world, point)
        row = counts.setdefault((point.command, point.call), Counter())
        row.update([*outcome.facts, "kills"])
        yield from (f"{point}: {violation}" for violation in outcome.violations)
    columns = ("kills", "old live", "new live", "debris", "doctor well", "again well")
    print(f"{len(points)} kills in {time.monotonic() - started:.0f} s")
    print(f"{'command':<10}{'in':<10}" + "".join(f"{column:>13}" for column in columns))
    for (command, call), row in counts.items():
        print(f"{command:<10}{call:<10}" + "".join(f"{row[column]:>13}" for column in columns))
    print(f"{'all':<20}" + "".join(f"{sum(row[column] for row in counts.values()):>13}" for column in columns))


def chosen_points(world: World, wanted: int) -> list[Point]:
    """Return points spread over the commands: up to a sixth for each of the short ones, and of training the rest."""
    found: dict[str, list[Point]] = {}
    for name, command in world.commands().items():
        world.renew()
        log = world.models.with_name("calls")
        if code := world.run(command, log=log):
            raise SystemExit(f"{name} failed ({code}): {world.output.read_text(encoding='utf-8')}")
        calls = [line.split(" ")[0] for line in log.read_text(encoding="utf-8").splitlines()]
        found[name] = [Point(name, number, call) for number, call in enumerate(calls, 1)]
    training = found.pop("train")
    short = ", ".join(f"{name} {len(points)}" for name, points in found.items())
    print(f"calls below the folder of versions: train {len(training)}, {short}")
    rest = [point for points in found.values() for point in spread(points, max(1, wanted // 6))]
    return [*spread(training, wanted - len(rest)), *rest]


def spread(points: Sequence[Point], wanted: int) -> list[Point]:
    """Return so many of the points, evenly."""
    if wanted >= len(points):
        return list(points)
    return [points[(2 * place + 1) * len(points) // (2 * wanted)] for place in range(wanted)]


class Outcome(NamedTuple):
    """What was found after a kill."""

    facts: list[str]
    violations: list[str]


def kill_at(world: World, point: Point) -> Outcome:
    """Kill a command, look, and give it again."""
    from tagger.registry import Registry

    world.renew()
    registry, command = Registry(world.models), world.commands()[point.command]
    old = registry.live_name()
    if (code := world.run(command, kill_at=point.number)) != -signal.SIGKILL:
        return Outcome([], [f"was not killed, but ended with {code}"])
    facts, violations = [], []
    live = whole(registry)
    facts.append("old live" if live == old else "new live")
    if live is None or live not in (old, expected(point.command, registry)):
        violations.append(f"{live} is live, whole or not at all")
    facts += ["debris"] if registry.debris() else []
    if world.run(["doctor", "--json", "--models", str(world.models)]) == 0:
        facts.append("doctor well")
    else:
        violations.append(f"the doctor says {world.output.read_text(encoding='utf-8')}")
    code = world.run(command)
    if code == 0 and whole(registry) and not registry.debris() and not registry.impostors():
        facts.append("again well")
    else:
        said = world.output.read_text(encoding="utf-8")
        violations.append(f"the same command again gave {code}, {registry.debris()} is left: {said}")
    return Outcome(facts, violations)


def whole(registry: Registry) -> str | None:
    """Return the live version if it can be loaded, and all others are as they were saved."""
    from tagger.errors import TaggerError
    from tagger.tagging import Tagger

    try:
        for name in registry.names():
            registry.get(name).check()
        return Tagger.load(registry.live()).version
    except TaggerError as error:
        print(error)
        return None


def expected(command: str, registry: Registry) -> str | None:
    """Return what a command that is not killed makes live, if any."""
    return {"train": registry.names()[-1], "promote": "v0001", "rollback": f"v{VERSIONS - 1:04d}"}.get(command)


# ---- Flips


def print_flips(world: World, wanted: int) -> Iterator[str]:
    """Print how many flipped bits were refused, by file; yield what must not be."""
    import tagger.service.live
    from tagger.registry import Registry
    from tagger.service.live import LiveModel

    tagger.service.live.CHECK_SECONDS = 0.005
    logging.disable()
    world.renew()
    registry = Registry(world.models)
    served, flipped = (registry.get(name) for name in ("v0001", "v0002"))
    registry.promote(served.name)
    started, refused = time.monotonic(), Counter[str]()
    with LiveModel(registry) as live:
        flips = list(chosen_flips(flipped.folder, wanted))
        for file, bit in flips:
            with flip(file, bit):
                problems = list(accepted(registry, live, served.name, flipped.name))
            name = file.relative_to(flipped.folder).as_posix()
            refused.update([] if problems else [name])
            yield from (f"bit {bit} of {name}: {problem}" for problem in problems)
    print(f"\n{len(flips)} flipped bits in {time.monotonic() - started:.0f} s, {sum(refused.values())} refused")
    total = Counter(file.relative_to(flipped.folder).as_posix() for file, _ in flips)
    for name, many in sorted(total.items()):
        print(f"{name:<40}{many:>6} flipped{refused[name]:>6} refused")


def chosen_flips(folder: Path, wanted: int) -> Iterator[tuple[Path, int]]:
    """Yield files and bits: some of every file, the rest by the sizes of files."""
    deal = random.Random(6)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = [8 * file.stat().st_size for file in files]
    each = max(1, min(FLIPS_OF_A_FILE, wanted // len(files)))
    drawn = [place for place in range(len(files)) for _ in range(each)]
    drawn += deal.choices(range(len(files)), sizes, k=max(0, wanted - len(drawn)))
    for place in drawn:
        yield files[place], deal.randrange(sizes[place])


@contextlib.contextmanager
def flip(file: Path, bit: int) -> Iterator[None]:
    """Flip a bit of a file for a while."""
    content = file.read_bytes()
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    file.write_bytes(changed)
    try:
        yield
    finally:
        file.write_bytes(content)


def accepted(registry: Registry, live: LiveModel, served: str, flipped: str) -> Iterator[str]:
    """Yield where a flipped version was taken for a whole one."""
    from tagger.documents import Document
    from tagger.errors import DamagedVersion
    from tagger.files import replace_file
    from tagger.registry import LIVE
    from tagger.tagging import Tagger

    for what, act in {
        "loaded": lambda: Tagger.load(registry.get(flipped)),
        "promoted": lambda: registry.promote(flipped),
    }.items():
        try:
            act()
        except DamagedVersion:
            continue
        yield f"it was {what}"
    pointer = registry.folder / LIVE
    before = pointer.read_bytes()
    replace_file(pointer, before.replace(served.encode(), flipped.encode()))
    if not until(lambda: live.warning is not None):
        yield "the running model did not warn"
    tagger = live.current().tagger
    if tagger.version != served or tagger.tag(Document(id="a", text="A trawler landed herring.")).version != served:
        yield "the running model went over to it"
    replace_file(pointer, before)
    if not until(lambda: live.warning is None):
        yield "the running model did not come back"


def until(fact: Callable[[], bool]) -> bool:
    """Wait for something to come true; tell whether it did."""
    deadline = time.monotonic() + 20
    while not fact():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


if __name__ == "__main__":
    sys.exit(main())
