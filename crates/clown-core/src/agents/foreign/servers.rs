//! What MCP servers of a profile become.

use super::Checked;
use super::files::ELSEWHERE;
use crate::agents::{McpFile, McpTemplate};

/// What a text of a server becomes something by.
const SERVER_VALUES: [&str; 6] = [
    "{{ name }}",
    "{{ command }}",
    "{{ args }}",
    "{{ env }}",
    "{{ url }}",
    "{{ headers }}",
];

impl Checked<'_> {
    pub(super) fn check_mcp(&mut self, mcp: &McpFile) {
        let known = self.known.and_then(|known| known.mcp.as_ref());
        if known == Some(mcp) {
            return;
        }
        let place = |it: &McpFile| (it.file.clone(), it.kind, it.member.clone());
        if self.known.is_none() {
            self.check_place(mcp.file.as_str());
        } else if known.map(place) != Some(place(mcp)) {
            self.refuse(mcp.file.as_str(), "have the MCP servers", ELSEWHERE);
        }
        for (name, server) in [("stdio", &mcp.stdio), ("http", &mcp.http)] {
            for (member, value) in server.iter().flat_map(McpTemplate::as_toml) {
                self.check_server(&format!("mcp.{name}.{member}"), member, value);
            }
        }
    }

    fn check_server(&mut self, at: &str, name: &str, value: &toml::Value) {
        // What these hold is what the profile's server has.
        let whole: &[&[&str]] = match name {
            "command" => &[&["{{ command }}"], &["{{ command }}", "{{ args }}"]],
            "args" => &[&["{{ args }}"]],
            "env" | "environment" => &[&["{{ env }}"]],
            _ => &[],
        };
        if !whole.is_empty() {
            if !texts(value).is_some_and(|texts| whole.contains(&texts.as_slice())) {
                let reason = "servers are a profile's own";
                self.refuse(at, "be anything but its placeholder", reason);
            }
            return;
        }
        if !self.check_name(at, name, "") {
            return;
        }
        match value {
            toml::Value::String(text)
                if !SERVER_VALUES.contains(&text.as_str()) && !is_word(text) =>
            {
                let reason = "servers are a profile's own";
                self.refuse(at, "be anything but a placeholder or a word", reason);
            }
            toml::Value::String(_) => {}
            toml::Value::Array(items) => {
                for item in items {
                    self.check_server(at, name, item);
                }
            }
            toml::Value::Table(members) => {
                for (name, value) in members {
                    self.check_server(&format!("{at}.{name}"), name, value);
                }
            }
            _ => {}
        }
    }
}

fn texts(value: &toml::Value) -> Option<Vec<&str>> {
    match value {
        toml::Value::String(text) => Some(vec![text]),
        toml::Value::Array(items) => items.iter().map(toml::Value::as_str).collect(),
        _ => None,
    }
}

fn is_word(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
    !text.is_empty() && text.len() <= 24 && !text.starts_with('-') && text.bytes().all(fits)
}
