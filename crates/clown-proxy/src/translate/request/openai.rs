//! What the writers of both of OpenAI's formats share.

use super::model::{Source, Str};
use crate::json::Json;

/// OpenAI refuses longer names of users.
pub(super) const LONGEST_USER: usize = 64;

pub(super) fn float(json: &mut Json<'_>, key: &'static str, number: Option<f64>) {
    if let Some(number) = number
        && let Ok(text) = serde_json::to_string(&number)
    {
        json.raw_field(key, &text);
    }
}

/// Arguments, which some callers leave empty where there are none.
pub(super) fn or_object(arguments: &str) -> &str {
    if arguments.trim().is_empty() {
        "{}"
    } else {
        arguments
    }
}

/// An address, or data as an address, without laying it together first.
pub(super) fn url(json: &mut Json<'_>, key: &'static str, source: &Source<'_>) {
    match source {
        Source::Url(url) | Source::Plain(url) | Source::File(url) => json.text_field(key, url),
        Source::Data { media, data } => {
            let media: Str<'_> = if media.is_empty() {
                "image/png".into()
            } else {
                media.clone()
            };
            json.key(key).strings(&["data:", &media, ";base64,", data]);
        }
    }
}
