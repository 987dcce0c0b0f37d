#!/bin/sh
# Compiles the workers of the peers that are installed into the folder $1, and says which are not.
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh FOLDER}
mkdir -p "$out"
if command -v gcc >/dev/null; then
  gcc -O2 -o "$out/ort_worker" "$here/ort_worker.c" -ldl || exit 1
else
  echo "skipped ort_worker: gcc is not installed" >&2
fi
if ! command -v g++ >/dev/null; then
  echo "skipped onednn_worker: g++ is not installed" >&2
elif ! echo '#include <dnnl.hpp>' | g++ -E -x c++ - >/dev/null 2>&1; then
  echo "skipped onednn_worker: oneDNN (libdnnl-dev) is not installed" >&2
else
  g++ -O2 -std=c++17 -o "$out/onednn_worker" "$here/onednn_worker.cpp" -ldnnl || exit 1
fi
