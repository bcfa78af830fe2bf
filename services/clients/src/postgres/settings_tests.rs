//! What URLs mean, and which are refused.

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn parsed(url: &str) -> Settings {
    Settings::parse_in(url, &nothing).unwrap()
}

fn refused(url: &str) -> String {
    let error = Settings::parse_in(url, &nothing).unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
    error
}

#[test]
fn a_vanished_host_costs_30_s_at_most_unless_the_url_says_otherwise() {
    let config = parsed("postgres://u@h/d").config;
    assert!(config.get_keepalives());
    let probes = config.get_keepalives_interval().unwrap() * config.get_keepalives_retries().unwrap();
    assert!(config.get_keepalives_idle() + probes <= Duration::from_secs(30));
    assert_eq!(config.get_tcp_user_timeout(), Some(&Duration::from_secs(25)));
    let settings = parsed(
        "postgres://u@h/d?connect_timeout=3&keepalives_idle=60&keepalives_count=9&tcp_user_timeout=1500",
    );
    assert_eq!(settings.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(settings.config.get_keepalives_idle(), Duration::from_secs(60));
    assert_eq!(settings.config.get_keepalives_retries(), Some(9));
    // Milliseconds, as in libpq.
    assert_eq!(
        settings.config.get_tcp_user_timeout(),
        Some(&Duration::from_millis(1500))
    );
    assert_eq!(parsed("postgres://h/d?connect_timeout=0").connect_timeout, None);
}

#[test]
fn hosts_and_ports_go_together() {
    let hosts = parsed("postgres://u@a:1,[::1],c:3/d?target_session_attrs=read-write").hosts;
    let names: Vec<_> = hosts.iter().map(Host::name).collect();
    assert_eq!(names, ["a:1", "::1:5432", "c:3"]);
    let hosts = parsed("host=a,b hostaddr=127.0.0.1,127.0.0.2 port=7").hosts;
    assert_eq!(
        hosts[1].address,
        Address::Ip("b".into(), "127.0.0.2".parse().unwrap())
    );
    assert_eq!(hosts[1].port, 7);
    let socket = parsed("postgres:///d?host=/run/pg").hosts;
    assert_eq!(socket[0].address, Address::Socket("/run/pg".into()));
    assert!(refused("host=a,b port=1,2,3").contains("port in timescale.url"));
    assert!(refused("postgres:///d").contains("no host"));
}

#[test]
fn modes_are_libpqs() {
    assert_eq!(parsed("postgres://h/d").mode, SslMode::Prefer);
    assert_eq!(parsed("postgres://h/d?ssl=true").mode, SslMode::Require);
    assert!(parsed("postgres://h/d?sslmode=disable").tls.is_none());
    assert!(
        refused("postgres://h/d?sslmode=hunter2").contains("sslmode in timescale.url must be one of disable")
    );
    assert!(refused("postgres://h/d?sslmode=verify-full").contains("sslrootcert=system"));
    assert!(refused("postgres://h/d?sslmode=require&sslrootcert=system").contains("verify-full"));
    assert!(refused("postgres://h/d?sslnegotiation=direct").contains("sslnegotiation"));
    assert!(refused("postgres://h/d?target_session_attrs=writer").contains("prefer-standby"));
    assert!(refused("postgres://h/d?service=x").contains("`service`"));
    assert!(refused("postgres://h/d?gssencmode=require").contains("gssencmode"));
}

#[test]
fn a_file_that_was_asked_for_has_to_be_there() {
    assert!(refused("postgres://h/d?sslrootcert=/not/there").contains("/not/there"));
    assert!(refused("postgres://h/d?sslcert=/not/there").contains("sslcert in timescale.url"));
    assert!(refused("postgres://h/d?sslkey=/not/there").contains("sslcert"));
}

#[test]
fn nothing_secret_is_printed() {
    let settings = parsed("postgres://u:hunter2@h/d");
    assert!(!format!("{settings:?}").contains("hunter2"));
}
