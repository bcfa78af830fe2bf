//! Authentication by bearer token or by user and password. Pure except for the layer at the end.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::config::HttpConfig;

/// Digest of a secret: comparison takes constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// True when `said` is the secret.
    #[must_use]
    pub fn matches(&self, said: &str) -> bool {
        let pairs = self.0.iter().zip(Self::of(said).0);
        // Compares every byte.
        pairs.fold(0, |differences, (ours, theirs)| differences | (ours ^ theirs)) == 0
    }
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Value of `Authorization` for a scheme such as `Bearer`; none when missing, of another scheme, or repeated.
#[must_use]
pub fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let only = values.next()?.to_str().ok()?;
    if values.next().is_some() {
        return None;
    }
    let (said, credentials) = only.split_once(' ')?;
    said.eq_ignore_ascii_case(scheme)
        .then(|| credentials.trim_start_matches(' '))
}

/// Accepted credentials: the bearer token, or user and password.
#[derive(Clone, Debug, Default)]
pub struct Access {
    bearer: Option<Fingerprint>,
    /// Digest of `user:password` in Base64.
    basic: Option<Fingerprint>,
}

impl Access {
    /// The configured credentials.
    #[must_use]
    pub fn new(config: &HttpConfig) -> Self {
        let basic = || format!("{}:{}", config.basic_user, config.basic_password.expose());
        Self {
            bearer: (!config.bearer_token.is_empty()).then(|| Fingerprint::of(config.bearer_token.expose())),
            basic: (!config.basic_user.is_empty()).then(|| Fingerprint::of(&BASE64_STANDARD.encode(basic()))),
        }
    }

    /// True when no credentials are required.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.bearer.is_none() && self.basic.is_none()
    }

    /// True when these headers hold accepted credentials.
    #[must_use]
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let matches = |expected: &Option<Fingerprint>, scheme| {
            let said = credentials(headers, scheme);
            expected
                .as_ref()
                .zip(said)
                .is_some_and(|(expected, said)| expected.matches(said))
        };
        self.is_open() || matches(&self.bearer, "Bearer") || matches(&self.basic, "Basic")
    }

    /// Adds the challenge to a 401.
    pub fn challenge(&self, headers: &mut HeaderMap) {
        let schemes = [
            (&self.basic, "Basic realm=\"pulseline\", charset=\"UTF-8\""),
            (&self.bearer, "Bearer realm=\"pulseline\""),
        ];
        for (_, challenge) in schemes.into_iter().filter(|(expected, _)| expected.is_some()) {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
    }
}

/// Guards a router: requests without credentials get a 401.
pub fn guarded(router: Router, access: Access) -> Router {
    router.layer(from_fn_with_state(Arc::new(access), admitted))
}

async fn admitted(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    if access.admits(request.headers()) {
        return next.run(request).await;
    }
    let mut response = (StatusCode::UNAUTHORIZED, "credentials are required\n").into_response();
    access.challenge(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    const TOKEN: &str = "0123456789abcdef";

    fn access(token: &str, user: &str, password: &str) -> Access {
        Access::new(&HttpConfig {
            bearer_token: Secret::new(token),
            basic_user: user.into(),
            basic_password: Secret::new(password),
            ..HttpConfig::default()
        })
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_token_passes_and_nothing_like_it() {
        let access = access(TOKEN, "", "");
        for right in [
            "Bearer 0123456789abcdef",
            "bearer 0123456789abcdef",
            "Bearer  0123456789abcdef",
        ] {
            assert!(access.admits(&headers(&[right])), "{right}");
        }
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcde",
            "Bearer ",
            "Bearer",
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "",
        ] {
            assert!(!access.admits(&headers(&[wrong])), "{wrong}");
        }
        let right = "Bearer 0123456789abcdef";
        assert!(!access.admits(&headers(&[right, right])), "said twice");
        assert!(!access.admits(&HeaderMap::new()));
    }

    #[test]
    fn user_and_password_pass_as_a_browser_sends_them() {
        let access = access("", "Aladdin", "open sesame");
        // The example of RFC 7617.
        assert!(access.admits(&headers(&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="])));
        for wrong in [
            "Basic QWxhZGRpbjpvcGVuIHNlc2Ft",
            "Basic Aladdin:open sesame",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ] {
            assert!(!access.admits(&headers(&[wrong])), "{wrong}");
        }
    }

    #[test]
    fn either_is_enough_and_a_401_names_both() {
        let access = access(TOKEN, "Aladdin", "open sesame");
        for right in ["Bearer 0123456789abcdef", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="] {
            assert!(access.admits(&headers(&[right])));
        }
        let mut answered = HeaderMap::new();
        access.challenge(&mut answered);
        let named: Vec<_> = answered.get_all(WWW_AUTHENTICATE).iter().collect();
        assert!(named.len() == 2 && named[0].to_str().unwrap().starts_with("Basic realm="));
    }

    #[test]
    fn without_settings_everybody_passes_and_no_secret_prints() {
        let open = access("", "", "");
        assert!(open.is_open() && open.admits(&HeaderMap::new()));
        let guarded = access(TOKEN, "", "");
        assert!(!guarded.is_open() && !format!("{guarded:?}").contains(TOKEN));
    }
}
