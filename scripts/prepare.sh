# Sourced by the other scripts: makes .venv once, with exactly the locked packages, and again only when the lock changes.
# Leaves: $top (this checkout), $venv. Fails with one sentence.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv="$top/.venv"

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 3
}

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s' "$candidate"
            return
        fi
    done
    return 1
}

prepare() { # prepare LOCK NAME
    local lock="$top/$1" stamp="$venv/.locked-$2" python sum
    sum=$(sha256sum "$lock" "$top/pyproject.toml" | sha256sum | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && return
    python=$(find_python) || fail "Python 3.11 or newer is needed and was not found; install it, or name it with PYTHON=…"
    if [ ! -x "$venv/bin/python" ]; then
        "$python" -c 'import venv, ensurepip' 2>/dev/null \
            || fail "Python's venv module is missing; on Debian and Ubuntu: apt-get install python3-venv"
        printf 'Making %s …\n' "$venv" >&2
        "$python" -m venv "$venv" || fail "the virtual environment could not be made in $venv; see the lines above"
    fi
    printf 'Installing the locked packages (once; about half a minute) …\n' >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock" 2>"$venv/pip.log" \
        || fail "the locked packages could not be installed (is the network there?): $(grep -m1 ERROR "$venv/pip.log")"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e "$top" \
        2>"$venv/pip.log" || fail "the package itself could not be installed: $(grep -m1 ERROR "$venv/pip.log")"
    printf '%s' "$sum" >"$stamp"
}
