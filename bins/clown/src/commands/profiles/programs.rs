use serde_json::{Map, Value};

/// What a profile makes its agent or Clown start.
pub(super) fn started_by(members: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    let key = members.get("key");
    if let Some(line) = key.and_then(|key| key.get("command")?.as_str()) {
        lines.push(format!("{line} (for its key)"));
    }
    let servers = members.get("mcp_servers").and_then(Value::as_object);
    for (name, server) in servers.into_iter().flatten() {
        if let Some(command) = server["command"].as_str() {
            let args = server["args"].as_array().map(Vec::as_slice);
            let args = args.unwrap_or_default().iter().filter_map(Value::as_str);
            let words: Vec<&str> = std::iter::once(command).chain(args).collect();
            lines.push(format!("{} (MCP server {name})", words.join(" ")));
        }
    }
    if let Some(hooks) = members.get("hooks_config") {
        commands_below(hooks, &mut lines);
    }
    lines
}

fn commands_below(value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(command) if name == "command" || name == "bash" => {
                        lines.push(format!("{command} (hook)"));
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
    fn what_a_profile_would_start() {
        let members = json!({
            "key": {"command": "pass show x"},
            "mcp_servers": {"m": {"command": "npx", "args": ["-y", "s"]}, "u": {"url": "http://u"}},
            "hooks_config": {"Stop": [{"hooks": [{"type": "command", "command": "done"}]}]},
        });
        assert_eq!(
            started_by(members.as_object().unwrap()),
            [
                "pass show x (for its key)",
                "npx -y s (MCP server m)",
                "done (hook)"
            ]
        );
    }
}
