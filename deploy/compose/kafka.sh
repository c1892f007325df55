#!/usr/bin/env bash
# Starts a Kafka node in a container: formats its storage once, with the hub's two users in it, then runs the broker.
set -euo pipefail
properties=/etc/ctihub/server.properties
secret() { cat "/run/secrets/$1"; }
user() { printf 'SCRAM-SHA-512=[name=%s,password=%s]' "$1" "$(secret "$2")"; }

/opt/kafka/bin/kafka-storage.sh format --standalone --ignore-formatted --cluster-id "$CLUSTER_ID" --config "$properties" \
    --add-scram "$(user ctihub_admin kafka_admin_password)" --add-scram "$(user ctihub_hub kafka_hub_password)"
exec /opt/kafka/bin/kafka-server-start.sh "$properties"
