//! Every JSON shape, read and written back as it stands in its file. Files are added, not edited.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::fs;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

fn check<T: Serialize + DeserializeOwned>(names: &[&str], seen: &mut BTreeSet<String>) {
    for name in names {
        let text = fs::read_to_string(format!("{FOLDER}/{name}.json"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let value: T =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = serde_json::to_string_pretty(&value).expect("it can be written");
        assert_eq!(written + "\n", text, "{name}");
        seen.insert(format!("{name}.json"));
    }
}

#[test]
fn every_shape_is_as_its_file_says() {
    use clown_api::*;
    let mut seen = BTreeSet::new();
    let profiles = ["Profile", "Profile.minimal", "Profile.tools"];
    check::<Profile>(&profiles, &mut seen);
    let creations = ["CreateProfile", "CreateProfile.full", "CreateProfile.tools"];
    check::<CreateProfile>(&creations, &mut seen);
    check::<PlanRun>(&["PlanRun", "PlanRun.create", "PlanRun.patch"], &mut seen);
    check::<Plan>(&["Plan", "Plan.minimal"], &mut seen);
    check::<AskEnvironment>(&["AskEnvironment"], &mut seen);
    check::<Environment>(&["Environment"], &mut seen);
    let keys = [
        "KeyInput.value",
        "KeyInput.env",
        "KeyInput.command",
        "KeyInput.file",
        "KeyInput.store",
    ];
    check::<KeyInput>(&keys, &mut seen);
    check::<StoredKey>(&["StoredKey", "StoredKey.minimal"], &mut seen);
    check::<SetKey>(&["SetKey", "SetKey.rotate"], &mut seen);
    check::<CloneProfile>(&["CloneProfile"], &mut seen);
    check::<ReplaceFile>(&["ReplaceFile"], &mut seen);
    check::<AskExport>(&["AskExport"], &mut seen);
    check::<Export>(&["Export", "Export.keys"], &mut seen);
    check::<Template>(&["Template"], &mut seen);
    check::<Problem>(&["Problem"], &mut seen);
    check::<Agent>(&["Agent", "Agent.absent", "Agent.hooks"], &mut seen);
    let providers = ["Provider", "Provider.placeholders", "Provider.registry"];
    check::<Provider>(&providers, &mut seen);
    check::<CheckProvider>(&["CheckProvider", "CheckProvider.full"], &mut seen);
    check::<ProviderCheck>(&["ProviderCheck"], &mut seen);
    check::<PrepareRun>(&["PrepareRun"], &mut seen);
    check::<PreparedRun>(&["PreparedRun"], &mut seen);
    check::<StartedRun>(&["StartedRun"], &mut seen);
    check::<ExitedRun>(&["ExitedRun"], &mut seen);
    let runs = ["Run", "Run.prepared", "Run.running", "Run.abandoned"];
    check::<Run>(&runs, &mut seen);
    check::<Daemon>(&["Daemon"], &mut seen);
    check::<DaemonFile>(&["DaemonFile"], &mut seen);
    check::<Shutdown>(&["Shutdown", "Shutdown.empty"], &mut seen);
    check::<EventPage>(&["EventPage"], &mut seen);
    check::<List<Agent>>(&["List"], &mut seen);
    check::<Proxy>(&["Proxy", "Proxy.stopped", "Proxy.targets"], &mut seen);
    check::<ExplainRoute>(&["ExplainRoute"], &mut seen);
    check::<RouteExplained>(&["RouteExplained"], &mut seen);
    check::<StartProxy>(&["StartProxy", "StartProxy.empty"], &mut seen);
    check::<ProxyRequest>(&["ProxyRequest", "ProxyRequest.failed"], &mut seen);
    check::<UsageTotals>(&["UsageTotals"], &mut seen);
    check::<UsageReport>(&["UsageReport", "UsageReport.day"], &mut seen);
    check::<UsageNow>(&["UsageNow", "UsageNow.idle"], &mut seen);
    check::<UsageBudget>(&["UsageBudget"], &mut seen);
    check::<SetBudget>(&["SetBudget"], &mut seen);
    check::<ImportUsage>(&["ImportUsage", "ImportUsage.full"], &mut seen);
    check::<ImportedUsage>(&["ImportedUsage"], &mut seen);
    check::<UsageImporting>(&["UsageImporting"], &mut seen);
    let prices = [
        "ModelPrice",
        "ModelPrice.own",
        "ModelPrice.registry",
        "ModelPrice.unknown",
    ];
    check::<ModelPrice>(&prices, &mut seen);
    check::<State>(&["State", "State.full", "State.registry"], &mut seen);
    check::<Registry>(
        &["Registry", "Registry.built-in", "Registry.replaced"],
        &mut seen,
    );
    check::<SyncRegistry>(&["SyncRegistry", "SyncRegistry.empty"], &mut seen);
    check::<SyncedRegistry>(
        &[
            "SyncedRegistry",
            "SyncedRegistry.note",
            "SyncedRegistry.previous",
        ],
        &mut seen,
    );
    check::<PinRegistry>(&["PinRegistry"], &mut seen);

    let files: BTreeSet<String> = fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(
        files, seen,
        "a file that no type reads, or the other way round"
    );
}

#[test]
fn secrets_do_not_show_when_printed_for_debugging() {
    let key = clown_api::KeyInput::Value("sk-1".to_owned());
    assert!(!format!("{key:?}").contains("sk-1"));
    let text = fs::read_to_string(format!("{FOLDER}/PreparedRun.json")).unwrap();
    let run: clown_api::PreparedRun = serde_json::from_str(&text).unwrap();
    assert!(!format!("{run:?}").contains("sonnet"));
    let text = fs::read_to_string(format!("{FOLDER}/CreateProfile.tools.json")).unwrap();
    let profile: clown_api::CreateProfile = serde_json::from_str(&text).unwrap();
    assert!(!format!("{profile:?}").contains("ghp_1"));
    let text = fs::read_to_string(format!("{FOLDER}/Environment.json")).unwrap();
    let environment: clown_api::Environment = serde_json::from_str(&text).unwrap();
    assert!(!format!("{environment:?}").contains("sk-1"));
    let text = fs::read_to_string(format!("{FOLDER}/PlanRun.create.json")).unwrap();
    let plan: clown_api::PlanRun = serde_json::from_str(&text).unwrap();
    assert!(!format!("{plan:?}").contains("sk-1"));
}

#[test]
fn unknown_members_of_a_request_are_refused_by_name() {
    let error = serde_json::from_str::<clown_api::CreateProfile>(
        r#"{"alias":"work","agent_id":"claude","modle":"x"}"#,
    );
    assert!(error.unwrap_err().to_string().contains("modle"));
}
