#!/bin/sh
# Makes the secrets that docker-compose.yml names, each random, and leaves those alone that are there.
# The folder is closed to others; the files in it are not, because the users inside of the containers must read them.
set -eu

folder=$(dirname "$0")/secrets
mkdir -p "$folder"
chmod 0700 "$folder"
umask 0022

make() {
    [ -e "$folder/$1" ] || printf '%s\n' "$2" >"$folder/$1"
}

password() {
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

if [ ! -e "$folder/amqp_url" ] || [ ! -e "$folder/rabbitmq_user.conf" ]; then
    # The two belong together.
    rm -f "$folder/amqp_url" "$folder/rabbitmq_user.conf"
    broker=$(password)
    make amqp_url "amqp://tieline:$broker@rabbitmq:5672/%2f"
    make rabbitmq_user.conf "default_user = tieline
default_pass = $broker"
fi
make postgres_password "$(password)"
echo "The secrets are in $folder."
