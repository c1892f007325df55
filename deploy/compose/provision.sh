#!/bin/sh
# Makes the hub's rights on the broker, a first centre, member and operator; their tokens land in $TOKENS, one file each,
# that of the sample centre in $CONNECTOR instead, where its connector finds it and no other.
# Runs at each start and changes nothing that is there. Needs the administrator's configuration.
set -eu
: "${TOKENS:?the folder for the tokens}" "${CONNECTOR:?the folder for the token of the connector}"
umask 077

token_of() { python -c 'import json, sys; print(json.load(sys.stdin)["token"])'; }

principal() { # FOLDER KIND NAME [TERM…]
    into=$1 kind=$2 name=$3
    shift 3
    [ ! -s "$into/$name" ] || return 0
    # One that is there already, but whose token nobody has any more, gets a new one.
    ctihub "$kind" add "$name" "$@" --json >"$into/.made" || ctihub "$kind" rotate "$name" --json >"$into/.made"
    token_of <"$into/.made" >"$into/.token"
    rm "$into/.made"
    mv "$into/.token" "$into/$name"
}

# Ends with 1 as long as something is left that only a person can mend: that must not stop the rest.
ctihub doctor --fix || echo "provision: see above; going on" >&2
principal "$CONNECTOR" centre sample --country RO --default-tlp green
principal "$TOKENS" member reader --accredited-by sample
principal "$TOKENS" operator watch
echo "provision: done"
