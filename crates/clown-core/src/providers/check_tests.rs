use super::{AddressVerdict, Checked, KeyVerdict, ProviderManifest, check};
use crate::fetch::{
    Fetch, FetchError, FetchFailure, FetchRequest, FetchResponse, Redirects, TlsProblem,
};
use crate::keys::Secret;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// Answers every request in one way, and remembers what was asked.
#[derive(Debug)]
struct Answering {
    answer: fn(&FetchRequest) -> Result<(u16, &'static str), FetchFailure>,
    asked: Mutex<Vec<FetchRequest>>,
}

impl Fetch for Answering {
    fn fetch(&self, request: &FetchRequest) -> Result<FetchResponse, FetchError> {
        self.asked.lock().unwrap().push(request.clone());
        let (status, body) =
            (self.answer)(request).map_err(|failure| FetchError::new("api.example", failure))?;
        Ok(FetchResponse {
            status,
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        })
    }
}

fn manifest(more: &str, urls: &str) -> ProviderManifest {
    let text = format!(
        "id = \"example\"\nname = \"Example\"\n{more}\n[[endpoints]]\nid = \"here\"\n[endpoints.urls]\n{urls}\n"
    );
    toml::from_str(&text).unwrap()
}

const REQUIRED: &str = "[key]\nvariable = \"EXAMPLE_KEY\"\nrequired = true\n[check]\nrefused = \"KEY_INVALID\"\n[check.paths]\nopenai-chat = \"/models\"";
const OPTIONAL: &str =
    "[key]\nvariable = \"EXAMPLE_KEY\"\n[check.paths]\nopenai-chat = \"/models\"";
const NO_ROUTE: &str = "[key]\nvariable = \"EXAMPLE_KEY\"\nrequired = true";
const CHAT: &str = "openai-chat = \"https://api.example/v1\"";

type Answer = fn(&FetchRequest) -> Result<(u16, &'static str), FetchFailure>;

fn run(
    manifest: &ProviderManifest,
    key: Option<&str>,
    answer: Answer,
) -> (Vec<Checked>, Answering) {
    let fetch = Answering {
        answer,
        asked: Mutex::default(),
    };
    let endpoints: Vec<_> = manifest.endpoints.iter().collect();
    let key = key.map(Secret::new);
    let variables = BTreeMap::from([("REGION".to_owned(), "eu".to_owned())]);
    let checked = check(&fetch, manifest, &endpoints, &variables, key.as_ref());
    (checked, fetch)
}

#[test]
fn each_answer_means_something() {
    use AddressVerdict::{Answers, Failing, Wrong};
    use KeyVerdict::{Limited, Missing, NoCredit, NotNeeded, NotTried, Refused, Works};
    let check = |more: &str, key, answer: Answer, address, verdict, well| {
        let (checked, _) = run(&manifest(more, CHAT), key, answer);
        let [checked] = &checked[..] else {
            panic!("{checked:?}");
        };
        let found = (checked.address, checked.key, checked.is_well());
        assert_eq!(found, (address, verdict, well), "{checked:?}");
        assert!(!checked.message.contains("sk-1"), "{checked:?}");
        assert!(checked.took.is_some());
    };
    let key = Some("sk-1");
    check(REQUIRED, key, |_| Ok((200, " {}")), Answers, Works, true);
    check(
        REQUIRED,
        key,
        |_| Ok((401, "sk-1 is wrong")),
        Answers,
        Refused,
        false,
    );
    check(REQUIRED, key, |_| Ok((403, "")), Answers, Refused, false);
    check(
        REQUIRED,
        key,
        |_| Ok((400, "{\"reason\":\"KEY_INVALID\"}")),
        Answers,
        Refused,
        false,
    );
    check(REQUIRED, key, |_| Ok((400, "{}")), Answers, NotTried, true);
    check(REQUIRED, key, |_| Ok((429, "")), Answers, Limited, true);
    check(REQUIRED, key, |_| Ok((402, "")), Answers, NoCredit, false);
    check(REQUIRED, key, |_| Ok((404, "")), Wrong, NotTried, false);
    check(REQUIRED, key, |_| Ok((503, "")), Failing, NotTried, false);
    check(
        REQUIRED,
        key,
        |_| Ok((200, "<html>")),
        Wrong,
        NotTried,
        false,
    );
    check(REQUIRED, None, |_| Ok((401, "")), Answers, Missing, false);
    check(REQUIRED, None, |_| Ok((200, "{}")), Answers, Missing, false);
    check(NO_ROUTE, key, |_| Ok((404, "")), Answers, NotTried, true);
    check(NO_ROUTE, None, |_| Ok((404, "")), Answers, Missing, false);
    check(NO_ROUTE, key, |_| Ok((500, "")), Failing, NotTried, false);
    check(
        OPTIONAL,
        None,
        |_| Ok((200, "[]")),
        Answers,
        NotNeeded,
        true,
    );
    check(OPTIONAL, None, |_| Ok((401, "")), Answers, Missing, false);
    check(OPTIONAL, key, |_| Ok((200, "[]")), Answers, NotNeeded, true);
    let with_key: Answer = |request| {
        let given = request
            .headers
            .iter()
            .any(|(name, _)| name == "authorization");
        Ok(if given { (200, "[]") } else { (401, "") })
    };
    check(OPTIONAL, key, with_key, Answers, Works, true);
}

#[test]
fn each_failure_is_told_apart() {
    let check = |answer: Answer, expected: AddressVerdict| {
        let (checked, _) = run(&manifest(REQUIRED, CHAT), Some("sk-1"), answer);
        assert_eq!(checked[0].address, expected);
        assert_eq!(checked[0].status, None);
        assert!(!checked[0].is_well());
        assert!(
            checked[0].message.starts_with("api.example "),
            "{checked:?}"
        );
    };
    use AddressVerdict::*;
    check(
        |_| {
            Err(FetchFailure::UnknownHost {
                reason: String::new(),
            })
        },
        UnknownHost,
    );
    check(|_| Err(FetchFailure::Refused), Refused);
    check(
        |_| {
            Err(FetchFailure::TimedOut {
                after: Duration::ZERO,
            })
        },
        TimedOut,
    );
    check(|_| Err(FetchFailure::Tls(TlsProblem::Expired)), Tls);
    check(
        |_| Err(FetchFailure::RedirectRefused { to: String::new() }),
        Wrong,
    );
    check(
        |_| {
            Err(FetchFailure::NotHttp {
                reason: String::new(),
            })
        },
        Wrong,
    );
    check(|_| Err(FetchFailure::CutShort { received: 1 }), Unreachable);
}

#[test]
fn a_key_goes_where_the_format_wants_it_and_nowhere_else() {
    let check = |auth: &str, format: &str, name: &str, value: &str| {
        let more = format!(
            "[key]\nvariable = \"K\"\nrequired = true\nauth = \"{auth}\"\n[check.paths]\n{format} = \"/list\""
        );
        let url = format!("{format} = \"https://{{REGION}}.example/v1\"");
        let (_, fetch) = run(&manifest(&more, &url), Some("sk-1"), |_| Ok((200, "{}")));
        let asked = fetch.asked.into_inner().unwrap();
        let [request] = &asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(request.url, "https://eu.example/v1/list");
        assert_eq!(request.redirects, Redirects::Refuse);
        let secret = request
            .headers
            .iter()
            .filter(|(_, value)| value.contains("sk-1"));
        let secret: Vec<_> = secret.cloned().collect();
        assert_eq!(
            secret,
            [(name.to_owned(), value.to_owned())],
            "{auth} {format}"
        );
    };
    check("own", "anthropic-messages", "x-api-key", "sk-1");
    check(
        "bearer",
        "anthropic-messages",
        "authorization",
        "Bearer sk-1",
    );
    check("own", "gemini", "x-goog-api-key", "sk-1");
    check("own", "openai-chat", "authorization", "Bearer sk-1");
    check("bearer", "openai-responses", "authorization", "Bearer sk-1");

    // Without a route that would try it, the key stays here.
    let (_, fetch) = run(&manifest(NO_ROUTE, CHAT), Some("sk-1"), |_| Ok((404, "")));
    let asked = fetch.asked.into_inner().unwrap();
    assert!(
        asked
            .iter()
            .flat_map(|it| &it.headers)
            .all(|(_, value)| !value.contains("sk-1"))
    );
}

#[test]
fn an_address_that_is_not_whole_is_not_asked() {
    let url = "openai-chat = \"https://{OTHER}.example/v1\"";
    let (checked, fetch) = run(&manifest(REQUIRED, url), Some("sk-1"), |_| Ok((200, "{}")));
    assert_eq!(checked[0].address, AddressVerdict::Incomplete);
    assert!(checked[0].message.contains("OTHER"), "{checked:?}");
    assert_eq!(checked[0].url, "https://{OTHER}.example/v1");
    assert!(fetch.asked.into_inner().unwrap().is_empty());
}
