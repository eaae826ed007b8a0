# Read by the other scripts with `.`: finds Python, makes virtual environments, installs what Debian has.
# Nothing here runs anything by itself.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Runs a command as root where the caller may: directly, or with sudo that asks for no password.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}
may_be_root() { [ "$(id -u)" = 0 ] || { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; }

# Installs Debian packages, or says in one sentence what is missing: debian_install "what for" PACKAGE...
debian_install() {
    local purpose="$1"
    shift
    if ! command -v apt-get >/dev/null || ! may_be_root; then
        fail "$purpose: please install these Debian packages (as root: apt-get install $*), then start this again."
    fi
    say "$purpose: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    # --no-install-recommends: SIPp and Kamailio would bring a mail server and a database along.
    if ! as_root apt-get install -y -q --no-install-recommends "$@" </dev/null >/dev/null 2>&1; then
        as_root apt-get update -q </dev/null >/dev/null 2>&1 || say "apt-get update failed; trying with the lists there are"
        as_root apt-get install -y -q --no-install-recommends "$@" </dev/null >&2 || fail "apt-get could not install: $*"
    fi
}

# The distribution's interpreter is preferred: it is built with PGO and LTO, which is worth a quarter of the CPU.
find_python() {
    local candidate
    for candidate in "${TRUNKGATE_PYTHON:-}" /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    debian_install "Python 3.11 or later is needed" python3 python3-venv
    /usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "Python 3.11 or later is needed; this system's python3 is older. Name one with TRUNKGATE_PYTHON=/path/to/python."
    printf '%s\n' /usr/bin/python3
}

# make_environment DIRECTORY STAMP PIP-ARGUMENT... : a virtual environment with these things installed. Done once for
# each state of pyproject.toml, so a second start costs nothing.
make_environment() {
    local directory="$1" stamp="$1/.installed-$2" python wanted
    shift 2
    wanted="$(sha256sum pyproject.toml | cut -d' ' -f1) $*"
    if [ -x "$directory/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    python="$(find_python)" || exit 1
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        debian_install "Python's venv module is missing" python3-venv
    fi
    if ! "$directory/bin/python" -c '' 2>/dev/null; then
        say "making $directory with $("$python" --version)"
        "$python" -m venv --clear "$directory" || fail "$python could not make the virtual environment $directory"
    fi
    say "installing into $directory (once): $*"
    "$directory/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "$@" </dev/null >&2 ||
        fail "pip could not install: $*"
    printf '%s\n' "$wanted" >"$stamp"
}
