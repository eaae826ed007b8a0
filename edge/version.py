"""What runs here: version, form of the core, interpreter and its build, event loop. Standard library only.

Form and build matter: an interpreter made without profile-guided optimisation is a quarter slower, and so is the core
as pure Python beside the compiled one.
"""

import importlib.metadata
import importlib.util
import platform
import sysconfig

from edge import __version__


def version_lines() -> list[str]:
    """Three lines for the reader of `edge --version`."""
    try:
        loop = f"uvloop {importlib.metadata.version('uvloop')}"
    except importlib.metadata.PackageNotFoundError:
        loop = "no uvloop"
    return [
        f"trunkgate {__version__}, {'compiled (mypyc)' if _is_compiled() else 'pure Python'}",
        f"{platform.python_implementation()} {platform.python_version()} ({build(_arguments())}), {loop}",
        f"{platform.system()} {platform.release()} {platform.machine()}",
    ]


def build(arguments: str) -> str:
    """How the interpreter was made: its compiler, and what the arguments of its configure tell of optimisation.

    Debian optimises in a second build whose arguments it does not record, so silence says nothing."""
    told = (("PGO", "--enable-optimizations"), ("LTO", "--with-lto"))
    return ", ".join([platform.python_compiler(), *(name for name, flag in told if flag in arguments)])


def _arguments() -> str:
    return str(sysconfig.get_config_var("CONFIG_ARGS") or "")


def _is_compiled() -> bool:
    spec = importlib.util.find_spec("edge.sip.message")
    return spec is not None and spec.origin is not None and not spec.origin.endswith(".py")
