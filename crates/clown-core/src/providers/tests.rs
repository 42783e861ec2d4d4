use super::{Format, Problem, load};
use std::fs;

const LOCAL: &str = "id = \"local\"\nname = \"Local\"\n[[endpoints]]\nid = \"here\"\nurls = { openai-chat = \"http://127.0.0.1:8080/v1/\" }\n";

#[test]
fn the_built_in_ones_are_good() {
    let catalog = load(&tempfile::tempdir().unwrap().path().join("providers.d"));
    assert_eq!(catalog.problems(), []);
    let ids: Vec<&str> = catalog.all().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(ids, ["anthropic", "gemini", "openai", "openrouter", "self"]);
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
