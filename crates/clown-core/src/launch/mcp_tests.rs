use super::plan_tests::{Case, file};
use super::{LaunchError, McpServer};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SECRET: &str = "of-the-server-1234";

fn servers() -> BTreeMap<String, McpServer> {
    let secret = |name: &str| BTreeMap::from([(name.to_owned(), SECRET.to_owned())]);
    BTreeMap::from([
        (
            "files".to_owned(),
            McpServer::Stdio {
                command: "npx".to_owned(),
                args: vec!["-y".to_owned(), "server-files".to_owned()],
                env: secret("TOKEN"),
            },
        ),
        (
            "web.search".to_owned(),
            McpServer::Http {
                url: "http://127.0.0.1:1/mcp".to_owned(),
                headers: secret("Authorization"),
            },
        ),
    ])
}

/// The members that the servers become.
#[track_caller]
fn check(agent: &str, path: &str, expected: &Value) {
    let mut case = Case::new();
    let without = case.plan(agent, "self", |_| ()).unwrap();
    case.mcp_servers = servers();
    let mut plan = case.plan(agent, "self", |_| ()).unwrap();
    assert!(!format!("{plan:?}").contains(SECRET), "{plan:?}");
    // What is there for other reasons.
    for (path, merge) in &without.files {
        let with = plan.files.get_mut(path).unwrap();
        with.members
            .retain(|member| !merge.members.contains(member));
        if with.members.is_empty() {
            plan.files.remove(path);
        }
    }
    let (found, members) = file(&plan);
    assert_eq!(found, path);
    assert_eq!(json!(members), *expected);
}

#[test]
fn servers_as_each_agent_names_them() {
    check(
        "claude",
        "claude/.claude.json",
        &json!({
            "mcpServers files type": "stdio",
            "mcpServers files command": "npx",
            "mcpServers files args": ["-y", "server-files"],
            "mcpServers files env TOKEN": SECRET,
            "mcpServers web.search type": "http",
            "mcpServers web.search url": "http://127.0.0.1:1/mcp",
            "mcpServers web.search headers Authorization": SECRET,
        }),
    );
    check(
        "opencode",
        "opencode/opencode.json",
        &json!({
            "mcp files type": "local",
            "mcp files command": ["npx", "-y", "server-files"],
            "mcp files environment TOKEN": SECRET,
            "mcp web.search type": "remote",
            "mcp web.search url": "http://127.0.0.1:1/mcp",
            "mcp web.search headers Authorization": SECRET,
        }),
    );
    check(
        "codex",
        "codex/config.toml",
        &json!({
            "mcp_servers files command": "npx",
            "mcp_servers files args": ["-y", "server-files"],
            "mcp_servers files env TOKEN": SECRET,
            "mcp_servers web.search url": "http://127.0.0.1:1/mcp",
            "mcp_servers web.search http_headers Authorization": SECRET,
        }),
    );
    check(
        "gemini",
        "gemini/.gemini/settings.json",
        &json!({
            "mcpServers files command": "npx",
            "mcpServers files args": ["-y", "server-files"],
            "mcpServers files env TOKEN": SECRET,
            "mcpServers web.search httpUrl": "http://127.0.0.1:1/mcp",
            "mcpServers web.search headers Authorization": SECRET,
        }),
    );
}

#[test]
fn only_what_holds_a_secret_is_hidden() {
    let mut case = Case::new();
    case.mcp_servers = servers();
    let plan = case.plan("claude", "self", |_| ()).unwrap();
    let hidden: Vec<String> = plan.files["claude/.claude.json"]
        .members
        .iter()
        .filter(|member| member.secret)
        .map(|member| member.at.join(" "))
        .collect();
    assert_eq!(
        hidden,
        [
            "mcpServers files env TOKEN",
            "mcpServers web.search headers Authorization"
        ]
    );
    assert!(!format!("{:?}", case.mcp_servers).contains(SECRET));
}

#[test]
fn an_address_with_a_query_is_hidden() {
    let check = |query: &str, secret: bool| {
        let mut case = Case::new();
        let server = McpServer::Http {
            url: format!("http://127.0.0.1:1/mcp{query}"),
            headers: BTreeMap::new(),
        };
        case.mcp_servers = BTreeMap::from([("a".to_owned(), server)]);
        let plan = case.plan("claude", "self", |_| ()).unwrap();
        let members = &plan.files["claude/.claude.json"].members;
        let hidden = members
            .iter()
            .filter(|member| member.secret)
            .map(|member| member.at.join(" "));
        let expected: &[&str] = if secret { &["mcpServers a url"] } else { &[] };
        assert_eq!(hidden.collect::<Vec<_>>(), expected, "{query}");
    };
    check("", false);
    check("?verbose", true);
    check("?token=s3cret", true);
}

#[test]
fn an_agent_that_takes_no_servers_refuses_them() {
    let mut case = Case::new();
    case.mcp_servers = servers();
    let check = |manifest: &str, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "id = \"a\"\nname = \"A\"\nbinaries = [\"a\"]\nversion = {{ args = [], pattern = '(.+)' }}\n{manifest}"
        );
        std::fs::write(folder.path().join("a.toml"), text).unwrap();
        let error = case.plan_own(folder.path(), "a").unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        error
    };
    let error = check("", "remove mcp_servers");
    assert!(matches!(error, LaunchError::NoMcp { .. }));
    let error = check(
        "[mcp]\nfile = \"x\"\nkind = \"json\"\nmember = \"m\"\nstdio = { c = \"{{ command }}\" }\n",
        "of the kind http: remove `web.search`",
    );
    assert!(matches!(error, LaunchError::NoMcpKind { .. }));
}
