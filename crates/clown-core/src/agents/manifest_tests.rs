use super::{AgentManifest, HooksForm, load};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MINIMAL: &str = r#"id = "mine"
name = "Mine"
binaries = ["mine"]
[version]
args = ["-v"]
pattern = '(\d+)'
"#;

#[test]
fn the_built_in_ones_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = load(&folder.path().join("agents.d"));
    assert_eq!(catalog.problems(), []);
    let ids: Vec<&str> = catalog.all().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "aider",
            "amp",
            "claude",
            "codex",
            "copilot",
            "crush",
            "cursor-agent",
            "droid",
            "gemini",
            "goose",
            "grok",
            "kimi",
            "opencode",
            "pi",
            "qwen",
        ]
    );
    for manifest in catalog.all() {
        let id = manifest.id.as_str();
        assert!(!manifest.sources.is_empty(), "{id} names no source");
        assert!(
            manifest.install.is_some(),
            "{id} names no way to install it"
        );
    }
}

#[test]
fn versions_as_the_programs_print_them() {
    let catalog = load(Path::new("/nonexistent/agents.d"));
    let check = |id: &str, output: &str, version: Option<&str>| {
        let found = catalog.get(id).unwrap().version.pattern.version_in(output);
        assert_eq!(found.as_deref(), version, "{id}: {output:?}");
    };
    check("claude", "2.1.197 (Claude Code)\n", Some("2.1.197"));
    check("codex", "codex-cli 0.169.0\n", Some("0.169.0"));
    check(
        "codex",
        "WARNING: no PATH aliases\ncodex-cli 0.170.0-alpha.1\n",
        Some("0.170.0-alpha.1"),
    );
    check("opencode", "1.18.33\n", Some("1.18.33"));
    check(
        "gemini",
        "(node:12) warning 1.2.3 of x\n0.61.0\n",
        Some("0.61.0"),
    );
    check("aider", "aider 0.86.2\n", Some("0.86.2"));
    check(
        "amp",
        "0.0.1790142911-g7618fb (released 2026-09-23T05:55:11.000Z, 2mo ago)\n",
        Some("0.0.1790142911-g7618fb"),
    );
    check(
        "copilot",
        "GitHub Copilot CLI 1.0.102.\nRun 'copilot update' to check for updates.\n",
        Some("1.0.102"),
    );
    check("crush", "crush version v0.96.1\n", Some("0.96.1"));
    check(
        "cursor-agent",
        "2026.01.09-231024f\n",
        Some("2026.01.09-231024f"),
    );
    check("droid", "0.225.2\n", Some("0.225.2"));
    check("goose", " 1.50.0\n", Some("1.50.0"));
    check("grok", "grok 1.0.41 (4220f3b224a6)\n", Some("1.0.41"));
    check("kimi", "2.1.0\n", Some("2.1.0"));
    check("pi", "0.73.1\n", Some("0.73.1"));
    check("qwen", "0.24.4\n", Some("0.24.4"));
    check("gemini", "Error: Cannot find module\n", None);
    check("claude", "", None);
}

#[test]
fn hooks_of_the_built_in_ones() {
    let catalog = load(Path::new("/nonexistent/agents.d"));
    let check = |id: &str, expected: Option<(HooksForm, &str)>| {
        let hooks = catalog.get(id).unwrap().hooks.as_ref();
        assert_eq!(
            hooks.map(|hooks| hooks.form),
            expected.map(|(form, _)| form),
            "{id}"
        );
        let events = hooks.map_or(&[][..], |hooks| &hooks.events);
        let known = expected.is_none_or(|(_, event)| events.iter().any(|known| known == event));
        assert!(known, "{id}: {events:?}");
        let once: BTreeSet<&String> = events.iter().collect();
        assert_eq!(once.len(), events.len(), "{id}: {events:?}");
    };
    let mut seen = BTreeSet::new();
    for (id, expected) in [
        ("aider", None),
        ("amp", None),
        ("claude", Some((HooksForm::Groups, "Stop"))),
        ("codex", Some((HooksForm::Groups, "Stop"))),
        ("copilot", Some((HooksForm::Groups, "agentStop"))),
        ("crush", Some((HooksForm::Own, "PreToolUse"))),
        ("cursor-agent", None),
        ("droid", Some((HooksForm::Groups, "Stop"))),
        ("gemini", Some((HooksForm::Groups, "AfterAgent"))),
        ("goose", None),
        ("grok", Some((HooksForm::Groups, "Stop"))),
        ("kimi", None),
        ("opencode", None),
        ("pi", None),
        ("qwen", Some((HooksForm::Groups, "Stop"))),
    ] {
        check(id, expected);
        seen.insert(id);
    }
    let all: BTreeSet<&str> = catalog.all().map(|manifest| manifest.id.as_str()).collect();
    assert_eq!(seen, all);
}

#[test]
fn peoples_own_win_by_id() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("x.toml"),
        MINIMAL.replace("mine", "claude"),
    )
    .unwrap();
    let catalog = load(folder.path());
    assert_eq!(catalog.problems(), []);
    assert_eq!(catalog.get("claude").unwrap().name, "Mine");
}

#[test]
fn a_bad_file_tells_where_and_stops_no_other() {
    let check = |content: &str, line: usize, column: usize, part: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("bad.toml"), content).unwrap();
        let catalog = load(folder.path());
        assert!(catalog.get("claude").is_some() && catalog.get("mine").is_none());
        let [problem] = catalog.problems() else {
            panic!("{content}: {:?}", catalog.problems());
        };
        assert_eq!(
            (problem.line, problem.column),
            (line, column),
            "{content}: {problem}"
        );
        assert!(problem.message.contains(part), "{content}: {problem}");
    };
    check(
        &MINIMAL.replace(r"(\d+)", r"(\d+"),
        6,
        11,
        "no regular expression",
    );
    check(&MINIMAL.replace(r"(\d+)", r"\d+"), 6, 11, "no group");
    check(
        &MINIMAL.replace("[\"mine\"]", "[\"../mine\"]"),
        3,
        12,
        "no program's name",
    );
    check(
        &MINIMAL.replace("[\"mine\"]", "[]"),
        3,
        12,
        "the list is empty",
    );
    check(
        &format!("{MINIMAL}colour = 1\n"),
        7,
        1,
        "unknown member `colour`",
    );
    check(
        &MINIMAL.replace("binaries", "binarys"),
        3,
        1,
        "unknown member `binarys`: did you mean `binaries`?",
    );
    check(&MINIMAL.replace("name", "#"), 1, 1, "missing member `name`");
    check(
        &format!("{MINIMAL}[env]\nA = \"{{{{ colour }}}}\"\n"),
        8,
        5,
        "no variable `colour`",
    );
    check(
        &format!("{MINIMAL}[env]\nA = \"{{{{ key \"\n"),
        8,
        5,
        "does not parse",
    );
    check(
        &format!("{MINIMAL}[isolation]\nA = \"{{{{ key }}}}\"\n"),
        8,
        5,
        "may not stand in a file",
    );
    check(
        &MINIMAL.replace("[version]", "clears = [\"*\"]\n[version]"),
        4,
        10,
        "no part of the name",
    );
    let file = |path: &str, member: &str| {
        format!(
            "{MINIMAL}[[files]]\npath = \"{path}\"\nkind = \"toml\"\nmembers = {{ {member} }}\n"
        )
    };
    check(&file("../x", "a = 1"), 8, 8, "below the profile's home");
    check(&file("/x", "a = 1"), 8, 8, "below the profile's home");
    check(&file("x", "\"a..b\" = 1"), 10, 13, "empty name");
    check(
        &file("x", "a = [\"{{ key }}\"]"),
        10,
        17,
        "may not stand in a file",
    );
    check(&file("x", "a = 1979-05-27"), 10, 17, "dates cannot be set");
    check(
        &file("x", "a = 1").replace("toml", "tomll"),
        9,
        8,
        "unknown value `tomll`: did you mean `toml`?",
    );
    let mcp = |rest: &str| {
        format!("{MINIMAL}[mcp]\nfile = \"x\"\nkind = \"json\"\nmember = \"m\"\n{rest}")
    };
    check(&mcp(""), 7, 1, "neither `stdio` nor `http`");
    check(
        &mcp("stdio = { a = \"x {{ args }}\" }\n"),
        11,
        9,
        "has to stand alone",
    );
    check(
        &mcp("http = { a = \"{{ key }}\" }\n"),
        11,
        8,
        "no variable `key`",
    );
    let usage = |files: &str| {
        format!("{MINIMAL}[usage]\nform = \"claude\"\nfolder = \"x\"\nfiles = {files}\n")
    };
    check(&usage("[]"), 10, 9, "the list is empty");
    check(&usage("[\"../x\"]"), 10, 9, "without `..`");
    check(&usage("[\"a**\"]"), 10, 9, "a name of its own");
    check(&usage("[\"a?\"]"), 10, 9, "only `*` and `**`");
    check(
        &usage("[\"a\"]").replace("claude\"", "claud\""),
        8,
        8,
        "did you mean `claude`?",
    );
    let own = "own = { default = [\"/etc/x\"] }\n";
    check(&format!("{}{own}", usage("[\"a\"]")), 11, 19, "below `~/`");
}

#[test]
fn what_would_take_all_memory_or_time_is_no_manifest() {
    let check = |content: &str, part: &str| {
        let refused = toml::from_str::<AgentManifest>(content).unwrap_err();
        let start: String = content.chars().take(200).collect();
        assert!(refused.message().contains(part), "{start}: {refused}");
    };
    let pattern = |pattern: &str| MINIMAL.replace(r"(\d+)", pattern);
    check(&pattern(&"()".repeat(100)), "has 100 groups");
    check(&pattern(&"()".repeat(20_000)), "longer than 500 bytes");
    check(&pattern("(x)(?:(?:.?){100}){100}"), "no regular expression");
    let names = |number: usize| vec!["\"a\""; number].join(", ");
    let nine = MINIMAL.replace("[\"mine\"]", &format!("[{}]", names(9)));
    check(&nine, "at most 8");
    let file = |members: &str| {
        format!(
            "{MINIMAL}[[files]]\npath = \"x.json\"\nkind = \"json\"\n[files.members]\n{members}\n"
        )
    };
    let path = |steps: usize| file(&format!("\"{}\" = 1", vec!["id"; steps].join(".")));
    check(&path(17), "at most 16");
    check(&path(3_000), "at most 16");
    let nested = |depth: usize| file(&format!("a = {}1{}", "[".repeat(depth), "]".repeat(depth)));
    check(&nested(17), "more than 16 deep");
    check(
        &format!(
            "{MINIMAL}[mcp]\nfile = \"x\"\nkind = \"json\"\nmember = \"m\"\nstdio = {{ a = {}1{} }}\n",
            "[".repeat(17),
            "]".repeat(17)
        ),
        "more than 16 deep",
    );
    for good in [path(16), nested(16), pattern(r"(?m)^(?:x )?(\d+\.\d+\S*)$")] {
        toml::from_str::<AgentManifest>(&good).unwrap();
    }
}

/// The language of templates goes one step down for each of them.
#[test]
fn a_template_that_would_overflow_the_stack_is_none() {
    let check = |text: &str| {
        let env = format!("{MINIMAL}[env]\nA = \"{text}\"\n");
        let refused = toml::from_str::<AgentManifest>(&env).unwrap_err();
        assert!(refused.message().contains("at most 1000"), "{refused}");
    };
    check(&format!("{{{{ model{} }}}}", "~model".repeat(100_000)));
    check(&format!("{{{{ {}model }}}}", "not ".repeat(100_000)));
    check(&format!(
        "{{% if model %}}{}{{% endif %}}",
        "{% elif model %}".repeat(100_000)
    ));
    let plain = format!("{MINIMAL}[env]\nA = \"{}\"\n", "a.".repeat(5_000));
    toml::from_str::<AgentManifest>(&plain).unwrap();
}
