# Looks for what this machine lacks and installs it with apt-get where it may. Sourced by demo and test.

missing_packages() {
    command -v cc >/dev/null && command -v c++ >/dev/null && command -v make >/dev/null || echo build-essential
    command -v java >/dev/null || echo openjdk-17-jre-headless
    command -v mvn >/dev/null || echo maven
    command -v python3 >/dev/null || echo python3
    python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
    command -v psql >/dev/null || echo postgresql-client
    command -v setpriv >/dev/null && command -v flock >/dev/null || echo util-linux
}

ensure_tools() {
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: install it with rustup (https://rustup.rs), then run this again." >&2
        exit 2
    fi
    local packages
    packages=$(missing_packages | sort -u | tr '\n' ' ')
    [ -z "$packages" ] && return 0
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
