#!/usr/bin/env bash
# PrairieLearn runs this for each submission: it grades /grade/student, writes /grade/results.
set -euo pipefail
root=${1:-/grade}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$root/results"
cd "$root"
PYTHONPATH="$here/engine" exec "${PYTHON:-python3}" -P -m rlgrade --course "$root/tests/course" \
  class autograde "$root/tests/autograde.toml" --prairielearn "$root"
