#!/usr/bin/env bash
# Gradescope runs this once, when the autograder's image is built.
set -euo pipefail
cd "$(dirname "$0")"
export DEBIAN_FRONTEND=noninteractive  # nobody is there to answer
enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=""
for name in python3 python3.13 python3.12 python3.11; do
  if enough "$name"; then python=$name; break; fi
done
if [ -z "$python" ]; then
  apt-get update
  apt-get install -y python3.12 python3.12-venv || apt-get install -y python3.11 python3.11-venv
  python=$(command -v python3.12 || command -v python3.11)
fi
if ! "$python" -m venv venv; then  # Debian and Ubuntu keep it in a package of its own
  apt-get update
  apt-get install -y "$(basename "$python")-venv"
  "$python" -m venv venv
fi
venv/bin/python -m pip install --disable-pip-version-check --no-cache-dir -r requirements.txt
