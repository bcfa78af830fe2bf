//! Validates the registry's settings and builds the HTTP client.

use std::fs;
use std::path::Path;
use std::time::Duration;

use pulseline_runtime::config::{RegistryConfig, Secret, require};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Url};

use super::answer::reason_of;

/// Connection timeout before the next URL.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Request timeout.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// A registry's URL and credentials.
pub(super) struct Endpoint {
    /// Without user and password.
    pub(super) url: Url,
    /// Host and port, for messages.
    pub(super) shown: String,
    pub(super) login: Login,
}

/// The client's credentials.
#[derive(Clone)]
pub(super) enum Login {
    None,
    Basic { username: String, password: Secret },
    Bearer(Secret),
}

/// The configured registries, in order.
pub(super) fn endpoints(config: &RegistryConfig) -> Result<Vec<Endpoint>, String> {
    require(config.url.expose(), "registry", "url").map_err(|error| error.to_string())?;
    let login = login(config)?;
    let urls = config.url.expose().split(',').map(str::trim).enumerate();
    let endpoints = urls.map(|(index, url)| endpoint(url, index + 1, &login));
    let endpoints = endpoints.collect::<Result<Vec<_>, String>>()?;
    let is_plain = endpoints.iter().all(|endpoint| endpoint.url.scheme() == "http");
    let is_secured = config.ssl_ca.is_some() || config.ssl_certificate.is_some();
    if is_plain && is_secured {
        return Err(
            "registry.ssl_ca and registry.ssl_certificate have no effect: no URL in registry.url begins with https"
                .into(),
        );
    }
    Ok(endpoints)
}

fn login(config: &RegistryConfig) -> Result<Login, String> {
    let token = config.bearer_token.expose().trim();
    match (config.username.is_empty(), token.is_empty()) {
        (false, false) => {
            Err("registry.bearer_token and registry.username exclude each other: set one of them".into())
        }
        (true, _) if !config.password.is_empty() => {
            Err("registry.password is set, but registry.username is not".into())
        }
        (true, true) => Ok(Login::None),
        (false, true) => Ok(Login::Basic {
            username: config.username.clone(),
            password: config.password.clone(),
        }),
        (true, false) => match HeaderValue::from_str(token) {
            Ok(_) => Ok(Login::Bearer(Secret::new(token))),
            Err(_) => Err("registry.bearer_token contains characters that HTTP headers cannot carry".into()),
        },
    }
}

/// Errors never quote the URL: it may hold a password.
fn endpoint(text: &str, number: usize, login: &Login) -> Result<Endpoint, String> {
    let wrong = |why: &str| format!("registry.url: URL {number} of the list {why}");
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("is invalid: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("begins with neither http:// nor https://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment: use the base URL alone"));
    }
    let own = url_login(&url).map_err(|why| wrong(&why))?;
    let login = match (own, login) {
        (Some(_), Login::Bearer(_)) => {
            return Err(wrong("has a user, which registry.bearer_token excludes"));
        }
        (Some(own), Login::None) => own,
        // Separate settings take precedence over the URL.
        (_, login) => login.clone(),
    };
    // These fail only for URLs without a host, which http URLs always have.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let host = url.host_str().unwrap_or_default();
    let shown = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
    Ok(Endpoint { url, shown, login })
}

fn url_login(url: &Url) -> Result<Option<Login>, String> {
    let decoded = |text: &str| {
        percent_decoded(text)
            .ok_or_else(|| "has a user or password that is not percent-encoded UTF-8".to_owned())
    };
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    Ok(Some(Login::Basic {
        username: decoded(url.username())?,
        password: Secret::new(decoded(url.password().unwrap_or_default())?),
    }))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// The HTTP client. It does not follow redirects, which could leak credentials; no registry sends any.
pub(super) fn client(config: &RegistryConfig) -> Result<reqwest::Client, String> {
    // The process may have installed a provider already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The client's defaults include keepalives after 15 s and a 30 s limit on unacknowledged data.
    let mut builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .redirect(Policy::none());
    if let Some(path) = &config.ssl_ca {
        let certificates = Certificate::from_pem_bundle(&read("registry.ssl_ca", path)?);
        let certificates = certificates.ok().filter(|found| !found.is_empty());
        let missing = || format!("registry.ssl_ca: {} holds no PEM certificate", path.display());
        builder = builder.tls_certs_only(certificates.ok_or_else(missing)?);
    }
    match (&config.ssl_certificate, &config.ssl_key) {
        (None, None) => {}
        (Some(certificate), Some(key)) => builder = builder.identity(identity(certificate, key)?),
        (Some(_), None) => return Err("registry.ssl_certificate is set, but registry.ssl_key is not".into()),
        (None, Some(_)) => return Err("registry.ssl_key is set, but registry.ssl_certificate is not".into()),
    }
    let refused = |error: reqwest::Error| {
        format!(
            "registry.ssl_ca, registry.ssl_certificate or registry.ssl_key is unusable: {}",
            reason_of(&error)
        )
    };
    builder.build().map_err(refused)
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let mut pem = read("registry.ssl_certificate", certificate)?;
    let key_pem = read("registry.ssl_key", key)?;
    if key_pem.windows(9).any(|part| part == b"ENCRYPTED") {
        return Err(format!(
            "registry.ssl_key: {} is encrypted: decrypt it, and let only this user read the file",
            key.display()
        ));
    }
    pem.push(b'\n');
    pem.extend(key_pem);
    Identity::from_pem(&pem).map_err(|_| {
        format!(
            "registry.ssl_certificate and registry.ssl_key: {} and {} hold no PEM certificate with its key",
            certificate.display(),
            key.display()
        )
    })
}

fn read(setting: &str, path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{setting}: {} cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> RegistryConfig {
        RegistryConfig {
            url: Secret::new(url),
            ..RegistryConfig::default()
        }
    }

    fn refused(config: &RegistryConfig) -> String {
        let refused = endpoints(config)
            .map(drop)
            .and_then(|()| client(config).map(drop));
        refused.unwrap_err()
    }

    #[test]
    fn the_urls_of_a_list_each_have_their_user() {
        let list = endpoints(&config("http://a:8081/apis/v7/, https://u%40x:p%3Aw@b")).unwrap();
        assert_eq!(list[0].url.as_str(), "http://a:8081/apis/v7/");
        assert!(matches!(list[0].login, Login::None));
        assert_eq!(
            (list[1].shown.as_str(), list[1].url.as_str()),
            ("b:443", "https://b/")
        );
        let Login::Basic { username, password } = &list[1].login else {
            panic!("no user")
        };
        assert_eq!((username.as_str(), password.expose()), ("u@x", "p:w"));
        let apart = RegistryConfig {
            username: "key".into(),
            ..config("https://u:p@b")
        };
        let apart = endpoints(&apart).unwrap();
        assert!(matches!(&apart[0].login, Login::Basic { username, .. } if username == "key"));
    }

    #[test]
    fn a_wrong_setting_is_named_and_no_secret_is_told() {
        let base = || config("https://user:hunter2@h");
        let cases = [
            (config(""), "PULSELINE__REGISTRY__URL"),
            (config("not hunter2"), "registry.url: URL 1"),
            (
                config("http://h,ftp://user:hunter2@h"),
                "URL 2 of the list begins with neither",
            ),
            (config("http://user:hunter2@h/?x=hunter2"), "query"),
            (config("http://user:hunter2@h:port"), "URL 1"),
            (config("http://user:%ff@h"), "percent-encoded"),
            (
                RegistryConfig {
                    bearer_token: Secret::new("hunter2"),
                    ..base()
                },
                "registry.bearer_token",
            ),
            (
                RegistryConfig {
                    bearer_token: Secret::new("hunter2\u{1}"),
                    ..config("http://h")
                },
                "registry.bearer_token",
            ),
            (
                RegistryConfig {
                    password: Secret::new("hunter2"),
                    ..config("http://h")
                },
                "registry.username",
            ),
        ];
        all_refused(&cases);
    }

    #[test]
    fn a_wrong_file_is_named() {
        let base = || config("https://user:hunter2@h");
        let cases = [
            (
                RegistryConfig {
                    ssl_ca: Some("/nowhere/ca.pem".into()),
                    ..base()
                },
                "registry.ssl_ca: /nowhere/ca.pem cannot be read",
            ),
            (
                RegistryConfig {
                    ssl_ca: Some("Cargo.toml".into()),
                    ..base()
                },
                "registry.ssl_ca: Cargo.toml holds no PEM certificate",
            ),
            (
                RegistryConfig {
                    ssl_ca: Some("Cargo.toml".into()),
                    ..config("http://h")
                },
                "https",
            ),
            (
                RegistryConfig {
                    ssl_key: Some("key.pem".into()),
                    ..base()
                },
                "registry.ssl_certificate is not",
            ),
            (
                RegistryConfig {
                    ssl_certificate: Some("cert.pem".into()),
                    ..base()
                },
                "registry.ssl_key is not",
            ),
        ];
        all_refused(&cases);
    }

    fn all_refused(cases: &[(RegistryConfig, &str)]) {
        for (config, named) in cases {
            let text = refused(config);
            assert!(text.contains(named), "{text}: {named}");
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
