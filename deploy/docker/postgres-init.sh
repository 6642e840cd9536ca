#!/bin/sh
# Runs once, in the official postgres image, on an empty volume: a role and a database per service, and nobody else's
# access to it. The extensions are those that a service's migrations rely on.
set -eu

for service in auth listings bookings worker; do
  psql --set ON_ERROR_STOP=1 --set name="nexus_$service" \
    --set password="$(cat "/run/secrets/${service}_database_password")" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done

for extension in pg_trgm unaccent btree_gist cube earthdistance; do
  psql --set ON_ERROR_STOP=1 --dbname nexus_listings --command "CREATE EXTENSION IF NOT EXISTS $extension"
done
