#!/usr/bin/env bash
# A real Ollama server for tests/models/test_real_ollama.py, built from its Go module: tools/build-ollama.sh DIRECTORY
# Needs Go (1.24 or newer), a C++ compiler, pip, and the headers of Debian's nlohmann-json3-dev and libstb-dev.
# What the module leaves out of its vendored headers, miniaudio, comes with the source of the PyPI package so named.
set -euo pipefail
version=v0.17.4
mkdir -p "$1"
target=$(cd "$1" && pwd)
[ -x "$target/ollama" ] && exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m pip download -q --no-deps --no-binary :all: -d "$work" miniaudio==1.71
tar xzf "$work"/miniaudio-1.71.tar.gz -C "$work"
mkdir -p "$work/include/miniaudio"
find "$work"/miniaudio-1.71 -name miniaudio.h -exec cp {} "$work/include/miniaudio/" \;
flags="-O3"
[ "$(uname -m)" = x86_64 ] && flags="-O3 -mavx2 -mfma -mf16c"
GOBIN="$target" CGO_ENABLED=1 CGO_CPPFLAGS="-I$work/include" CGO_CFLAGS="$flags" CGO_CXXFLAGS="$flags" \
  go install "github.com/ollama/ollama@$version"
