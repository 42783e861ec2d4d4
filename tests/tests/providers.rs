//! The check of providers: the real command line and daemon against servers on loopback.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clown_tests::{World, binaries};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

const KEY: &str = "sk-test-7d1f0c";

/// Lets the key in at `/v1/models`, and answers elsewhere as the path says.
fn answer(stream: &mut (impl Read + Write)) {
    let mut head = Vec::new();
    let mut byte = [0];
    loop {
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let text = String::from_utf8(std::mem::take(&mut head)).unwrap();
        let path = text.split(' ').nth(1).unwrap();
        let knows_key = text.contains(&format!("authorization: Bearer {KEY}\r\n"))
            || text.contains(&format!("x-api-key: {KEY}\r\n"));
        let (status, body) = match path.split('/').nth(1) {
            Some("status") => (path.split('/').nth(2).unwrap(), "{}"),
            Some("open") => ("200", "{\"data\":[]}"),
            Some("page") => ("200", "<html>"),
            _ if knows_key => ("200", "{\"data\":[]}"),
            _ => ("401", "{\"error\":\"who are you?\"}"),
        };
        let length = body.len();
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The port of a server that answers as above, over TLS where a configuration is given.
fn server(tls: Option<Arc<ServerConfig>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let tls = tls.clone();
            std::thread::spawn(move || match tls {
                None => answer(&mut stream),
                Some(config) => {
                    let connection = ServerConnection::new(config).unwrap();
                    answer(&mut StreamOwned::new(connection, stream));
                }
            });
        }
    });
    port
}

fn provider(world: &World, url: &str) {
    let folder = world.path("config/providers.d");
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "id = \"local\"\nname = \"Local\"\n[key]\nvariable = \"LOCAL_KEY\"\nrequired = true\n[check.paths]\nanthropic-messages = \"/v1/models\"\nopenai-chat = \"/models\"\n[[endpoints]]\nid = \"here\"\n[endpoints.urls]\nopenai-chat = \"{url}\"\n[[endpoints]]\nid = \"messages\"\n[endpoints.urls]\nanthropic-messages = \"{url}\"\n"
    );
    fs::write(folder.join("local.toml"), text).unwrap();
}

fn started() -> World {
    let mut world = World::new();
    world.start();
    world
}

fn check(world: &World, arguments: &[&str], stdin: &str) -> Output {
    let mut command = world.clown(&[&["providers", "check", "local"], arguments].concat());
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may not want to read any.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// The exit code, and what was found at the only address.
fn found(world: &World, arguments: &[&str], stdin: &str) -> (i32, Value) {
    let output = check(world, &[&["--json"], arguments].concat(), stdin);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    let mut checks = document["checks"].as_array().unwrap().clone();
    assert_eq!(checks.len(), 1, "{document}");
    (output.status.code().unwrap(), checks.remove(0))
}

fn holds(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => holds(&path, text),
            false => {
                fs::read(&path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(text))
            }
        }
    })
}

#[test]
fn a_key_is_tried_and_leaves_no_trace() {
    let world = started();
    let port = server(None);
    provider(&world, &format!("http://127.0.0.1:{port}/v1"));
    let (code, check_) = found(&world, &["--key-stdin"], KEY);
    assert_eq!((code, &check_["key"]), (0, &json!("works")), "{check_}");
    assert_eq!(check_["status"], 200);
    assert!(check_["millis"].is_u64(), "{check_}");
    let (code, check_) = found(&world, &["--key-stdin"], "sk-wrong");
    assert_eq!((code, &check_["key"]), (1, &json!("refused")), "{check_}");
    assert_eq!(check_["address"], "answers");
    let (code, check_) = found(&world, &[], "");
    assert_eq!((code, &check_["key"]), (1, &json!("missing")), "{check_}");
    let command = format!("echo {KEY}");
    let (code, _) = found(&world, &["--key-command", &command], "");
    assert_eq!(code, 0);

    let file = world.path("key");
    fs::write(&file, KEY).unwrap();
    let output = check(&world, &["--all", "--key-file", file.to_str().unwrap()], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("here"), "{text}");
    assert!(text.contains("answers (200)  works"), "{text}");
    assert!(!text.contains(KEY), "{text}");
    assert!(!holds(&world.path("state"), KEY));
    assert!(!holds(&world.path("config"), KEY));
    let log = fs::read_to_string(world.path("clownd.stderr")).unwrap();
    assert!(!log.contains(KEY), "{log}");
}

#[test]
fn the_usual_variable_and_a_profile_give_the_key() {
    let world = started();
    let port = server(None);
    provider(&world, &format!("http://127.0.0.1:{port}/v1"));
    let mut command = world.clown(&["providers", "check", "local"]);
    let output = command.env("LOCAL_KEY", KEY).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.starts_with("with the key from LOCAL_KEY\n"), "{text}");

    world.clown_ok(&[
        "profiles",
        "create",
        "work",
        "--agent",
        "opencode",
        "--provider",
        "local",
        "--key-env",
        "WORK_KEY",
    ]);
    let mut command = world.clown(&["providers", "check", "local", "--profile", "work"]);
    let output = command.env("WORK_KEY", KEY).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");

    let check_problem = |arguments: &[&str], code: i32, part: &str| {
        let arguments = [&["providers", "check"], arguments].concat();
        let output = world.clown(&arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(part), "{text}");
    };
    check_problem(&["local", "--profile", "work"], 1, "WORK_KEY");
    check_problem(
        &["openai", "--profile", "work"],
        1,
        "its key is not sent to another one",
    );
    check_problem(&["nobody"], 3, "there is no provider");
    check_problem(&["self"], 1, "the agent's own login");
    check_problem(&["local", "--endpoint", "x"], 1, "it has here, messages");
    check_problem(
        &["local", "--key-env", "NOWHERE"],
        1,
        "the variable NOWHERE is set neither",
    );
}

#[test]
fn what_is_wrong_is_told_apart() {
    let world = started();
    let port = server(None);
    let check_at = |url: &str, address: &str, key: &str, code: i32| {
        provider(&world, url);
        let (found_code, check_) = found(&world, &["--key-stdin"], KEY);
        let told = (&check_["address"], &check_["key"], found_code);
        assert_eq!(
            told,
            (&json!(address), &json!(key), code),
            "{url}: {check_}"
        );
    };
    let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
    check_at(&at("/status/403"), "answers", "refused", 1);
    check_at(&at("/status/404"), "wrong", "not_tried", 1);
    check_at(&at("/status/429"), "answers", "limited", 0);
    check_at(&at("/status/402"), "answers", "no_credit", 1);
    check_at(&at("/status/500"), "failing", "not_tried", 1);
    check_at(&at("/page"), "wrong", "not_tried", 1);
    check_at("http://nobody.invalid/v1", "unknown_host", "not_tried", 1);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let free = free.unwrap().port();
    check_at(
        &format!("http://127.0.0.1:{free}/v1"),
        "refused",
        "not_tried",
        1,
    );
}

#[test]
fn a_private_authority_is_trusted_once_it_is_named() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider_of_crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider_of_crypto)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let port = server(Some(Arc::new(config)));

    let mut world = started();
    provider(&world, &format!("https://127.0.0.1:{port}/v1"));
    let (code, check_) = found(&world, &["--key-stdin"], KEY);
    assert_eq!((code, &check_["address"]), (1, &json!("tls")), "{check_}");
    let message = check_["message"].as_str().unwrap();
    assert!(message.contains("SSL_CERT_FILE"), "{message}");

    let pem = world.path("authority.pem");
    fs::write(&pem, authority.pem()).unwrap();
    world.crash_daemon();
    fs::remove_file(world.path("state/daemon.json")).unwrap();
    let mut instead_of_the_systems = world.command(&binaries().clownd);
    instead_of_the_systems
        .args(["--listen", "127.0.0.1:0"])
        .env("SSL_CERT_FILE", &pem)
        .stderr(Stdio::null());
    let mut daemon = instead_of_the_systems.spawn().unwrap();
    world.find_daemon();
    let (code, check_) = found(&world, &["--key-stdin"], KEY);
    assert_eq!((code, &check_["key"]), (0, &json!("works")), "{check_}");
    daemon.kill().unwrap();
    daemon.wait().unwrap();

    let settings = format!("[network]\nauthorities = [\"{}\"]\n", pem.display());
    fs::write(world.path("config/config.toml"), settings).unwrap();
    world.start();
    let (code, check_) = found(&world, &["--key-stdin"], KEY);
    assert_eq!((code, &check_["key"]), (0, &json!("works")), "{check_}");
}

#[test]
fn an_address_with_a_placeholder_is_made_whole() {
    let world = started();
    let text = world.clown_ok(&["providers", "show", "azure-openai"]);
    assert!(
        text.contains("needs     AZURE_RESOURCE_NAME: the name of"),
        "{text}"
    );
    let body = json!({"alias": "az", "agent_id": "codex", "provider_id": "azure-openai"});
    let refused = world.send("POST", "/api/v1/profiles", &body);
    assert_eq!(refused.status, 422, "{refused:?}");
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("--env AZURE_RESOURCE_NAME=my-resource"),
        "{detail}"
    );
    world.clown_ok(&[
        "profiles",
        "create",
        "az",
        "--agent",
        "codex",
        "--provider",
        "azure-openai",
        "--env",
        "AZURE_RESOURCE_NAME=ours",
    ]);

    // The text of an address stands for a port here.
    let port = server(None);
    provider(&world, "http://127.0.0.1:{LOCAL_PORT}/v1");
    let (code, check_) = found(&world, &["--key-stdin"], KEY);
    assert_eq!(
        (code, &check_["address"]),
        (1, &json!("incomplete")),
        "{check_}"
    );
    let value = format!("LOCAL_PORT={port}");
    let (code, check_) = found(&world, &["--key-stdin", "--env", &value], KEY);
    assert_eq!((code, &check_["key"]), (0, &json!("works")), "{check_}");
}

#[test]
fn the_documentation_names_every_provider_endpoint_and_variable() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let page = fs::read_to_string(root.join("docs/providers.md")).unwrap();
    let manifests = fs::read_dir(root.join("crates/clown-core/manifests/providers")).unwrap();
    for file in manifests {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let row = format!("| `{}` |", manifest["id"].as_str().unwrap());
        let row = page.lines().find(|line| line.starts_with(&row));
        let row = row.unwrap_or_else(|| panic!("{} is not in the table", manifest["id"]));
        let mut names: Vec<&str> = Vec::new();
        let endpoints = manifest.get("endpoints").and_then(toml::Value::as_array);
        names.extend(
            endpoints
                .into_iter()
                .flatten()
                .map(|it| it["id"].as_str().unwrap()),
        );
        names.extend(
            manifest
                .get("key")
                .map(|key| key["variable"].as_str().unwrap()),
        );
        names.extend(manifest.get("default_model").and_then(toml::Value::as_str));
        for name in names {
            assert!(row.contains(&format!("`{name}`")), "{name}: {row}");
        }
        let placeholders = manifest.get("placeholders").and_then(toml::Value::as_table);
        for name in placeholders.into_iter().flat_map(toml::Table::keys) {
            assert!(
                page.contains(&format!("`{name}`")),
                "{name} is not explained"
            );
        }
    }
}

#[test]
fn a_mistake_in_ones_own_manifest_sends_no_key_to_somebody_else() {
    let mut world = World::new();
    let script = "echo \"$ANTHROPIC_BASE_URL\" > \"$CLOWN_TEST_ROOT/told\"";
    world.install("claude", "1.0.0", clown_tests::FakeAgent::Script(script));
    let folder = world.path("config/providers.d");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("gateway.toml");
    let text = "id = \"anthropic\"\nname = \"Ours\"\n[key]\nvariable = \"OUR_KEY\"\n[[endpoints]]\nid = \"here\"\nurls = { anthropic-messages = \"http://127.0.0.1:9\" }\n";
    fs::write(&file, text).unwrap();
    world.start();
    world.clown_ok(&[
        "profiles",
        "create",
        "work",
        "--agent",
        "claude",
        "--provider",
        "anthropic",
        "--key-env",
        "OUR_KEY",
    ]);
    let run = |arguments: &[&str]| {
        let mut command = world.clown(arguments);
        command.env("OUR_KEY", KEY).env("ANTHROPIC_API_KEY", KEY);
        command.env("CLOWN_TEST_ROOT", world.path("work"));
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    assert_eq!(run(&["run", "work"]).0, 0);
    let told = || fs::read_to_string(world.path("work/told")).ok();
    assert_eq!(told().as_deref(), Some("http://127.0.0.1:9\n"));
    fs::remove_file(world.path("work/told")).unwrap();

    fs::write(&file, text.replace("urls", "ulrs")).unwrap();
    for arguments in [
        &["run", "work"][..],
        &["run", "work", "--dry-run"],
        &["profiles", "env", "work"],
        &["providers", "check", "anthropic"],
        &[
            "profiles",
            "create",
            "more",
            "--agent",
            "claude",
            "--provider",
            "anthropic",
        ],
    ] {
        let (code, text) = run(arguments);
        assert_ne!(code, 0, "{arguments:?}");
        assert!(
            text.contains("gateway.toml:7:1: unknown member `ulrs`: did you mean `urls`?"),
            "{arguments:?}: {text}"
        );
    }
    assert_eq!(told(), None);

    fs::write(&file, text).unwrap();
    assert_eq!(run(&["run", "work"]).0, 0);
    assert_eq!(told().as_deref(), Some("http://127.0.0.1:9\n"));
}
