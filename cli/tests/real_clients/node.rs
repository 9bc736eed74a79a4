//! nodemailer.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::json;

use crate::{PASSWORD, Stage, USER, beside, message, run_client};

/// Installs what the lock file of a folder says.
pub(crate) fn install(folder: &Path) {
    let arguments = ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"];
    run_client(Command::new("npm").current_dir(folder).args(arguments));
}

/// Sends a message so many times, over a transport of nodemailer's with these options, in an environment that has these variables.
pub(crate) fn nodemailer(
    stage: &Stage,
    transport: &serde_json::Value,
    times: u32,
    variables: &[(&str, &PathBuf)],
) -> String {
    static INSTALLED: Once = Once::new();
    let folder = beside("nodemailer");
    INSTALLED.call_once(|| install(&folder));
    let envelope = json!({ "from": "ann@example.com", "to": ["bob@example.org"] });
    let task = json!({ "transport": transport, "envelope": envelope, "file": stage.file(&message()), "times": times });
    let mut node = Command::new("node");
    run_client(node.envs(variables.iter().copied()).arg(folder.join("send.mjs")).arg(task.to_string()))
}

#[test]
fn nodemailer_in_clear_and_with_tls() {
    let stage = Stage::new(&[]);
    let plain = json!({ "host": "127.0.0.1", "port": stage.sink.port(), "secure": false });
    let printed = nodemailer(&stage, &plain, 1, &[]);
    assert!(printed.contains("queued as SINK1"), "{printed}");
    let (content, told) = stage.arrived();
    assert!(content == message());
    assert_eq!((&told["protocol"], &told["reverse_path"]), (&"ESMTP".into(), &"ann@example.com".into()));

    let stage = Stage::with_login();
    let (auth, tls) =
        (json!({ "user": USER, "pass": PASSWORD }), json!({ "ca": stage.ca(), "servername": "localhost" }));
    let tls_port: u16 = stage.tls_port().parse().unwrap();
    for (port, secure) in [(stage.sink.port(), false), (tls_port, true)] {
        for method in ["PLAIN", "LOGIN", "CRAM-MD5"] {
            let transport = json!({
                "host": "127.0.0.1", "port": port, "secure": secure, "requireTLS": true, "tls": tls, "auth": auth,
                "authMethod": method, "pool": true, "maxConnections": 1,
            });
            nodemailer(&stage, &transport, 3, &[]);
            for _ in 0..3 {
                let (content, told) = stage.arrived();
                assert!(content == message());
                let expected = ("ESMTPSA".into(), USER.into(), method.into());
                assert_eq!(
                    (&told["protocol"], &told["user"], &told["mechanism"]),
                    (&expected.0, &expected.1, &expected.2)
                );
            }
        }
    }
}
