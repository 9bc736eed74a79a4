//! `okuru dkim`

use std::fs;
use std::io::{self, Read as _};
use std::time::{SystemTime, UNIX_EPOCH};

use okuru::mailer::Resolver;
use okuru_core::policy::dkim::{DkimResult, Signer, SigningKey, SigningOptions, Verdict, Verifier, VerifierConfig};
use okuru_core::syntax::AuthenticationResults;
use serde::Serialize;

use crate::arguments::{DkimCommand, SignArguments, VerifyArguments};
use crate::envelope::in_option;
use crate::exit::{Exit, Failure, usage};
use crate::report::print;

/// The object of `--json`. Keys, once published, stay as they are.
#[derive(Serialize)]
struct VerdictObject<'a> {
    result: &'static str,
    signatures: Vec<SignatureObject<'a>>,
}

#[derive(Serialize)]
struct SignatureObject<'a> {
    result: &'static str,
    reason: &'a str,
    domain: &'a str,
    selector: &'a str,
    algorithm: &'a str,
    test: bool,
}

/// Signs a message, verifies one, or tells the record of a key.
pub(crate) fn run(command: &DkimCommand) -> Result<Exit, Failure> {
    match command {
        DkimCommand::Sign(arguments) => sign(arguments),
        DkimCommand::Verify(arguments) => verify(arguments),
        DkimCommand::Record { key } => {
            print(format!("{}\n", self::key(key)?.record()).as_bytes())?;
            Ok(Exit::Success)
        }
    }
}

fn sign(arguments: &SignArguments) -> Result<Exit, Failure> {
    let key = key(&arguments.key)?;
    if let Some(algorithm) = arguments.algorithm
        && algorithm != key.algorithm()
    {
        return Err(usage(format!("--algorithm: the key is one for {}", key.algorithm().as_str())));
    }
    let domain = arguments.domain.parse().map_err(in_option("--domain"))?;
    let mut options = SigningOptions {
        canonicalization: arguments.canonicalization,
        over_sign: !arguments.no_over_signing,
        lifetime: arguments.lifetime.map(|lifetime| lifetime.as_secs()),
        ..SigningOptions::default()
    };
    if !arguments.headers.is_empty() {
        options.headers.clone_from(&arguments.headers);
    }
    let signer = Signer::new(key, &domain, &arguments.selector, options)?;
    let message = message()?;
    let mut signing = signer.begin();
    signing.feed(&message);
    let field = signing.finish(now())?;
    // A file with the line ends of Unix keeps them.
    let has_crlf =
        message.iter().position(|byte| *byte == b'\n').is_none_or(|end| end > 0 && message[end - 1] == b'\r');
    let field = if has_crlf { field } else { field.replace("\r\n", "\n") };
    print(&[field.as_bytes(), &message].concat())?;
    Ok(Exit::Success)
}

fn verify(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let mut verifier = Verifier::new(VerifierConfig { time: now(), ..VerifierConfig::default() });
    let mut input = io::stdin().lock();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match input.read(&mut piece).map_err(unreadable)? {
            0 => break,
            count => verifier.feed(&piece[..count]),
        }
    }
    verifier.finish();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| usage(format!("the program can't be set up: {error}")))?;
    let verdict = runtime.block_on(async {
        let resolver = match arguments.dns {
            Some(address) => Resolver::server(address)?,
            None => Resolver::system()?,
        };
        Ok::<_, Failure>(resolver.settle(verifier).await)
    })?;
    let text = if arguments.json { in_json(&verdict)? } else { in_words(&verdict, &arguments.receiver) };
    print(text.as_bytes())?;
    Ok(match verdict.result() {
        DkimResult::Pass => Exit::Success,
        DkimResult::TempError => Exit::Unfinished,
        _ => Exit::Rejected,
    })
}

fn key(file: &std::path::Path) -> Result<SigningKey, Failure> {
    let named = |what: String| usage(format!("{}: {what}", file.display()));
    let bytes = fs::read(file).map_err(|error| named(error.to_string()))?;
    let key = match std::str::from_utf8(&bytes) {
        Ok(text) if text.contains("-----BEGIN") => SigningKey::from_pem(text),
        _ => SigningKey::from_der(&bytes),
    };
    key.map_err(|error| named(error.what().to_owned()))
}

fn message() -> Result<Vec<u8>, Failure> {
    let mut message = Vec::new();
    io::stdin().lock().read_to_end(&mut message).map_err(unreadable)?;
    Ok(message)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn unreadable(error: io::Error) -> Failure {
    let what = format!("standard input can't be read: {error}");
    okuru::Error::new(okuru::ErrorCode::MessageUnreadable, what).into()
}

fn now() -> Option<u64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|now| now.as_secs())
}

fn in_json(verdict: &Verdict) -> Result<String, Failure> {
    let signatures = verdict.signatures.iter().map(|it| SignatureObject {
        result: it.result.as_str(),
        reason: &it.reason,
        domain: &it.domain,
        selector: &it.selector,
        algorithm: &it.algorithm,
        test: it.is_test,
    });
    let object = VerdictObject { result: verdict.result().as_str(), signatures: signatures.collect() };
    let mut text = serde_json::to_string(&object).map_err(|error| usage(format!("the line can't be made: {error}")))?;
    text.push('\n');
    Ok(text)
}

fn in_words(verdict: &Verdict, receiver: &str) -> String {
    let mut text = format!("{}\n", verdict.result().as_str());
    for it in &verdict.signatures {
        text += &format!("  {} {} {} {}: {}\n", it.result.as_str(), it.domain, it.selector, it.algorithm, it.reason);
    }
    let field = verdict.authentication_results(AuthenticationResults::new(receiver));
    text + "\n" + &field.to_string().replace("\r\n", "\n")
}
