#!/usr/bin/env bash
# Applies each patch of `breaks/`, one after the other, and prints which tests find the defect, and in which schedule. The
# files that a patch changes must have no uncommitted changes.
set -euo pipefail
cd "$(dirname "$0")/../.."
export RUSTC_WORKSPACE_WRAPPER=$PWD/.ci/with-shuttle SCHEDULES=${SCHEDULES:-10000} RUST_BACKTRACE=0
out=$(mktemp)
break=
trap '[ -z "$break" ] || git apply --reverse "$break"; rm -f "$out"' EXIT
for break in tests/schedules/breaks/*.patch; do
    git apply "$break"
    printf '\n== %s\n' "$(basename "$break" .patch)"
    cargo test --locked --quiet --config tests/schedules/optimized.toml -p schedules --no-run
    if cargo test --locked --quiet --config tests/schedules/optimized.toml -p schedules >"$out" 2>&1; then
        echo "no test found this defect"
        exit 1
    fi
    awk '/^---- .* stdout ----$/ { test = $2 } /^failed in schedule/ { print test ": " $0 }' "$out"
    git apply --reverse "$break"
    break=
done
