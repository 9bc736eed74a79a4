//! Which server, how it is reached, and who we are there.

use std::fs;
use std::io;
use std::path::Path;

use okuru::{Options, ReplyLimits};
use okuru_core::sasl::{Mechanism, Secret};

use crate::arguments::{ConnectionArguments, LoginArguments};
use crate::envelope::in_option;
use crate::exit::{Failure, usage};
use crate::letter::in_words;
use crate::trace::{Tracer, lines};

/// The server at `url`, and how it is reached.
pub(crate) fn options(url: &str, arguments: &ConnectionArguments, tracer: Option<&Tracer>) -> Result<Options, Failure> {
    let mut options = Options::new(url)?;
    if let Some(tls) = arguments.tls {
        options = options.tls(tls.into());
    }
    if let Some(path) = &arguments.ca {
        options = options.ca_file(path);
    }
    if let Some(name) = &arguments.tls_name {
        options = options.tls_name(name);
    }
    if let (Some(certificate), Some(key)) = (&arguments.client_cert, &arguments.client_key) {
        options = options.client_certificate_files(certificate, key);
    }
    if let Some(name) = &arguments.ehlo {
        options = options.ehlo_name(name).map_err(in_option("--ehlo"))?;
    }
    if let Some(url) = &arguments.proxy {
        options = options.proxy(url).map_err(in_option("--proxy"))?;
    }
    if let Some(address) = arguments.source_address {
        options = options.source_address(address);
    }
    if let Some(timeout) = arguments.connect_timeout {
        options = options.connect_timeout(timeout);
    }
    if let Some(timeout) = arguments.reply_timeout {
        options = options.reply_timeout(timeout);
    }
    if let Some(bytes) = arguments.max_reply {
        let usual = ReplyLimits::default();
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        options = options.reply_limits(ReplyLimits { line: usual.line.min(bytes), bytes, ..usual });
    }
    if let Some(tracer) = tracer.cloned() {
        options = options.trace(move |trace| tracer(&lines(trace)));
    }
    Ok(options)
}

/// The same, with who we are.
pub(crate) fn log_in(options: Options, arguments: &LoginArguments) -> Result<Options, Failure> {
    let mechanisms = arguments.auth.iter().map(|name| name.parse().map_err(in_option("--auth")));
    let mechanisms: Vec<Mechanism> = mechanisms.collect::<Result<_, _>>()?;
    let external = mechanisms == [Mechanism::External];
    let mut options = options.dangerously_allow_plaintext_auth(arguments.allow_plaintext_auth);
    if !mechanisms.is_empty() {
        options = options.mechanisms(mechanisms);
    }
    let user = arguments.user.clone().or_else(|| options.user().map(str::to_owned));
    if let Some(path) = &arguments.token_file {
        let path = path.clone();
        return Ok(options.token_source(user.unwrap_or_default(), move || first_line(&path))?);
    }
    if external {
        return Ok(options.external()?);
    }
    let Some(user) = user else {
        return match arguments.password_file {
            Some(_) => Err(usage("--password-file was given, and no user; name one by --user or in the URL")),
            None => Ok(options),
        };
    };
    let password = match (&arguments.password_file, std::env::var("OKURU_PASSWORD")) {
        (Some(path), _) => first_line(path).map_err(|why| usage(format!("--password-file: {why}")))?,
        (None, _) if options.has_credentials() && arguments.user.is_none() => return Ok(options),
        (None, Ok(password)) => Secret::new(password),
        (None, Err(_)) => {
            return Err(usage(
                "a user was given, and no password: set OKURU_PASSWORD, or use --password-file or --token-file",
            ));
        }
    };
    Ok(options.password(user, password)?)
}

/// The URL as it can be shown: without user and password.
pub(crate) fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) if !rest.starts_with('/') => {
            format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
        }
        _ => url.to_owned(),
    }
}

/// The first line of a file, as a secret. If there is none, why; nothing of the file is shown.
fn first_line(path: &Path) -> Result<Secret, String> {
    let mut text = fs::read_to_string(path).map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::InvalidData => "it is not UTF-8".to_owned(),
            _ => in_words(&error),
        };
        format!("{} can't be read: {why}", path.display())
    })?;
    // In place, so that the secret stays in one place in memory.
    text.truncate(text.find(['\r', '\n']).unwrap_or(text.len()));
    Ok(Secret::new(text))
}
