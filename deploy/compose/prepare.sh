#!/usr/bin/env bash
# Makes what a stack must not share with any other: an authority, certificates for Kafka, PostgreSQL and the hub, and
# passwords; everything in ./secrets beside this file, or in the folder that is named. What is there is left as it is.
# Needs bash and openssl.
set -euo pipefail
umask 077
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=${1:-$here/secrets}
days=825
mkdir -p "$into"
cd "$into"
# Compose mounts these files as they are, owner and mode included, into containers with users of their own: the files can
# be read by all, this folder by its owner alone.
chmod 0700 .

fresh() { [ ! -s "$1" ]; }

password() { # FILE
    fresh "$1" || return 0
    openssl rand -hex 24 | tr -d '\n' >"$1.new"
    mv "$1.new" "$1"
}

key() { # FILE: PKCS #8, as Kafka wants it
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null ||
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
}

authority() {
    fresh ca.pem || return 0
    key ca.key
    openssl req -x509 -new -key ca.key -days 3650 -subj "/CN=ctihub authority" -out ca.pem \
        -addext "keyUsage=critical,keyCertSign,cRLSign"
}

certificate() { # NAME COMMON-NAME SUBJECT-ALTERNATIVE-NAMES
    fresh "$1.crt" || return 0
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
    printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n' >"$1.ext"
    printf 'subjectAltName=%s\n' "$3" >>"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days "$days" \
        -extfile "$1.ext" -out "$1.crt" 2>/dev/null
    rm "$1.csr" "$1.ext"
}

authority
# The common name is the broker's own user in deploy/kafka/server.properties.
certificate kafka ctihub_broker "DNS:kafka,DNS:localhost,IP:127.0.0.1${KAFKA_HOST:+,DNS:$KAFKA_HOST}"
certificate postgres postgres "DNS:postgres,DNS:localhost,IP:127.0.0.1"
certificate hub ctihub "DNS:doors,DNS:worker,DNS:relay,DNS:localhost,IP:127.0.0.1${HUB_HOST:+,DNS:$HUB_HOST}"
fresh kafka.pem && cat kafka.key kafka.crt ca.pem >kafka.pem

for name in kafka_admin_password kafka_hub_password postgres_password grafana_password; do password "$name"; done

# The processes that carry data come in as ctihub_hub; only the provisioning has the administrator's password.
settings() {
    cat <<TOML
DATABASE_URL = "postgresql://ctihub:$(cat postgres_password)@postgres:5432/ctihub?sslmode=verify-full&sslrootcert=/run/secrets/ca.pem"
KAFKA_PASSWORD = "$(cat kafka_hub_password)"
TOML
}
fresh hub.toml && settings >hub.toml
if fresh provision.toml; then
    settings >provision.toml
    printf 'KAFKA_ADMIN_USERNAME = "ctihub_admin"\nKAFKA_ADMIN_PASSWORD = "%s"\n' "$(cat kafka_admin_password)" >>provision.toml
fi

chmod 0644 -- *
chmod 0600 ca.key
echo "ready: $into"
