use super::*;
use serde_json::{Value, json};

const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn index(artifacts: Value) -> Value {
    let text =
        |artifact: &Value, name: &str| artifact[name].as_str().unwrap_or_default().to_owned();
    let rows: Vec<(String, String, String, u64)> = artifacts
        .as_array()
        .unwrap()
        .iter()
        .map(|artifact| {
            let size = artifact["size"].as_u64().unwrap_or_default();
            (
                text(artifact, "kind"),
                text(artifact, "id"),
                text(artifact, "sha256"),
                size,
            )
        })
        .collect();
    let commit = Commit::of(
        rows.iter()
            .map(|(kind, id, sha256, size)| (kind.as_str(), id.as_str(), sha256.as_str(), *size)),
    );
    json!({"format": 1, "channel": "stable", "commit": commit.as_str(), "serial": 3,
           "created_at": "2026-01-08T10:30:00Z", "minimum_version": "0.1.0",
           "artifacts": artifacts})
}

fn artifact(kind: &str, id: &str) -> Value {
    json!({"kind": kind, "id": id, "sha256": HASH, "size": 4})
}

fn parse(document: &Value) -> Result<Index, IndexError> {
    Index::parse(document.to_string().as_bytes())
}

#[test]
fn a_good_one_is_read_and_written_back() {
    let document = index(json!([artifact("provider", "b"), artifact("agent", "a")]));
    let read = parse(&document).unwrap();
    assert_eq!(read.artifacts.len(), 2);
    assert_eq!(read.artifacts[0].kind, Kind::Agent);
    let again = Index::parse(read.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again, read);
}

#[test]
fn kinds_and_members_of_later_versions_are_left_alone() {
    let mut document = index(json!([artifact("skill", "x"), artifact("agent", "a")]));
    document["mirrors"] = json!(["https://example.org"]);
    let read = parse(&document).unwrap();
    let kinds: Vec<Kind> = read
        .artifacts
        .iter()
        .map(|artifact| artifact.kind)
        .collect();
    assert_eq!(kinds, [Kind::Agent]);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |document: &Value, part: &str| {
        let error = parse(document).unwrap_err().to_string();
        assert!(error.contains(part), "{part:?} is not in {error}");
    };
    let with = |member: &str, value: Value| {
        let mut document = index(json!([artifact("agent", "a")]));
        document[member] = value;
        document
    };
    check(&with("format", json!(2)), "update Clown");
    check(
        &with("minimum_version", json!("99.0.0")),
        "needs Clown 99.0.0 or later",
    );
    check(&with("minimum_version", json!("new")), "minimum_version");
    check(&with("channel", json!("../x")), "channel");
    check(&with("channel", json!("artifacts")), "channel");
    check(&with("commit", json!("abc")), "commit");
    check(
        &with("commit", json!("0".repeat(40))),
        "what it lists makes",
    );
    check(&with("serial", json!(0)), "serial");
    check(&with("created_at", json!("soon")), "");
    let of = |member: &str, value: Value, part: &str| {
        let mut bad = artifact("agent", "a");
        bad[member] = value;
        check(&index(json!([bad])), part);
    };
    of("id", json!("../../etc/passwd"), "no good id");
    of("id", json!("a/b"), "no good id");
    of("id", json!(""), "no good id");
    of("kind", json!("../x"), "no good kind");
    of("sha256", json!("../../../etc/passwd"), "sha256");
    of("sha256", json!(HASH.to_uppercase()), "sha256");
    of("sha256", json!(&HASH[1..]), "sha256");
    of("size", json!(MAX_ARTIFACT_BYTES + 1), "larger");
    check(
        &index(json!([artifact("agent", "a"), artifact("agent", "a")])),
        "listed twice",
    );
    let many: Vec<Value> = (0..65)
        .map(|number| {
            let mut one = artifact("agent", &format!("a{number}"));
            one["size"] = json!(MAX_ARTIFACT_BYTES);
            one
        })
        .collect();
    check(&index(json!(many)), "together");
    assert!(Index::parse(b"<html>").is_err());
}

#[test]
fn versions_are_ordered() {
    let check = |text: &str, expected: Option<Version>| {
        assert_eq!(Version::parse(text), expected, "{text}");
    };
    check("1.2.3", Some(Version(1, 2, 3)));
    check("1.2.3-rc.1", Some(Version(1, 2, 3)));
    check("1.2", None);
    check("1.2.3.4", None);
    check("a.b.c", None);
    assert!(Version(0, 10, 0) > Version(0, 9, 9));
}
