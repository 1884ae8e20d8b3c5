#!/bin/sh
# fresh-clone.sh   clones what is committed into a temporary folder and runs the README's two commands there
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone -q "$here" "$clone"
cd "$clone"
npm ci
npm start
npm cit
