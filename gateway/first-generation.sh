#!/bin/sh
# Gives the public pages their first generation (templates/freshness.js.template). Runs before each start of nginx:
# first-generation.sh [the folder of `nginx -p`]
set -e
cd "${1:-/var/cache/nginx}"
rm -rf generation generation.*
ln -s "$(mktemp -d generation.XXXXXXXXXX)" generation
