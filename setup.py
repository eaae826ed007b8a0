"""Compiles the pure core with mypyc where that is asked for; all else of the build stands in pyproject.toml.

TRUNKGATE_COMPILE=0     no (the default): one wheel for every machine, made without compiler and without mypy
TRUNKGATE_COMPILE=auto  where a C compiler and the headers of Python are there; else the pure wheel, and a line says so
TRUNKGATE_COMPILE=1     yes; without them the build fails

The sources are the same, and travel in the compiled wheel too: who takes its shared objects away has the pure form.
"""

import os
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOMS = ("edge/sip", "edge/sip/transaction", "edge/proxy", "edge/policy")
MODULES = (
    "edge/pump.py",
    "edge/cdr/builder.py",
    "edge/cdr/instants.py",
    "edge/cdr/marks.py",
    "edge/cdr/record.py",
    "edge/cdr/seal.py",
    "edge/cdr/short_road.py",
    "edge/cdr/unleased.py",
    "edge/cdr/verdicts.py",
    "edge/cdr/writer.py",
    "edge/config/account_policy.py",
    "edge/config/conduct.py",
    "edge/config/refusals.py",
    "edge/config/snapshot.py",
    "edge/config/trunks.py",
    "edge/control/meter.py",
    "edge/telemetry/account_totals.py",
    "edge/telemetry/totals.py",
    "edge/transport/udp.py",
    "edge/workers/ownership.py",
    "limits/asked.py",
    "limits/breaker.py",
    "limits/deadlines.py",
    "limits/frequency.py",
    "limits/journal.py",
    "limits/kept.py",
    "limits/lane.py",
    "limits/link.py",
    "limits/local.py",
    "limits/model.py",
    "limits/near_cache.py",
    "limits/pending.py",
    "limits/rate.py",
    "limits/rates.py",
    "limits/redis_limiter.py",
    "limits/tally.py",
    "limits/turns.py",
    "limits/waiting.py",
    "limits/watch.py",
    "limits/wire.py",
)
"""Of other rooms, what every call goes through."""
COMPILER = "mypy[mypyc]>=2.4,<2.5"


def wants_compilation() -> bool:
    """What TRUNKGATE_COMPILE says, and whether it can be done."""
    asked = os.environ.get("TRUNKGATE_COMPILE", "0")
    if asked not in ("0", "1", "auto"):
        sys.exit(f"TRUNKGATE_COMPILE is 0, 1 or auto, not {asked!r}")
    if asked == "0":
        return False
    command = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    missing = [] if shutil.which(command.split()[0]) else [f"a C compiler ({command.split()[0]})"]
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append("the headers of Python (Debian: python3-dev)")
    if missing and asked == "1":
        sys.exit(f"TRUNKGATE_COMPILE=1 needs {' and '.join(missing)}")
    if missing:
        sys.stderr.write(f"not compiled, for want of {' and '.join(missing)}: the wheel is pure Python\n")
    return not missing


def compiled_rooms() -> list[Extension]:
    """One shared object for all, and one small one for each module, by which Python finds it."""
    from mypyc.build import mypycify

    rooms = [str(path) for room in ROOMS for path in sorted(Path(room).glob("*.py")) if path.name != "__init__.py"]
    sources = [*rooms, *MODULES]
    extensions = mypycify(
        # What the other rooms need need not be installed to build; that all types fit is a gate of scripts/test.
        ["--config-file=", "--cache-dir=build/native/cache", "--ignore-missing-imports", *sources],
        group_name="trunkgate",
        target_dir="build/native",
        opt_level="2",
        debug_level="0",
        multi_file=True,  # a file for all took gcc five times as long and a gigabyte
    )
    for extension in extensions:
        extension.extra_compile_args.append("-Wno-error")  # a compiler newer than mypyc may warn of more
    mend_slices(Path("build/native/bytes_ops.c"))
    return extensions


def mend_slices(runtime: Path) -> None:
    """A slice of bytes that ends before it begins is empty; mypyc 2.4 raises SystemError there. tests/corpus has
    messages whose Content-Length makes such slices."""
    text = runtime.read_text()
    wrong = "Py_ssize_t slice_len = endn - startn;"
    if wrong not in text:
        sys.exit(f"{runtime} is not the one of mypyc 2.4: does it slice as Python does?")
    runtime.write_text(text.replace(wrong, "Py_ssize_t slice_len = endn > startn ? endn - startn : 0;"))


class AllAtOnce(build_ext):
    """A file for each processor at a time; setuptools would take one after the other."""

    def build_extensions(self) -> None:
        def compile_one(extension: Extension, source: str) -> list[str]:
            return self.compiler.compile(
                [source],
                self.build_temp,
                include_dirs=extension.include_dirs,
                extra_postargs=extension.extra_compile_args,
            )

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for extension in self.extensions:
                extension.objects = [pool.submit(compile_one, extension, source) for source in extension.sources]
            for extension in self.extensions:
                extension.extra_objects += [path for made in extension.objects for path in made.result()]
                extension.sources = []
        super().build_extensions()


# Asked what it needs, a build says so (PEP 517) and is run again with it: a pure one need not fetch mypy. Asked for its
# name or for the sources, it compiles nothing.
wanted = wants_compilation()
is_asked_only = bool({"egg_info", "dist_info", "sdist"} & set(sys.argv))
setup(
    setup_requires=[COMPILER] if wanted else [],
    ext_modules=compiled_rooms() if wanted and not is_asked_only else [],
    cmdclass={"build_ext": AllAtOnce},
)
