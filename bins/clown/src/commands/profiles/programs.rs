use clown_mask::{MASK, is_secret_name, shown_line, shown_words};
use serde_json::{Map, Value};

/// What a run of a profile does beside starting its agent: what it starts, sets and uses.
pub(super) fn done_by(members: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    started_by(members, &mut lines);
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let env = members.get("env").and_then(Value::as_object);
    for (name, value) in env.into_iter().flatten() {
        let value = match value.as_str() {
            Some(value) if !is_secret_name(name) => shown_line(value, &[]),
            _ => MASK.to_owned(),
        };
        lines.push(format!("set {name}={value}"));
    }
    let args = texts(members.get("args"));
    if !args.is_empty() {
        lines.push(format!("pass {}", shown_words(&args, &[]).join(" ")));
    }
    if let Some(folder) = text("working_dir") {
        lines.push(format!("work in {folder}"));
    }
    for (source, meant) in [
        ("env", "variable"),
        ("file", "file"),
        ("store", "stored key"),
    ] {
        let key = members.get("key");
        if let Some(name) = key.and_then(|key| key.get(source)?.as_str()) {
            lines.push(format!("use the key in the {meant} {name}"));
        }
    }
    let servers = members.get("mcp_servers").and_then(Value::as_object);
    for (name, server) in servers.into_iter().flatten() {
        if let Some(url) = server["url"].as_str() {
            let url = clown_mask::address(url);
            lines.push(format!("talk to {url} (MCP server {name})"));
        }
    }
    lines
}

fn started_by(members: &Map<String, Value>, lines: &mut Vec<String>) {
    let key = members.get("key");
    if let Some(line) = key.and_then(|key| key.get("command")?.as_str()) {
        lines.push(format!("start: {line} (for its key)"));
    }
    let servers = members.get("mcp_servers").and_then(Value::as_object);
    for (name, server) in servers.into_iter().flatten() {
        if let Some(command) = server["command"].as_str() {
            let mut words = vec![command.to_owned()];
            words.extend(texts(server.get("args")));
            let words = shown_words(&words, &[]).join(" ");
            lines.push(format!("start: {words} (MCP server {name})"));
        }
    }
    if let Some(hooks) = members.get("hooks_config") {
        commands_below(hooks, lines);
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).map(Vec::as_slice);
    let texts = items.unwrap_or_default().iter().filter_map(Value::as_str);
    texts.map(ToOwned::to_owned).collect()
}

fn commands_below(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(command) if name == "command" || name == "bash" => {
                        lines.push(format!("start: {command} (hook)"));
                    }
                    _ => commands_below(value, lines),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| commands_below(item, lines)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_profile_would_do() {
        let members = json!({
            "key": {"command": "pass show x"},
            "args": ["--token", "abc"],
            "env": {"LD_PRELOAD": "/tmp/x.so", "A_TOKEN": "abc"},
            "working_dir": "/srv",
            "mcp_servers": {"m": {"command": "npx", "args": ["-y", "s"]}, "u": {"url": "http://u/?t=abc"}},
            "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "done"}]}]},
        });
        assert_eq!(
            done_by(members.as_object().unwrap()),
            [
                "start: pass show x (for its key)",
                "start: npx -y s (MCP server m)",
                "start: done (hook)",
                "set LD_PRELOAD=/tmp/x.so",
                "set A_TOKEN=********",
                "pass --token ********",
                "work in /srv",
                "talk to http://u/?t=******** (MCP server u)",
            ]
        );
        let members = json!({"key": {"file": "/home/me/.ssh/id"}});
        let done = done_by(members.as_object().unwrap());
        assert_eq!(done, ["use the key in the file /home/me/.ssh/id"]);
    }
}
