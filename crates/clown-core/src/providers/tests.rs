use super::{Format, Problem, load};
use std::fs;

const LOCAL: &str = "id = \"local\"\nname = \"Local\"\n[[endpoints]]\nid = \"here\"\nurls = { openai-chat = \"http://127.0.0.1:8080/v1/\" }\n";

#[test]
fn the_built_in_ones_are_good() {
    let catalog = load(&tempfile::tempdir().unwrap().path().join("providers.d"));
    assert_eq!(catalog.problems(), []);
    let ids: Vec<&str> = catalog.all().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "anthropic",
            "azure-openai",
            "bedrock",
            "deepseek",
            "fireworks",
            "gemini",
            "groq",
            "litellm",
            "lmstudio",
            "minimax",
            "mistral",
            "moonshot",
            "ollama",
            "openai",
            "openrouter",
            "self",
            "together",
            "vertex",
            "vllm",
            "zai"
        ]
    );
    for manifest in catalog.all() {
        assert_eq!(manifest.is_own_login(), manifest.id.as_str() == "self");
        assert_eq!(manifest.key.is_some(), manifest.id.as_str() != "self");
        assert_eq!(
            manifest.default_endpoint().is_some(),
            !manifest.is_own_login()
        );
    }
}

#[test]
fn the_built_in_ones_say_all_that_is_known() {
    let catalog = load(&tempfile::tempdir().unwrap().path().join("providers.d"));
    for manifest in catalog.all().filter(|manifest| !manifest.is_own_login()) {
        let id = manifest.id.as_str();
        assert!(!manifest.sources.is_empty(), "{id} names no source");
        // What it has to be called is in that proxy's own configuration.
        if id != "litellm" {
            let default = manifest.default_model.as_deref();
            let mut models = manifest.models.iter();
            let default = models.find(|model| Some(model.id.as_str()) == default);
            let context = default.and_then(|model| model.context);
            assert!(
                context.is_some_and(|context| (100_000..10_000_000).contains(&context)),
                "{id}: {context:?}"
            );
        }
        for endpoint in &manifest.endpoints {
            for url in endpoint.urls.values() {
                let local = url.as_str().starts_with("http://127.0.0.1:");
                assert!(local || url.as_str().starts_with("https://"), "{id}");
                for name in url.placeholders() {
                    assert!(manifest.placeholders.contains_key(name), "{id}: {name}");
                }
            }
        }
    }
}

#[test]
fn a_model_is_an_id_or_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("local.toml");
    let with = |models: &str| LOCAL.replace("[[endpoints]]", &format!("{models}\n[[endpoints]]"));
    fs::write(
        &file,
        with("models = [\"a\", { id = \"b\", context = 1_000 }, { id = \"c\" }]"),
    )
    .unwrap();
    let catalog = load(folder.path());
    assert_eq!(catalog.problems(), []);
    let models = &catalog.get("local").unwrap().models;
    let told: Vec<_> = models
        .iter()
        .map(|model| (model.id.as_str(), model.context))
        .collect();
    assert_eq!(told, [("a", None), ("b", Some(1_000)), ("c", None)]);

    let check = |models: &str, part: &str| {
        fs::write(&file, with(models)).unwrap();
        let catalog = load(folder.path());
        let [problem] = catalog.problems() else {
            panic!("{models}: {:?}", catalog.problems());
        };
        assert_eq!(problem.line, 3, "{models}");
        assert!(problem.message.contains(part), "{}", problem.message);
    };
    check("models = [1]", "a model's id, or a table");
    check(
        "models = [{ id = \"b\", size = 1 }]",
        "unknown member `size`",
    );
    check("models = [{ context = 1 }]", "missing member `id`");
}

#[test]
fn what_does_not_fit_together_is_told() {
    let check = |more: &str, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("local.toml"), LOCAL.to_owned() + more).unwrap();
        let catalog = load(folder.path());
        let [problem] = catalog.problems() else {
            panic!("{more}: {:?}", catalog.problems());
        };
        assert!(problem.message.contains(part), "{}", problem.message);
    };
    let placeholder = "[placeholders.REGION]\nabout = \"a region\"\nexample = \"eu\"\n";
    check(placeholder, "no address names `{REGION}`");
    check(
        "[check.paths]\nopenai-chat = \"models\"\n",
        "begin it with /",
    );
    check(
        "[check.paths]\nopenai = \"/models\"\n",
        "unknown value `openai`",
    );
}

#[test]
fn peoples_own_win_by_id_and_add() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.toml"), LOCAL).unwrap();
    fs::write(
        folder.path().join("a.toml"),
        LOCAL.replace("local", "openai"),
    )
    .unwrap();
    fs::write(folder.path().join(".a.toml.swp"), "{").unwrap();
    fs::write(folder.path().join("notes.txt"), "{").unwrap();

    let catalog = load(folder.path());

    assert_eq!(catalog.problems(), []);
    assert_eq!(catalog.get("openai").unwrap().name, "Local");
    let local = catalog.get("local").unwrap();
    let url = &local.default_endpoint().unwrap().urls[&Format::OpenaiChat];
    assert_eq!(url.as_str(), "http://127.0.0.1:8080/v1");
}

#[test]
fn a_bad_file_tells_where_and_stops_no_other() {
    let check = |content: &str, line: usize, column: usize, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        fs::write(&path, content).unwrap();
        fs::write(folder.path().join("good.toml"), LOCAL).unwrap();

        let catalog = load(folder.path());

        assert!(catalog.get("local").is_some(), "{content}");
        assert!(catalog.get("anthropic").is_some(), "{content}");
        let [problem] = catalog.problems() else {
            panic!("{content}: {:?}", catalog.problems());
        };
        let Problem {
            path: told,
            message,
            ..
        } = problem;
        assert_eq!(told, &path);
        assert_eq!(
            (problem.line, problem.column),
            (line, column),
            "{content}: {message}"
        );
        assert!(message.contains(part), "{content}: {message}");
    };
    check("id = \"x\"\nname = ", 2, 8, "");
    check(
        "id = \"x\"\nname = \"X\"\n  colour = 1\n",
        3,
        3,
        "unknown member `colour`",
    );
    check("id = \"x\"\nname = 7\n", 2, 8, "invalid type");
    check("id = \"../x\"\nname = \"X\"\n", 1, 6, "is no id");
    let endpoint = |url: &str| {
        LOCAL
            .replace("local", "x")
            .replace("http://127.0.0.1:8080/v1/", url)
    };
    check(&endpoint("ftp://x"), 5, 24, "is no address");
    check(&endpoint("http://a:b@x"), 5, 24, "keep keys out");
    check(&endpoint("http:///v1"), 5, 24, "is no address");
    check(
        &LOCAL
            .replace("local", "x")
            .replace("urls", "default = 1\nurls"),
        5,
        1,
        "unknown member",
    );
    check(
        "id = \"x\"\nname = \"X\"\ndefault_endpoint = \"y\"\n",
        3,
        1,
        "no endpoint has that id",
    );
}

#[test]
fn the_first_of_two_files_with_one_id_is_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.toml"), LOCAL).unwrap();
    fs::write(
        folder.path().join("2.toml"),
        LOCAL.replace("Local", "Other"),
    )
    .unwrap();

    let catalog = load(folder.path());

    assert_eq!(catalog.get("local").unwrap().name, "Local");
    assert_eq!(catalog.problems().len(), 1);
    assert!(catalog.problems()[0].message.contains("1.toml"));
}

#[test]
fn what_is_no_file_or_too_large_is_told_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("local.toml"), LOCAL).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("zero.toml")).unwrap();
    fs::write(at("large.toml"), " ".repeat((1 << 20) + 1)).unwrap();
    let catalog = load(folder.path());
    let told: Vec<_> = catalog
        .problems()
        .iter()
        .map(|problem| {
            let name = problem
                .path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (name, problem.message.clone())
        })
        .collect();
    let expected =
        |name: &str, why: &str| (name.to_owned(), format!("cannot read the file: {why}"));
    assert_eq!(
        told,
        [
            expected("large.toml", "it has more than 1 MiB"),
            expected("pipe.toml", "it is not a file"),
            expected("zero.toml", "it is not a file"),
        ]
    );
    assert!(catalog.get("local").is_some());
}

#[test]
fn a_file_that_cannot_be_used_is_in_the_way_of_what_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, content: &str, broken: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let catalog = load(folder.path());
        for id in ["anthropic", "openai"] {
            let whole = catalog.check_whole(id);
            assert_eq!(whole.is_err(), id == broken, "{content}: {id}");
            if let Err(broken) = whole {
                let text = broken.to_string();
                assert!(text.contains(name) && text.contains("Mend it"), "{text}");
            }
        }
        fs::remove_file(path).unwrap();
    };
    let gateway = LOCAL.replace("\"local\"", "\"anthropic\"");
    check("gw.toml", &gateway, "");
    check("gw.toml", &gateway.replace("urls", "ulrs"), "anthropic");
    check("gw.toml", &format!("{gateway}\n["), "anthropic");
    // However its id is written, and wherever.
    for broken in [
        "id= 'openai' # mine\nname",
        "id = openai\nname = \"X\"",
        "\"id\" = \"openai\"\n[",
        "Id = \"openai\"",
        "ID: openai",
        "idd = \"OpenAI\"",
        "[key]\nid = \"openai\"\n",
        "name = \"GW\", id = \"openai\"",
        "{\"label\": \"GW #1\", \"id\": \"openai\"}",
        "# mine\rid = \"openai\"\rname = 1",
        "name = \"OpenAI\"\n[[endpoints]]\nid = \"default\"\n[",
        "[provider]\nprovider_id = \"openai\"\n",
    ] {
        check("gw.toml", broken, "openai");
    }
    check("gw.toml", "", "");
    for broken in ["name = \"X\"", "id = 7", "id = \"gw\"\n["] {
        check("openai.toml", broken, "openai");
        check("OpenAI.TOML", broken, "openai");
    }
    // A word in a remark is none.
    check(
        "x.toml",
        "# as openai has it\nname = \"OpenAI gateway\"",
        "",
    );
    // Another encoding, and what cannot be read at all.
    let bytes = |content: &[u8], anthropic: bool, openai: bool| {
        let path = folder.path().join("gw.toml");
        fs::write(&path, content).unwrap();
        let catalog = load(folder.path());
        let is_broken = |id: &str| catalog.check_whole(id).is_err();
        assert_eq!(
            (is_broken("anthropic"), is_broken("openai")),
            (anthropic, openai)
        );
        fs::remove_file(path).unwrap();
    };
    bytes(b"id = \"anthropic\"\nname = \"G\xe4teway\"\n", true, false);
    let wide: Vec<u8> = "id = \"anthropic\""
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    bytes(&wide, true, false);
    bytes(" ".repeat((1 << 20) + 1).as_bytes(), true, true);
    bytes(
        gateway.replace("\"anthropic\"", "\"Anthropic\"").as_bytes(),
        true,
        false,
    );
    std::os::unix::fs::symlink("nowhere", folder.path().join("gw.toml")).unwrap();
    assert!(load(folder.path()).check_whole("openai").is_err());
    fs::remove_file(folder.path().join("gw.toml")).unwrap();
    let away = folder.path().join("away");
    std::os::unix::fs::symlink("nowhere", &away).unwrap();
    assert!(load(&away).check_whole("openai").is_err());
    fs::remove_file(away).unwrap();
    check("x.toml", "binaries = [\"openai\"]\nid = \"x\"\n[", "");
    // Somebody else is not in the way.
    fs::write(folder.path().join("a.toml"), &gateway).unwrap();
    check("gw.toml", &format!("{gateway}\n["), "");
    fs::remove_file(folder.path().join("a.toml")).unwrap();

    // What an editor has emptied on the way to writing it is for what it was.
    let manifests = crate::manifests::Manifests::new(folder.path().to_owned(), load);
    let path = folder.path().join("gw.toml");
    let is_whole = || manifests.current().check_whole("anthropic").is_ok();
    fs::write(&path, &gateway).unwrap();
    assert!(is_whole());
    for content in ["", "#", "id = \"gw\""] {
        fs::write(&path, content).unwrap();
        assert!(!is_whole(), "{content}");
    }
    fs::write(&path, &gateway).unwrap();
    assert!(is_whole());
    fs::remove_file(&path).unwrap();
    assert!(is_whole());
}

#[test]
fn nobody_knows_what_is_in_a_folder_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("providers.d");
    fs::write(&file, "").unwrap();
    let catalog = load(&file);
    let broken = catalog.check_whole("anthropic").unwrap_err();
    assert!(
        broken.to_string().contains("cannot read the folder"),
        "{broken}"
    );
}
