#!/bin/sh
# Make .venv with what a lock file names, and Clickmeter itself. Needs Python 3.11 or newer and nothing else.
# Usage: scripts/venv.sh requirements.lock [PATH_TO_INSTALL_EDITABLE ...]
set -eu
lock=$1
shift

python=
for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Clickmeter needs Python 3.11 or newer. On Debian: apt install python3 python3-venv. On macOS: brew install python." >&2
    exit 1
fi

# Debian splits venv's own installer off; pip from outside does as well.
if ! .venv/bin/python -c '' 2>/dev/null; then
    rm -rf .venv
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
    else
        echo "Python has no way to install packages here. On Debian: apt install python3-venv." >&2
        exit 1
    fi
fi
if .venv/bin/python -m pip --version >/dev/null 2>&1; then
    pip=".venv/bin/python -m pip"
else
    pip="$python -m pip --python .venv/bin/python"
fi

$pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
for path in "$@"; do
    $pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable "$path"
done
