# For scripts that use the AWS CLI: the credentials of a local Keyspaces, and the output of checks that `run` reads. Sourced.
seconds=60

# The value in the ready file READY at a path such as ["credentials"]["user"]; nothing for null.
ready() { # READY PATH
    python3 -c "import json, sys; print(json.load(open(sys.argv[1]))$2 or '')" "$1"
}

AWS_DEFAULT_REGION=$(ready "$KS_READY" '["region"]')
AWS_ACCESS_KEY_ID=$(ready "$KS_READY" '["credentials"]["access_key"]')
AWS_SECRET_ACCESS_KEY=$(ready "$KS_READY" '["credentials"]["secret_key"]')
AWS_CA_BUNDLE=$(ready "$KS_READY" '["ca"]')
endpoint=$(ready "$KS_READY" '["control_plane"]')
export AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_CA_BUNDLE AWS_PAGER=

fail() {
    echo "$*" >&2
    return 1
}

equal() { # FOUND WANTED
    [[ $1 == "$2" ]] || fail "it is '$1', not '$2'"
}

failed=0
check() { # NAME FUNCTION
    local said status=0
    # Not in a condition, because `set -e` has no effect there.
    set +e
    said=$(set -e; "$2" 2>&1 >/dev/null)
    status=$?
    set -e
    if ((status == 0)); then
        echo "ok $1"
    else
        failed=1
        echo "failed $1: ${said//$'\n'/ }"
    fi
}
