//! What a probe has found, as an aligned table.

use std::collections::BTreeSet;

use super::findings::{Findings, Offer, TlsFindings};

/// The table, line by line.
pub(crate) fn of(findings: &Findings) -> String {
    let mut rows: Vec<[String; 2]> = vec![row("server", &findings.server)];
    if let Some(address) = &findings.address {
        rows.push(row("address", address));
    }
    if let Some(greeting) = &findings.greeting {
        rows.push(row("greeting", format!("{} {}", greeting.code, greeting.text.join(" "))));
    }
    match &findings.tls {
        Some(tls) => rows.extend(tls_rows(tls)),
        None => rows.push(row("TLS", "none")),
    }
    let mechanisms = match findings.mechanisms.is_empty() {
        true => "none".to_owned(),
        false => findings.mechanisms.join(" "),
    };
    rows.push(row("log in by", mechanisms));
    let mut text = aligned(&rows);
    text.push('\n');
    text.push_str(&offers(findings.before_tls.as_ref(), findings.after_tls.as_ref()));
    text
}

fn tls_rows(tls: &TlsFindings) -> Vec<[String; 2]> {
    let mut rows = vec![row("TLS", format!("{} {}", tls.version, tls.cipher))];
    if let Some(certificate) = &tls.certificate {
        let left = match certificate.days_left {
            days if days < 0 => "expired".to_owned(),
            1 => "1 day left".to_owned(),
            days => format!("{days} days left"),
        };
        rows.extend([
            row("certificate", &certificate.subject),
            row("  for", certificate.names.join(" ")),
            row("  issued by", &certificate.issuer),
            row("  valid", format!("{} to {} ({left})", certificate.not_before, certificate.not_after)),
        ]);
    }
    let verified = match &tls.distrust {
        None => "yes".to_owned(),
        Some(error) => format!("NO: {}", error.message),
    };
    rows.push(row("  verified", verified));
    rows
}

/// One row for each keyword, one column for each offer.
fn offers(before: Option<&Offer>, after: Option<&Offer>) -> String {
    let columns: Vec<(&str, &Offer)> = match (before, after) {
        (Some(before), Some(after)) => vec![("before TLS", before), ("after TLS", after)],
        (Some(before), None) => vec![("without TLS", before)],
        (None, Some(after)) => vec![("inside TLS", after)],
        (None, None) => return String::new(),
    };
    let header = std::iter::once("offers").chain(columns.iter().map(|(title, _)| *title)).map(str::to_owned);
    let keywords: BTreeSet<&str> =
        columns.iter().flat_map(|(_, offer)| offer.capabilities.keys()).map(String::as_str).collect();
    if keywords.is_empty() {
        return "no extension is offered\n".to_owned();
    }
    let mut rows: Vec<Vec<String>> = vec![header.collect()];
    for keyword in keywords {
        let cells = columns.iter().map(|(_, offer)| match offer.capabilities.get(keyword) {
            None => "-".to_owned(),
            Some(words) if words.is_empty() => "yes".to_owned(),
            Some(words) => words.join(" "),
        });
        rows.push(std::iter::once(keyword.to_owned()).chain(cells).collect());
    }
    aligned(&rows)
}

fn row(name: &str, value: impl Into<String>) -> [String; 2] {
    [name.to_owned(), value.into()]
}

/// Rows with columns of the same width, but for the last.
fn aligned<R: AsRef<[String]>>(rows: &[R]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (column, cell) in row.as_ref().iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(column) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.as_ref().iter().zip(&widths) {
            // A server's words are not to steer a terminal.
            let cell: String =
                cell.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let rows = [row("a", "é"), row("long", ""), row("b\x1b", "x y")];
        assert_eq!(aligned(&rows), "a     é\nlong\nb\u{fffd}    x y\n");
    }
}
