//! The registry with real programs: built by `clown`, served by a server of the test's own, synced
//! by `clownd`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod foreign;
mod full_disk;
mod server;

use clown_tests::{Stream, World, wait_for};
use minisign::KeyPair;
use serde_json::{Value, json};
use server::{Authority, Odd, Server};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A provider's manifest.
fn provider(id: &str, name: &str) -> String {
    format!(
        "id = \"{id}\"\nname = \"{name}\"\n[[endpoints]]\nid = \"here\"\nurls = {{ openai-chat = \"http://127.0.0.1:1/v1\" }}\n"
    )
}

/// Builds a channel with these providers by the command line, signed with the key file `key`.
fn build(world: &World, channel: &str, key: Option<&str>, providers: &[(&str, &str)]) -> Value {
    let source = world.path("source/providers");
    let _ = fs::remove_dir_all(&source);
    fs::create_dir_all(&source).unwrap();
    for (id, name) in providers {
        fs::write(source.join(format!("{id}.toml")), provider(id, name)).unwrap();
    }
    let (source, out) = (world.path("source"), world.path("served"));
    let mut arguments = vec!["registry", "build", "--json", "--channel", channel, "--out"];
    arguments.extend([out.to_str().unwrap(), source.to_str().unwrap()]);
    let key = key.map(|key| world.path(key));
    if let Some(key) = &key {
        arguments.extend(["--sign", key.to_str().unwrap()]);
    }
    serde_json::from_str(&world.clown_ok(&arguments)).unwrap()
}

/// Writes a new secret key to the file `name`; its public key.
fn key(world: &World, name: &str) -> String {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let secret = pair.sk.to_box(None).unwrap().to_string();
    fs::write(world.path(name), secret).unwrap();
    pair.pk.to_base64()
}

fn configure(world: &World, url: &str, more: &str) {
    let text = format!("[registry]\nurl = \"{url}\"\nsync = \"never\"\n{more}\n");
    fs::write(world.path("config/config.toml"), text).unwrap();
}

/// A world with a server and a daemon that follows it.
fn following(more: &str) -> (World, Server) {
    let mut world = World::new();
    let server = Server::start(&world.path("served"));
    configure(&world, &server.url(), more);
    world.start();
    (world, server)
}

fn sync(world: &World) -> (u16, Value) {
    let answer = world.send("POST", "/api/v1/registry/sync", &json!({}));
    (answer.status, answer.json())
}

fn status(world: &World) -> Value {
    world.get("/api/v1/registry").json()
}

/// The events of syncs that the journal holds, as type and data.
fn events(world: &World) -> Vec<(String, Value)> {
    let page = world
        .get("/api/v1/events?events=RegistrySync*&limit=1000")
        .json();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|event| {
            (
                event["type"].as_str().unwrap().to_owned(),
                event["data"].clone(),
            )
        })
        .collect()
}

fn provider_name(world: &World, id: &str) -> Option<String> {
    let answer = world.get(&format!("/api/v1/providers/{id}"));
    (answer.status == 200).then(|| answer.json()["name"].as_str().unwrap().to_owned())
}

/// A sync fails and says this, in its answer, its event and the status; what was in use stays.
#[track_caller]
fn check_refused(world: &World, code: &str, parts: &[&str]) {
    let before = status(world);
    let (answered, problem) = sync(world);
    assert_eq!(problem["code"], code, "{problem}");
    assert!(answered >= 400, "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    let events = events(world);
    let [.., (began, _), (ended, data)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(
        (began.as_str(), ended.as_str()),
        ("RegistrySyncStarted", "RegistrySyncFailed")
    );
    let told = data["error"].as_str().unwrap();
    assert!(
        told.starts_with(detail) && told.ends_with("stays in use"),
        "{told}\n{detail}"
    );
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
    let after = status(world);
    assert_eq!(after["commit"], before["commit"]);
    assert_eq!(after["last_failure"]["error"], told);
    assert_eq!(after["syncing"], false);
}

#[test]
fn without_an_address_it_works_offline() {
    let mut world = World::new();
    world.start();
    let mut stream = world.stream("");
    let said = world.clown_ok(&["registry", "sync"]);
    assert!(said.starts_with("Nothing new"), "{said}");
    let began = stream.next_message();
    assert_eq!(began["type"], "RegistrySyncStarted");
    assert_eq!(began["data"], json!({"channel": "stable", "force": false}));
    let ended = stream.next_message();
    assert_eq!(ended["type"], "RegistrySyncCompleted");
    let commit = ended["data"]["commit"].as_str().unwrap();
    assert!(commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(
        ended["data"],
        json!({"channel": "stable", "commit": commit, "from_cache": true, "artifacts_downloaded": 0})
    );
    let state = world.get("/api/v1/state").json();
    assert_eq!(state["registry"], status(&world));
    assert_eq!(state["registry"]["commit"], commit);
    assert_eq!(state["registry"]["signature"], "built_in");
    let shown = world.clown_ok(&["registry", "status"]);
    assert!(
        shown.contains("built-in set") && shown.contains(commit),
        "{shown}"
    );
}

#[test]
fn a_signed_registry_from_build_to_use() {
    let mut world = World::new();
    let server = Server::start(&world.path("served"));
    let public = key(&world, "key");
    configure(&world, &server.url(), &format!("public_key = \"{public}\""));
    let built = build(
        &world,
        "stable",
        Some("key"),
        &[("moon", "Moon"), ("sun", "Sun")],
    );
    assert_eq!(
        (&built["signed"], &built["artifacts"]),
        (&json!(true), &json!(2))
    );
    world.start();
    assert_eq!(provider_name(&world, "moon"), None);

    let said = world.clown_ok(&["registry", "sync"]);
    assert!(said.contains("fetched 2 artifacts"), "{said}");
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Moon"));
    let registry = status(&world);
    assert_eq!(registry["signature"], "verified");
    assert_eq!(registry["commit"], built["commit"]);
    assert_eq!(registry["artifacts"]["providers"], 2);

    // A person's own wins, and what changes is fetched alone.
    fs::create_dir_all(world.path("config/providers.d")).unwrap();
    fs::write(
        world.path("config/providers.d/sun.toml"),
        provider("sun", "Mine"),
    )
    .unwrap();
    build(
        &world,
        "stable",
        Some("key"),
        &[("moon", "Luna"), ("sun", "Sun")],
    );
    server.asked();
    let (_, synced) = sync(&world);
    assert_eq!(synced["artifacts_downloaded"], 1, "{synced}");
    assert_eq!(server.asked().len(), 3, "index, signature, artifact");
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Luna"));
    assert_eq!(provider_name(&world, "sun").as_deref(), Some("Mine"));
    let own = world.path("config/providers.d/sun.toml");
    let expected = json!([{"kind": "provider", "id": "sun", "path": own}]);
    assert_eq!(status(&world)["replaced"], expected);
    let shown = world.clown_ok(&["registry", "status"]);
    let line = format!("  replaced   provider sun, by {}\n", own.display());
    assert!(shown.contains(&line), "{shown}");

    // It is so after a restart and without the server, too.
    drop(server);
    world.crash_daemon();
    world.start();
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Luna"));
    let said = world.clown_ok(&["registry", "sync", "--offline"]);
    assert!(said.starts_with("Nothing new"), "{said}");
    let refused = world.clown(&["registry", "sync"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("127.0.0.1") && said.contains("refused the connection"),
        "{said}"
    );

    // Nobody else can look into it.
    for folder in ["", "artifacts", "index"] {
        let path = world.path("state/registry").join(folder);
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", path.display());
        for entry in fs::read_dir(&path).unwrap().flatten() {
            let metadata = entry.metadata().unwrap();
            assert!(metadata.is_dir() || metadata.permissions().mode() & 0o777 == 0o600);
        }
    }
}

#[test]
fn wrong_signatures_and_other_channels_are_refused() {
    let mut world = World::new();
    let server = Server::start(&world.path("served"));
    let public = key(&world, "key");
    key(&world, "other");
    configure(&world, &server.url(), &format!("public_key = \"{public}\""));
    world.start();
    let host = server.url().replace("http://", "");
    build(&world, "stable", None, &[("moon", "Moon")]);
    check_refused(
        &world,
        "registry_signature_invalid",
        &[&host, "minisig", "to sign it"],
    );
    build(&world, "stable", Some("other"), &[("moon", "Moon")]);
    check_refused(
        &world,
        "registry_signature_invalid",
        &[&host, "another key"],
    );
    build(&world, "stable", Some("key"), &[("moon", "Moon")]);
    assert_eq!(sync(&world).0, 200);

    // An index that was changed behind its signature.
    let file = world.path("served/stable/registry.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"serial\": 1", "\"serial\": 2")).unwrap();
    check_refused(
        &world,
        "registry_signature_invalid",
        &["does not fit the index"],
    );

    // One of another channel, signed as it should be.
    build(&world, "beta", Some("key"), &[("moon", "Beta")]);
    for name in ["registry.json", "registry.json.minisig"] {
        let from = world.path("served/beta").join(name);
        fs::copy(from, world.path("served/stable").join(name)).unwrap();
    }
    check_refused(
        &world,
        "registry_invalid",
        &["channel beta, not of channel stable"],
    );
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Moon"));
}

#[test]
fn servers_that_misbehave_change_nothing() {
    let (world, server) = following("timeout_secs = 1");
    let url = server.url();
    let host = url.replace("http://", "");
    check_refused(
        &world,
        "registry_unreachable",
        &[&host, "there is nothing at", "built-in set"],
    );
    build(&world, "stable", None, &[("moon", "Moon")]);
    assert_eq!(sync(&world).0, 200);
    build(
        &world,
        "stable",
        None,
        &[("moon", "Moon"), ("sun", "Sun"), ("mars", "Mars")],
    );
    let check = |path: &str, odd: Odd, code: &str, parts: &[&str]| {
        server.behave();
        server.answer(path, odd);
        check_refused(&world, code, &[&[host.as_str()], parts].concat());
    };
    let (index, artifacts) = ("/stable/registry.json", "/artifacts/");
    check(
        artifacts,
        Odd::Cut,
        "registry_unreachable",
        &["before it was whole"],
    );
    check(
        artifacts,
        Odd::Bytes(b"evil".to_vec()),
        "registry_invalid",
        &["bytes, not", "provider"],
    );
    check(
        artifacts,
        Odd::Endless,
        "registry_invalid",
        &["it is longer than"],
    );
    check(
        artifacts,
        Odd::Status(404),
        "registry_invalid",
        &["there is nothing"],
    );
    check(
        index,
        Odd::Endless,
        "registry_invalid",
        &["longer than 4194304 bytes"],
    );
    check(
        index,
        Odd::Cut,
        "registry_unreachable",
        &["before it was whole"],
    );
    check(
        index,
        Odd::Silence,
        "registry_unreachable",
        &["did not answer in full within"],
    );
    check(
        index,
        Odd::Status(500),
        "registry_unreachable",
        &["status 500"],
    );
    let elsewhere = Odd::Redirect("http://other.example/x".to_owned());
    check(
        index,
        elsewhere.clone(),
        "registry_unreachable",
        &["other.example"],
    );
    check(
        artifacts,
        elsewhere,
        "registry_unreachable",
        &["other.example"],
    );
    let there = Odd::Redirect("file:///etc/passwd".to_owned());
    check(index, there, "registry_unreachable", &["do not follow"]);
    check(
        index,
        Odd::Bytes(b"<html>".to_vec()),
        "registry_invalid",
        &["no index of a registry"],
    );
    let text = fs::read_to_string(world.path("served/stable/registry.json")).unwrap();
    let with = |from: &str, to: &str| Odd::Bytes(text.replace(from, to).into_bytes());
    let outside = "\"../../../../escaped\"";
    check(
        index,
        with("\"sun\"", outside),
        "registry_invalid",
        &["../escaped", "no good id"],
    );
    let value: Value = serde_json::from_str(&text).unwrap();
    let sha256 = value["artifacts"][0]["sha256"].as_str().unwrap();
    check(
        index,
        with(sha256, "../../../escaped"),
        "registry_invalid",
        &["64 hex digits"],
    );
    check(
        index,
        with("\"format\": 1", "\"format\": 2"),
        "clown_too_old",
        &["update Clown"],
    );
    let version = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
    let newer = with(&version, "\"99.0.0\"");
    check(
        index,
        newer,
        "clown_too_old",
        &["needs Clown 99.0.0 or later"],
    );
    // Right in length, wrong in content.
    server.behave();
    for artifact in value["artifacts"].as_array().unwrap() {
        let size = usize::try_from(artifact["size"].as_u64().unwrap()).unwrap();
        let path = format!("/artifacts/{}", artifact["sha256"].as_str().unwrap());
        server.answer(&path, Odd::Bytes(vec![b'#'; size]));
    }
    check_refused(&world, "registry_invalid", &["its SHA-256 is", &host]);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Moon"));
    assert!(!world.path("escaped").exists());

    // A connection that breaks once is no reason to fail.
    server.behave();
    server.answer(index, Odd::CutOnce);
    let (code, synced) = sync(&world);
    assert_eq!(code, 200, "{synced}");
    assert_eq!(provider_name(&world, "mars").as_deref(), Some("Mars"));
}

#[test]
fn a_daemon_that_is_killed_in_the_middle_tells_of_it_when_it_is_back() {
    let (mut world, server) = following("");
    build(&world, "stable", None, &[("moon", "Moon")]);
    sync(&world);
    let before = status(&world)["commit"].clone();
    build(&world, "stable", None, &[("moon", "Luna"), ("sun", "Sun")]);
    server.close();
    let address = world.address().to_owned();
    let mut stream = world.stream("");
    let asking = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let mut socket = std::net::TcpStream::connect(&address).unwrap();
        let request = format!(
            "POST /api/v1/registry/sync HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).unwrap();
        // Ends with the daemon.
        let _ = socket.read_to_end(&mut Vec::new());
    });
    stream.until("RegistrySyncStarted");
    assert_eq!(status(&world)["syncing"], true);
    world.crash_daemon();
    asking.join().unwrap();
    server.open();
    world.start();

    let types: Vec<String> = events(&world).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(
        types,
        [
            "RegistrySyncStarted",
            "RegistrySyncCompleted",
            "RegistrySyncStarted",
            "RegistrySyncFailed"
        ]
    );
    let error = events(&world).pop().unwrap().1["error"].to_string();
    assert!(
        error.contains("daemon ended") && error.contains("stays in use"),
        "{error}"
    );
    assert_eq!(status(&world)["commit"], before);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Moon"));
    assert_eq!(sync(&world).0, 200);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Luna"));
}

#[test]
fn a_daemon_that_is_stopped_in_the_middle_tells_of_it_before_it_goes() {
    let (mut world, server) = following("");
    build(&world, "stable", None, &[("moon", "Moon")]);
    server.close();
    let mut stream = world.stream("");
    let mut asking = world
        .clown(&["registry", "sync"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    stream.until("RegistrySyncStarted");
    world.signal_daemon(rustix::process::Signal::TERM);
    let failed = stream.until("RegistrySyncFailed").pop().unwrap();
    let error = failed["data"]["error"].as_str().unwrap();
    assert!(error.contains("the daemon stopped"), "{error}");
    stream.until("DaemonShuttingDown");
    assert_eq!(world.daemon_ended(), Some(0));
    assert!(!asking.wait().unwrap().success());
}

#[test]
fn who_comes_while_the_same_is_done_joins() {
    let (world, server) = following("");
    build(&world, "stable", None, &[("moon", "Moon")]);
    server.close();
    let mut stream = world.stream("");
    let address = world.address().to_owned();
    let ask = |body: Value| {
        let address = address.clone();
        let asking = move || {
            let path = "/api/v1/registry/sync";
            let answer = clown_tests::request(&address, "POST", path, Some(&body));
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()
        };
        std::thread::spawn(asking)
    };
    let first = ask(json!({}));
    stream.until("RegistrySyncStarted");
    let same = ask(json!({}));
    let forced = ask(json!({"force": true}));
    // Each of them holds a connection open, and what is asked later is answered meanwhile.
    wait_for("the others' requests", || {
        (connections(&world) == 3).then_some(())
    });
    for _ in 0..50 {
        assert_eq!(status(&world)["syncing"], true);
    }
    server.open();
    let answer = |asking: std::thread::JoinHandle<Value>| asking.join().unwrap();
    let (first, same, forced) = (answer(first), answer(same), answer(forced));
    assert_eq!(first, same);
    assert_eq!(first["from_cache"], false);
    assert_eq!(forced["artifacts_downloaded"], 1);
    let told: Vec<String> = events(&world)
        .into_iter()
        .map(|(kind, data)| match data.get("force") {
            Some(force) => format!("{kind} {force}"),
            None => kind,
        })
        .collect();
    assert_eq!(
        told,
        [
            "RegistrySyncStarted false",
            "RegistrySyncCompleted",
            "RegistrySyncStarted true",
            "RegistrySyncCompleted"
        ]
    );
}

/// Established connections to the daemon, as the kernel lists them, that are no event stream.
fn connections(world: &World) -> usize {
    let port: u16 = world.address().rsplit(':').next().unwrap().parse().unwrap();
    let wanted = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let open = table.lines().filter(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(wanted.as_str()) && words.nth(1) == Some("01")
    });
    open.count() - 1
}

#[test]
fn downgrades_are_refused_and_pins_stay() {
    let (mut world, _server) = following("");
    let first = build(&world, "stable", None, &[("moon", "First")]);
    let file = world.path("served/stable/registry.json");
    let old = fs::read(&file).unwrap();
    sync(&world);
    let second = build(&world, "stable", None, &[("moon", "Second")]);
    sync(&world);
    fs::write(&file, &old).unwrap();
    check_refused(&world, "registry_older", &["--force", "127.0.0.1"]);
    let refused = world.clown(&["registry", "sync"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(4));
    world.clown_ok(&["registry", "sync", "--force"]);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("First"));

    let commit = second["commit"].as_str().unwrap();
    world.clown_ok(&["registry", "pin", &commit[..7]]);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Second"));
    build(&world, "stable", None, &[("moon", "Third")]);
    let said = world.clown_ok(&["registry", "sync"]);
    assert!(said.contains("pinned"), "{said}");
    let (kind, data) = events(&world).pop().unwrap();
    assert_eq!(
        (kind.as_str(), &data["commit"]),
        ("RegistrySyncCompleted", &second["commit"])
    );
    world.crash_daemon();
    world.start();
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Second"));
    assert_eq!(status(&world)["pinned"], second["commit"]);
    world.clown_ok(&["registry", "unpin"]);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Third"));

    let missing = "0".repeat(40);
    let code = |arguments: &[&str]| world.clown(arguments).output().unwrap().status.code();
    assert_eq!(code(&["registry", "pin", &missing]), Some(3));
    assert_eq!(code(&["registry", "pin", "../x"]), Some(2));
    assert_eq!(code(&["registry", "sync", "--channel", "../x"]), Some(2));
    let state = world.path("state/registry/index");
    let kept = fs::read_dir(state).unwrap().count();
    assert!(kept <= 3, "{kept}");
    assert_ne!(first["commit"], second["commit"]);
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let mut world = World::new();
    let authority = Authority::new();
    let server = Server::with_tls(&world.path("served"), &authority);
    build(&world, "stable", None, &[("moon", "Moon")]);
    configure(&world, &server.url(), "");
    world.start();
    check_refused(
        &world,
        "registry_unreachable",
        &["localhost", "authority that is not trusted"],
    );
    world.crash_daemon();
    let pem = world.path("authority.pem");
    fs::write(&pem, authority.pem()).unwrap();
    let more = format!("[network]\nauthorities = [\"{}\"]", pem.display());
    configure(&world, &server.url(), &more);
    world.start();
    assert_eq!(sync(&world).0, 200);
    assert_eq!(provider_name(&world, "moon").as_deref(), Some("Moon"));
    assert_eq!(status(&world)["signature"], "not_signed");
}

#[test]
fn an_address_that_anybody_could_change_is_not_followed_without_a_key() {
    let mut world = World::new();
    configure(&world, "http://registry.example", "");
    world.start();
    check_refused(
        &world,
        "registry_not_authentic",
        &["registry.example", "https", "public_key"],
    );
}

#[test]
fn it_is_synced_unasked_and_brings_agents_that_are_found() {
    let mut world = World::new();
    world.install("parrot", "1.2.3", clown_tests::FakeAgent::Script(""));
    let agents = world.path("source/agents");
    fs::create_dir_all(&agents).unwrap();
    let manifest = "id = \"parrot\"\nname = \"Parrot\"\nbinaries = [\"parrot\"]\n[version]\nargs = [\"--version\"]\npattern = '(\\d+\\.\\d+\\.\\d+)'\n";
    fs::write(agents.join("parrot.toml"), manifest).unwrap();
    build(&world, "stable", None, &[("moon", "Moon")]);
    let url = world.path("served");
    let text = format!("[registry]\nurl = \"{}\"\n", url.display());
    fs::write(world.path("config/config.toml"), text).unwrap();
    world.start();
    let mut stream = Stream::connect(world.address(), "?since=0");
    stream.until("RegistrySyncCompleted");
    let found = stream.until("AgentDetected").pop().unwrap();
    assert_eq!(found["data"]["id"], "parrot");
    assert_eq!(found["data"]["version"], "1.2.3");
}

#[test]
fn templates_of_a_registry_begin_profiles_until_a_person_has_one_of_that_name() {
    let (world, _server) = following("");
    let folder = world.path("source/templates");
    fs::create_dir_all(&folder).unwrap();
    let template = |name: &str, model: &str| {
        format!("id = \"team\"\nname = \"{name}\"\nagent_id = \"claude\"\nmodel = \"{model}\"\n")
    };
    fs::write(folder.join("team.toml"), template("Ours", "m-1")).unwrap();
    build(&world, "stable", None, &[]);
    assert_eq!(sync(&world).0, 200);
    assert_eq!(status(&world)["artifacts"]["templates"], 1);
    let create = |alias: &str| {
        world.clown_ok(&["profiles", "create", alias, "--template", "team"]);
        let profile = world.get(&format!("/api/v1/profiles/{alias}")).json();
        profile["model"].as_str().unwrap().to_owned()
    };
    assert_eq!(create("first"), "m-1");
    fs::create_dir_all(world.path("config/templates.d")).unwrap();
    fs::write(
        world.path("config/templates.d/team.toml"),
        template("Mine", "m-2"),
    )
    .unwrap();
    assert_eq!(create("second"), "m-2");
}

#[test]
fn building_checks_every_manifest_and_signs_with_a_password() {
    let world = World::new();
    fs::create_dir_all(world.path("source/providers")).unwrap();
    fs::write(world.path("source/providers/moon.toml"), "id = 1\n").unwrap();
    fs::write(
        world.path("source/providers/sun.toml"),
        provider("moon", "Moon"),
    )
    .unwrap();
    let arguments = ["registry", "build", "../source", "--out", "../served"];
    let refused = world.clown(&arguments).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("moon.toml:1:6") && said.contains("sun.toml"),
        "{said}"
    );
    assert!(!world.path("served").exists());

    fs::remove_file(world.path("source/providers/sun.toml")).unwrap();
    fs::write(
        world.path("source/providers/moon.toml"),
        provider("moon", "Moon"),
    )
    .unwrap();
    let pair = KeyPair::generate_encrypted_keypair(Some("secret".to_owned())).unwrap();
    fs::write(world.path("key"), pair.sk.to_box(None).unwrap().to_string()).unwrap();
    let sign = |password: &str| {
        use std::io::Write as _;
        let mut child = world
            .clown(&[&arguments[..], &["--sign", "../key", "--password-stdin"]].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        child.wait_with_output().unwrap()
    };
    let wrong = sign("wrong");
    assert!(!wrong.status.success());
    assert!(!String::from_utf8(wrong.stderr).unwrap().contains("wrong\n"));
    let right = sign("secret");
    assert!(right.status.success(), "{right:?}");
    let signature = fs::read_to_string(world.path("served/stable/registry.json.minisig")).unwrap();
    assert!(
        signature.contains("trusted comment: clown registry channel:stable"),
        "{signature}"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&world.path("served/stable/registry.json")), 0o644);
}

/// How long 200 artifacts take: nothing changed, and cold from a server that is 20 ms away, against
/// the same files one by one.
///
/// `cargo test -p clown-tests --test registry speed -- --nocapture` prints it.
#[test]
fn the_speed_of_200_artifacts() {
    let (world, server) = following("");
    let names: Vec<String> = (0..200).map(|number| format!("p{number}")).collect();
    let providers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "P")).collect();
    build(&world, "stable", None, &providers);
    server.set_latency(Duration::from_millis(20));

    // Forced, each of them is as cold as the first.
    let body = json!({"force": true});
    let cold = (0..3).map(|_| {
        server.asked();
        let begun = Instant::now();
        let answer = world.send("POST", "/api/v1/registry/sync", &body);
        let took = begun.elapsed();
        assert_eq!(answer.json()["artifacts_downloaded"], 200, "{answer:?}");
        took
    });
    let cold = cold.min().unwrap();
    let paths: Vec<String> = server
        .asked()
        .iter()
        .map(|asked| asked.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(paths.len(), 201);
    let begun = Instant::now();
    one_by_one(&server, &paths);
    let in_turn = begun.elapsed();

    server.set_latency(Duration::ZERO);
    let warm = (0..5).map(|_| {
        server.asked();
        let begun = Instant::now();
        let (_, synced) = sync(&world);
        let took = begun.elapsed();
        assert_eq!(synced["from_cache"], true);
        assert_eq!(server.asked(), ["/stable/registry.json 304"]);
        took
    });
    let warm = warm.min().unwrap();
    println!("200 artifacts at 20 ms: {cold:?}, one by one {in_turn:?}; nothing changed: {warm:?}");
    assert!(cold * 5 <= in_turn, "{cold:?} against {in_turn:?}");
    assert!(warm < Duration::from_millis(50), "{warm:?}");
}

/// Every file on one connection that stays open, each after the one before.
fn one_by_one(server: &Server, paths: &[String]) {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    let address = server.url().replace("http://", "");
    let mut socket = std::net::TcpStream::connect(&address).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut answers = BufReader::new(socket.try_clone().unwrap());
    for path in paths {
        write!(socket, "GET {path} HTTP/1.1\r\nhost: {address}\r\n\r\n").unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            answers.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
}
