//! What a message holds, taken apart for the page.

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders as _, PartType};
use serde::Serialize;

/// What a message holds. Keys without a value are null.
#[derive(Serialize)]
pub(super) struct View {
    headers: Vec<(String, String)>,
    text: Option<String>,
    html: bool,
    attachments: Vec<Attachment>,
    source: String,
    dialogue: Vec<String>,
}

#[derive(Serialize)]
struct Attachment {
    name: String,
    content_type: String,
    size: usize,
}

/// How much of the source is shown. All of it can be downloaded.
const MOST_SOURCE: usize = 1 << 20;

impl View {
    pub(super) fn of(content: &[u8], dialogue: Vec<String>) -> Self {
        let shown = content.get(..MOST_SOURCE).unwrap_or(content);
        let source = String::from_utf8_lossy(shown).into_owned();
        let Some(message) = MessageParser::default().parse(content) else {
            return Self { headers: Vec::new(), text: None, html: false, attachments: Vec::new(), source, dialogue };
        };
        Self {
            headers: message.headers_raw().map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
            text: text(&message),
            html: html_of(&message).is_some(),
            attachments: message.attachments().map(Attachment::of).collect(),
            source,
            dialogue,
        }
    }
}

impl Attachment {
    fn of(part: &MessagePart<'_>) -> Self {
        let content_type = part.content_type().map_or_else(
            || "application/octet-stream".to_owned(),
            |it| it.subtype().map_or_else(|| it.ctype().to_owned(), |subtype| format!("{}/{subtype}", it.ctype())),
        );
        Self { name: name(part), content_type, size: part.contents().len() }
    }
}

/// The HTML of a message, if it has some.
pub(super) fn html(content: &[u8]) -> Option<String> {
    html_of(&MessageParser::default().parse(content)?)
}

/// The name and the octets of an attachment, counted from 0.
pub(super) fn attachment(content: &[u8], place: usize) -> Option<(String, Vec<u8>)> {
    let message = MessageParser::default().parse(content)?;
    let part = message.attachment(place as u32)?;
    Some((name(part), part.contents().to_vec()))
}

fn name(part: &MessagePart<'_>) -> String {
    part.attachment_name().unwrap_or("attachment").to_owned()
}

/// The text of a message; that of its HTML, if it has no other.
fn text(message: &Message<'_>) -> Option<String> {
    message.body_text(0).map(|text| text.into_owned())
}

fn html_of(message: &Message<'_>) -> Option<String> {
    message.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.clone().into_owned()),
        _ => None,
    })
}
