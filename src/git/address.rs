//! The address of a remote repository, with its credentials apart: what is shown, logged and handed
//! to other processes as an argument never has them.

use std::fmt;
use std::path::Path;

/// What `--fleet` may begin with besides a path.
const SCHEMES: &str = "https://, ssh://, user@host:path, git://, file:// or http://";

/// Where a repository is fetched from. Its words are those without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// For ssh with the user, who is no secret; for http without.
    shown: String,
    credentials: Option<Credentials>,
}

/// Who fetches over http.
#[derive(Clone, PartialEq, Eq)]
struct Credentials {
    user: String,
    password: Option<String>,
    /// As it stood in the address, with percent signs.
    written: String,
}

impl Address {
    /// The address that `text` is; `None` when it is a path. Errors do not repeat what may be secret.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        if let Some((scheme, rest)) = text.split_once("://") {
            return Some(Self::of_scheme(&scheme.to_ascii_lowercase(), rest));
        }
        let (user, rest) = text.split_once('@')?;
        let (host, path) = rest.split_once(':')?;
        // A folder may be called so, and `PATH@REV` with a colon in REV is no commit.
        if user.contains(['/', ':']) || host.contains('/') || Path::new(text).exists() {
            return None;
        }
        let sound = [user, host].iter().all(|part| is_name(part)) && is_plain(path);
        Some(if sound && !path.is_empty() {
            Ok(Self { shown: text.to_owned(), credentials: None })
        } else {
            Err("this is not the address of a repository: write user@host:path".to_owned())
        })
    }

    fn of_scheme(scheme: &str, rest: &str) -> Result<Self, String> {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let shown = format!("{scheme}://{host}{path}");
        if path.len() < 2 || !is_plain(rest) {
            return Err(format!("`{shown}` names no repository: write {SCHEMES}"));
        }
        match scheme {
            "file" if authority.is_empty() => Ok(Self { shown, credentials: None }),
            "file" => Err(format!("`{shown}` names a host: write file:///PATH")),
            _ if !is_name(host) => Err(format!("`{shown}` names no host: write {SCHEMES}")),
            "http" | "https" if path.contains(['?', '#']) => {
                Err("an address has no `?` and no `#`: leave out what follows".to_owned())
            }
            "http" | "https" => {
                let credentials = user.filter(|user| !user.is_empty()).map(Credentials::of);
                Ok(Self { shown, credentials })
            }
            "ssh" => match user {
                Some(user) if user.contains(':') => Err(format!(
                    "the address of `{shown}` has a password, which ssh does not take: give the ssh \
                     agent a key"
                )),
                Some(user) if is_name(user) => {
                    Ok(Self { shown: format!("ssh://{user}@{host}{path}"), credentials: None })
                }
                Some(_) => Err(format!("`{shown}` names no user: write ssh://git@HOST/PATH")),
                None => Ok(Self { shown, credentials: None }),
            },
            "git" if user.is_none() => Ok(Self { shown, credentials: None }),
            "git" => Err(format!("`{shown}` takes no credentials: use https:// or ssh://")),
            _ => Err(format!("no repository is fetched over {scheme}://: use {SCHEMES}")),
        }
    }

    /// The address without credentials.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// Settings of git, each with a value that only its environment may carry.
    pub(crate) fn secret_settings(&self) -> Vec<(String, String)> {
        let Some(Credentials { user, password, .. }) = &self.credentials else { return Vec::new() };
        let shown = &self.shown;
        match password {
            // git sends a header to whomever the host redirects it to.
            Some(_) => vec![
                (
                    format!("http.{shown}.extraHeader"),
                    format!("Authorization: Basic {}", self.token()),
                ),
                (format!("http.{shown}.followRedirects"), "false".to_owned()),
            ],
            // A helper of git knows the password of this user of the host.
            None => {
                let path = shown.rfind("://").map_or(0, |at| at + 3);
                let end = shown[path..].find('/').map_or(shown.len(), |at| path + at);
                vec![(format!("credential.{}.username", &shown[..end]), user.clone())]
            }
        }
    }

    /// `text` without what is secret here, or in an address that git's own settings put in place of
    /// this one: others may repeat it.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let text = without_users(text);
        let Some(Credentials { user, password, written }) = &self.credentials else {
            return text;
        };
        let parts = written.split(':').map(str::to_owned);
        let mut secrets: Vec<String> = parts.chain([written.clone(), self.token()]).collect();
        secrets.push(user.clone());
        secrets.extend(password.clone());
        secrets.retain(|secret| !secret.is_empty());
        // The longest first: one may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }

    fn token(&self) -> String {
        let Some(Credentials { user, password, .. }) = &self.credentials else {
            return String::new();
        };
        base64(format!("{user}:{}", password.as_deref().unwrap_or_default()).as_bytes())
    }
}

impl Credentials {
    fn of(written: &str) -> Self {
        let (user, password) = match written.split_once(':') {
            Some((user, password)) => (user, Some(decoded(password))),
            None => (written, None),
        };
        Self { user: decoded(user), password, written: written.to_owned() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A host or a user that no program takes for an option.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && is_plain(text)
}

fn is_plain(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// A text without whoever stands before an `@` in its addresses of http. A user may be a token.
fn without_users(text: &str) -> String {
    let mut parts = text.split("://");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_http = kept.ends_with("http") || kept.ends_with("https");
        let end = part.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(part.len());
        let host = part[..end].rfind('@').filter(|_| is_http);
        kept.push_str("://");
        match host {
            Some(at) => kept.extend(["***", &part[at..]]),
            None => kept.push_str(part),
        }
    }
    kept
}

/// A part of an address without its percent signs.
fn decoded(part: &str) -> String {
    // This reads forms, where these two have meanings that they do not have here.
    let form = format!("x={}", part.replace('+', "%2B").replace('&', "%26"));
    let value = form_urlencoded::parse(form.as_bytes()).next();
    value.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// RFC 4648, with padding: what HTTP's Basic scheme takes.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| usize::from(three.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for letter in 0..4 {
            let index = bits >> (18 - 6 * letter) & 63;
            text.push(if letter <= three.len() { LETTERS[index].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).expect("an address").expect("a sound one")
    }

    #[test]
    fn addresses_are_told_from_paths() {
        for text in [
            "https://git.example.com/acme/fleet.git",
            "ssh://git@git.example.com:2222/acme/fleet.git",
            "git@git.example.com:acme/fleet.git",
            "file:///srv/fleet.git",
            "git://git.example.com/fleet",
            "http://127.0.0.1:8080/fleet",
        ] {
            assert_eq!(parsed(text).to_string(), text);
        }
        for path in ["fleet", "fleet@main", "a/b@c:d", "./git@host:x", "HEAD:x", "@main"] {
            assert!(Address::parse(path).is_none(), "{path}");
        }
    }

    #[test]
    fn credentials_are_kept_apart_and_never_shown() {
        let address = parsed("https://ann:s%2Bcret%40@git.example.com/fleet.git");
        let words = format!("{address} {address:?}");
        assert_eq!(words, "https://git.example.com/fleet.git https://git.example.com/fleet.git");
        assert_eq!(
            address.secret_settings(),
            [
                (
                    "http.https://git.example.com/fleet.git.extraHeader".to_owned(),
                    "Authorization: Basic YW5uOnMrY3JldEA=".to_owned()
                ),
                (
                    "http.https://git.example.com/fleet.git.followRedirects".to_owned(),
                    "false".to_owned()
                ),
            ]
        );
        let said = "fatal: https://ann:s%2Bcret%40@x s+cret@ YW5uOnMrY3JldEA=";
        assert_eq!(address.redacted(said), "fatal: https://***@x *** ***");
        let user = parsed("https://t0ken@git.example.com/fleet.git");
        assert_eq!(user.as_str(), "https://git.example.com/fleet.git");
        let setting = ("credential.https://git.example.com.username".into(), "t0ken".into());
        assert_eq!(user.secret_settings(), [setting]);
        assert_eq!(user.redacted("for t0ken@git"), "for ***@git");
    }

    #[test]
    fn a_token_in_an_address_that_gits_own_settings_put_in_place_of_ours_is_not_repeated() {
        let said = "fatal: could not read Password for 'https://t0ken@host': prompts disabled\n\
                    see http://ann:p%20@h:1/x and ssh://git@host/x, a@b";
        assert_eq!(
            parsed("https://host/fleet.git").redacted(said),
            "fatal: could not read Password for 'https://***@host': prompts disabled\n\
             see http://***@h:1/x and ssh://git@host/x, a@b"
        );
    }

    #[test]
    fn what_is_no_sound_address_is_refused_without_its_secrets() {
        for (text, says) in [
            ("ftp://x:hush@host/fleet", "over ftp://: use https://"),
            ("https://x:hush@host", "names no repository"),
            ("https://x:hush@/fleet", "names no host"),
            ("https://x:hush@host/fleet?token=hush", "no `?`"),
            ("ssh://git:hush@host/fleet", "give the ssh agent a key"),
            ("ssh://-oProxyCommand=x/fleet", "names no host"),
            ("git@-oProxyCommand=x:fleet", "user@host:path"),
            ("git://x:hush@host/fleet", "takes no credentials"),
            ("file://host/fleet", "write file:///PATH"),
            ("https://x:hush@host/a b", "names no repository"),
        ] {
            let error = Address::parse(text).expect("an address").expect_err(text);
            assert!(error.contains(says) && !error.contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
