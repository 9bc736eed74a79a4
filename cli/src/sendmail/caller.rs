//! Who calls: the user of this process, and the domain that users here have.

use std::path::PathBuf;

use okuru_core::syntax::Domain;

/// The user of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The name to log in.
    pub(crate) login: String,
    pub(crate) full_name: Option<String>,
    pub(crate) home: Option<PathBuf>,
}

impl Caller {
    pub(crate) fn find() -> Self {
        let mut caller = Self::from_accounts();
        // As sendmail(1) has it, for users who want to be called otherwise.
        caller.full_name = variable("NAME").or(caller.full_name);
        caller.home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from).or(caller.home);
        caller
    }

    #[cfg(unix)]
    fn from_accounts() -> Self {
        let uid = nix::unistd::getuid();
        let Ok(Some(user)) = nix::unistd::User::from_uid(uid) else {
            // As in containers that run under any number.
            let login = variable("USER").unwrap_or_else(|| format!("uid-{uid}"));
            return Self { login, ..Self::default() };
        };
        let full_name = full_name(&user.gecos.to_string_lossy(), &user.name);
        Self { login: user.name, full_name, home: Some(user.dir) }
    }

    #[cfg(not(unix))]
    fn from_accounts() -> Self {
        Self { login: variable("USERNAME").unwrap_or_else(|| "nobody".to_owned()), ..Self::default() }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The first part of what /etc/passwd has to say of a user, where `&` stands for the login name with a capital letter.
#[cfg(unix)]
fn full_name(gecos: &str, login: &str) -> Option<String> {
    let name = gecos.split(',').next().unwrap_or_default().trim();
    let mut letters = login.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    Some(name.replace('&', &capital)).filter(|name| !name.is_empty())
}

/// The domain of local names, where none is configured: that of /etc/mailname, or else this host's name.
pub(crate) fn local_domain() -> Domain {
    let mail_name = std::fs::read_to_string("/etc/mailname").unwrap_or_default();
    let domain = mail_name.lines().next().and_then(|line| line.trim().parse().ok());
    domain.or_else(|| host_name().parse().ok()).unwrap_or_else(|| Domain::from(std::net::IpAddr::from([127, 0, 0, 1])))
}

/// What this machine calls itself.
pub(crate) fn host_name() -> String {
    dns_lookup::get_hostname().ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        for (gecos, name) in [
            ("Ann Example,Room 1,,", Some("Ann Example")),
            ("& Example", Some("Ann Example")),
            ("root", Some("root")),
            ("", None),
            (",,,", None),
        ] {
            assert_eq!(full_name(gecos, "ann").as_deref(), name, "{gecos}");
        }
    }
}
