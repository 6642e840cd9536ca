#!/bin/sh
# Makes every secret that docker-compose.yml mounts, one file each, and keeps those that exist: safe to run again.
#
#   deploy/docker/make-secrets.sh [FOLDER]        default: deploy/docker/secrets, which git ignores
#
# Replace what only you can know (the certificate, Chapa's keys, the mail server) by writing the file yourself.
# The folder is its owner's alone; the files in it are readable, because containers read them under another user id.
set -eu
umask 077
folder=${1:-"$(dirname "$0")/secrets"}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

keep() {  # NAME COMMAND...: write the command's output into NAME unless it is there
  name=$1
  shift
  [ -s "$name" ] && return
  "$@" > "$name.new"
  mv "$name.new" "$name"
}

for owner in postgres auth_database listings_database bookings_database worker_database valkey; do
  keep "${owner}_password" openssl rand -hex 32
done
for service in auth listings bookings worker; do
  password=$(cat "${service}_database_password")
  keep "${service}_database_url" printf 'postgresql+asyncpg://%s:%s@postgres:5432/%s' "nexus_$service" "$password" "nexus_$service"
done
keep cache_url printf 'redis://:%s@valkey:6379/0' "$(cat valkey_password)"
keep events_url printf 'redis://:%s@valkey:6379/1' "$(cat valkey_password)"
keep internal_secret openssl rand -hex 32
keep signing_key openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
keep chapa_secret_key printf 'CHASECK_TEST-%s' "$(openssl rand -hex 16)"
keep chapa_webhook_secret openssl rand -hex 32
keep smtp_url printf 'smtp://mail:1025'
keep tls_key openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256
keep tls_certificate openssl req -x509 -key tls_key -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost

chmod 644 ./*
