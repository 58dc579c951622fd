#!/bin/sh
# Makes the services' roles and gives them their passwords. The image runs it at the first start of a new volume.
# For a volume of before:
#   docker compose up -d db
#   docker compose exec db sh /docker-entrypoint-initdb.d/roles.sh
#   docker compose run --rm migrate
set -eu

run() {
    psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

# A role without a password cannot sign in over the network.
password() {
    [ -z "$2" ] || echo "ALTER ROLE invigil_$1 PASSWORD :'password';" | run --set "password=$2"
}

run --file /roles.sql
password migrate "$POSTGRES_MIGRATE_PASSWORD"
password api "$POSTGRES_API_PASSWORD"
password worker "${POSTGRES_WORKER_PASSWORD:-}"
password trainer "${POSTGRES_TRAINER_PASSWORD:-}"
