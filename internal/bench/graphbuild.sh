#!/usr/bin/env bash
# Measures what importing calendar/msgraph costs: the CPU seconds of a cold build
# of a program with azidentity and net/http, and of one with calendar/msgraph too.
# Each build has an empty build cache. Modules come from the module cache.
#
#   bash internal/bench/graphbuild.sh [times]
set -euo pipefail
repo=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
mkdir "$work/base" "$work/graph"

cat >"$work/base/main.go" <<'GO'
package main

import (
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

func main() {
	cred, err := azidentity.NewEnvironmentCredential(nil)
	println(cred, err, http.DefaultClient)
}
GO
cat >"$work/graph/main.go" <<'GO'
package main

import (
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/onetouchjoin/onetouchjoin/calendar/msgraph"
)

func main() {
	cred, err := azidentity.NewEnvironmentCredential(nil)
	println(msgraph.New(cred, nil), err)
}
GO

version=$(cd "$repo" && go list -m -f '{{.Version}}' github.com/Azure/azure-sdk-for-go/sdk/azidentity)
for p in base graph; do
  (cd "$work/$p"
    go mod init "example.com/$p" 2>/dev/null
    go mod edit -require "github.com/Azure/azure-sdk-for-go/sdk/azidentity@$version"
    go mod edit -require github.com/onetouchjoin/onetouchjoin@v0.0.0 -replace "github.com/onetouchjoin/onetouchjoin=$repo"
    go mod tidy 2>/dev/null)
done

TIMEFORMAT='%U %S'
for _ in $(seq "${1:-1}"); do
  for p in base graph; do
    rm -rf "$work/cache"
    seconds=$( { time GOCACHE="$work/cache" GOFLAGS= go build -C "$work/$p" -o /dev/null . ; } 2>&1 )
    sum=$(awk '{ print $1 + $2 }' <<<"$seconds")
    echo "$p $sum CPU seconds"
    declare "$p=$sum"
  done
  awk -v b="$base" -v g="$graph" 'BEGIN { printf "ratio %.2f\n", g / b }'
done
