#!/bin/sh
# Fails when the committed generated code is not what the .proto files give.
set -eu
cd "$(dirname "$0")/.."
list() { find proto sdk -name '*.pb.go' -o -name '*.gen.go' | sort | xargs sha256sum; }
before=$(list)
(cd proto && go tool -modfile=../.tools/go.mod buf generate)
if [ "$before" != "$(list)" ]; then
    echo "the generated code was not up to date; make generate has just written it anew: commit it" >&2
    exit 1
fi
