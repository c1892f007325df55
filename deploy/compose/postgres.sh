#!/usr/bin/env bash
# Starts PostgreSQL in a container with the files of deploy/postgres. The image makes the database first, with settings
# of its own: its way in is the local socket, which our pg_hba.conf does not open.
set -euo pipefail
docker-ensure-initdb.sh postgres
# The server takes a key that only its own user can read; a mounted file belongs to somebody else.
install -d -o postgres -g postgres -m 0700 /run/tls
install -o postgres -g postgres -m 0600 /run/secrets/postgres.key /run/tls/server.key
install -o postgres -g postgres -m 0644 /run/secrets/postgres.crt /run/tls/server.crt
exec docker-entrypoint.sh postgres -c config_file=/etc/ctihub/postgresql.conf -c hba_file=/etc/ctihub/pg_hba.conf \
    -c "listen_addresses=*" -c ssl_cert_file=/run/tls/server.crt -c ssl_key_file=/run/tls/server.key "$@"
