use super::written::Record;
use super::{FileMerge, LaunchPlan, Member, MergeError, Wanted, apply};
use crate::agents::FileKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

fn members(wanted: &[(&str, Value)]) -> Vec<Member> {
    wanted
        .iter()
        .map(|(at, value)| {
            let list = at.ends_with("[]");
            let at = at.trim_end_matches("[]");
            Member {
                at: at.split(' ').map(str::to_owned).collect(),
                wanted: if list {
                    Wanted::Element(value.clone())
                } else {
                    Wanted::Value(value.clone())
                },
                secret: false,
            }
        })
        .collect()
}

fn plan(home: &Path, kind: FileKind, wanted: &[(&str, Value)]) -> LaunchPlan {
    let mut files = BTreeMap::new();
    if !wanted.is_empty() {
        let members = members(wanted);
        files.insert("sub/file".to_owned(), FileMerge { kind, members });
    }
    LaunchPlan {
        env: BTreeMap::new(),
        args: Vec::new(),
        home: home.to_owned(),
        folders: vec!["folder".to_owned()],
        files,
    }
}

/// Merges into `before`, expects `after`; a second time writes nothing; and when nothing is wanted
/// any more, `before` is back.
#[track_caller]
fn check(kind: FileKind, before: &str, wanted: &[(&str, Value)], after: &str) {
    check_back(kind, before, wanted, after, before);
}

#[track_caller]
fn check_back(kind: FileKind, before: &str, wanted: &[(&str, Value)], after: &str, back: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/file");
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(&path, before).unwrap();
    let with = plan(folder.path(), kind, wanted);

    apply(&with).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), after);

    let inode = |path: &Path| fs::metadata(path).map(|metadata| metadata.ino()).ok();
    let record = Record::path(folder.path());
    let inodes = (inode(&path), inode(&record));
    apply(&with).unwrap();
    assert_eq!((inode(&path), inode(&record)), inodes, "written again");

    apply(&plan(folder.path(), kind, &[])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), back);
}

#[test]
fn the_record_of_a_secret_is_enough_to_take_it_out_and_does_not_hold_it() {
    let check = |wanted: &[(&str, Value)], before: &str, with: &str, old_record: bool| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/file");
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(&path, before).unwrap();
        let secretly = |wanted: &[(&str, Value)], secret: bool| {
            let mut plan = plan(folder.path(), FileKind::Toml, wanted);
            let members = plan.files.values_mut().flat_map(|file| &mut file.members);
            members.for_each(|member| member.secret = secret);
            plan
        };
        let record = || fs::read_to_string(Record::path(folder.path())).unwrap();
        // As an earlier Clown kept it, and so as it is found after an update.
        if old_record {
            apply(&secretly(wanted, false)).unwrap();
            assert!(record().contains("s3cret"));
        }
        apply(&secretly(wanted, true)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), with);
        assert!(!record().contains("s3cret"), "{}", record());
        apply(&secretly(&[], true)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    };
    for old_record in [false, true] {
        check(
            &[("m token", json!("s3cret"))],
            "[m]\ntoken = \"mine\"\n",
            "[m]\ntoken = \"s3cret\"\n",
            old_record,
        );
        check(
            &[("list[]", json!("s3cret"))],
            "list = [\"mine\"]\n",
            "list = [\"mine\", \"s3cret\"]\n",
            old_record,
        );
        check(
            &[("list", json!([{"b": "s3cret", "a": 1}]))],
            "x = 1\n",
            "x = 1\nlist = [{ b = \"s3cret\", a = 1 }]\n",
            old_record,
        );
    }
}

#[test]
fn a_secret_that_a_person_has_changed_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut wanted = plan(folder.path(), FileKind::Toml, &[("a", json!("s3cret"))]);
    let members = wanted.files.values_mut().flat_map(|file| &mut file.members);
    members.for_each(|member| member.secret = true);
    apply(&wanted).unwrap();
    let path = folder.path().join("sub/file");
    fs::write(&path, "a = \"theirs\"\n").unwrap();
    apply(&plan(folder.path(), FileKind::Toml, &[])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "a = \"theirs\"\n");
}

#[test]
fn toml_keeps_comments_and_order() {
    check(
        FileKind::Toml,
        "# mine\nz = 1 # last\n\n[tui]\ntheme = \"dark\"   # nice\n",
        &[
            ("model", json!("m")),
            ("model_providers clown env_key", json!("KEY")),
            ("model_providers clown name", json!("N")),
        ],
        "# mine\nz = 1 # last\nmodel = \"m\"\n\n[tui]\ntheme = \"dark\"   # nice\n\n[model_providers.clown]\nenv_key = \"KEY\"\nname = \"N\"\n",
    );
    check(
        FileKind::Toml,
        "model = \"old\" # a comment\n",
        &[("model", json!("new"))],
        "model = \"new\" # a comment\n",
    );
    check(
        FileKind::Toml,
        "model_providers = { x = { a = 1 } }\n",
        &[("model_providers clown name", json!("N"))],
        "model_providers = { x = { a = 1 } , clown = { name = \"N\" } }\n",
    );
}

#[test]
fn jsonc_keeps_comments_and_order() {
    check(
        FileKind::Jsonc,
        "{\n  // mine\n  \"z\": 1, // last\n  \"provider\": {\n    \"x\": {}, /* y */\n  },\n}\n",
        &[
            ("model", json!("m")),
            ("provider clown options key", json!("{env:K}")),
            ("provider clown models a.b/c", json!({})),
            ("list", json!(["a"])),
        ],
        "{\n  // mine\n  \"z\": 1, // last\n  \"provider\": {\n    \"x\": {}, /* y */\n    \"clown\": {\n      \"options\": {\n        \"key\": \"{env:K}\"\n      },\n      \"models\": {\n        \"a.b/c\": {}\n      }\n    },\n  },\n  \"model\": \"m\",\n  \"list\": [\"a\"],\n}\n",
    );
    check(
        FileKind::Json,
        "{\"model\": \"old\", \"a\": [1, 2]}",
        &[("model", json!("new"))],
        "{\"model\": \"new\", \"a\": [1, 2]}",
    );
}

#[test]
fn elements_are_added_to_what_is_there() {
    check(
        FileKind::Json,
        "{\n  \"hooks\": {\n    \"Stop\": [\n      {\"mine\": 1}\n    ]\n  }\n}\n",
        &[
            ("hooks Stop[]", json!({"mine": 1})),
            ("hooks Stop[]", json!("ours")),
        ],
        "{\n  \"hooks\": {\n    \"Stop\": [\n      {\"mine\": 1},\n      \"ours\"\n    ]\n  }\n}\n",
    );
    check(
        FileKind::Toml,
        "list = [\"mine\"]\n",
        &[("list[]", json!("ours"))],
        "list = [\"mine\", \"ours\"]\n",
    );
}

#[test]
fn a_new_file_is_private_and_whole() {
    let check = |kind: FileKind, content: &str| {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("homes/work");
        apply(&plan(&home, kind, &[("a b", json!("c"))])).unwrap();
        let path = home.join("sub/file");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&home), 0o700);
        assert!(home.join("folder").is_dir());
    };
    check(FileKind::Toml, "[a]\nb = \"c\"\n");
    check(FileKind::Json, "{\n  \"a\": {\n    \"b\": \"c\"\n  }\n}\n");
}

#[test]
fn what_a_person_changed_since_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/file");
    let kind = FileKind::Toml;
    apply(&plan(
        folder.path(),
        kind,
        &[("a", json!(1)), ("b", json!(1))],
    ))
    .unwrap();
    fs::write(&path, "a = 1\nb = 2\n").unwrap();
    apply(&plan(folder.path(), kind, &[])).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "b = 2\n");
}

#[test]
fn what_a_person_had_comes_back_after_several_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/file");
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(&path, "model = \"mine\"\nsame = 1\n").unwrap();
    for model in ["x", "y"] {
        let wanted = [("model", json!(model)), ("same", json!(1))];
        apply(&plan(folder.path(), FileKind::Toml, &wanted)).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "model = \"y\"\nsame = 1\n"
    );
    apply(&plan(folder.path(), FileKind::Toml, &[])).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "model = \"mine\"\nsame = 1\n"
    );
}

#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("target"), "").unwrap();
    let link = folder.path().join("sub/file");
    std::os::unix::fs::symlink("../target", &link).unwrap();
    apply(&plan(folder.path(), FileKind::Toml, &[("a", json!(1))])).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(
        fs::read_to_string(folder.path().join("target")).unwrap(),
        "a = 1\n"
    );
}

#[test]
fn a_file_that_cannot_be_used_is_left_alone() {
    let check = |kind: FileKind, before: &[u8], wanted: &[(&str, Value)], told: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let path = folder.path().join("sub/file");
        fs::write(&path, before).unwrap();
        let mut plan = plan(folder.path(), kind, wanted);
        let good = plan.files["sub/file"].clone();
        plan.files.insert("a-good-one".to_owned(), good);

        let error = apply(&plan).unwrap_err();

        let prefix = format!("{}:", path.display());
        let text = error.to_string();
        let text = text.strip_prefix(&prefix).unwrap_or(&text);
        assert!(text.starts_with(told), "{text}");
        assert!(matches!(
            error,
            MergeError::Malformed { .. } | MergeError::WrongType { .. }
        ));
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(!folder.path().join("a-good-one").exists());
        assert!(!Record::path(folder.path()).exists());
    };
    let a_b = [("a b", json!(1))];
    check(FileKind::Toml, b"x = 1\na = \n", &a_b, "2:5: ");
    check(
        FileKind::Toml,
        b"x = 1\na = 7\n",
        &a_b,
        "2:5: `a` must be a table",
    );
    check(
        FileKind::Toml,
        b"[[a]]\nb = 7\n",
        &a_b,
        "1:1: `a` must be a table",
    );
    check(
        FileKind::Toml,
        b"a = 7\n",
        &[("a[]", json!(1))],
        "1:5: `a` must be a list",
    );
    check(FileKind::Jsonc, b"{\n  \"a\": ]\n}", &a_b, "2:8: ");
    check(
        FileKind::Jsonc,
        b"{\n  // x\n  \"a\": 7\n}",
        &a_b,
        "3:8: `a` must be a table",
    );
    check(
        FileKind::Jsonc,
        b"[]",
        &a_b,
        "1:1: `the file` must be a table",
    );
    check(
        FileKind::Json,
        b"{\"a\": {}}",
        &[("a[]", json!(1))],
        "1:7: `a` must be a list",
    );
    check(FileKind::Json, b"{\"a\": 1,}", &a_b, "1:");
    check(
        FileKind::Toml,
        b"x = 1\n# \xff",
        &a_b,
        "2:3: this is not UTF-8",
    );
}
