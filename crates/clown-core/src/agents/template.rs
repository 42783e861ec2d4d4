use super::NamePattern;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// What templates of a manifest can use. What does not apply is empty.
#[derive(Clone, Copy, Default)]
pub struct Variables<'a> {
    /// The profile's name.
    pub alias: &'a str,
    /// The folder that the agent keeps its things in for this profile.
    pub home: &'a str,
    /// The base address, as the format's official client takes it.
    pub endpoint: &'a str,
    /// The format spoken with it.
    pub format: &'a str,
    /// The model.
    pub model: &'a str,
    /// The profile's model for small and background requests.
    pub small_model: &'a str,
    /// The provider's id.
    pub provider: &'a str,
    /// The provider's name for people.
    pub provider_name: &'a str,
    /// `own` or `bearer`: how requests carry the key; empty without a key.
    pub auth: &'a str,
    /// `yes` if there is a key.
    pub key_set: &'a str,
    /// The key itself. Only templates of environment variables can use it.
    pub key: &'a str,
    /// The names of the caller's variables, which `caller_sets('AWS_*')` looks into; None if they
    /// cannot be known.
    pub caller_names: Option<&'a [String]>,
}

/// The function that templates ask about the caller's variables.
const CALLER_SETS: &str = "caller_sets";
const SMALL_MODEL: &str = "small_model";

impl<'a> Variables<'a> {
    /// Every text but the key.
    fn public(&self) -> [(&'static str, &'a str); 10] {
        [
            ("alias", self.alias),
            ("home", self.home),
            ("endpoint", self.endpoint),
            ("format", self.format),
            ("model", self.model),
            (SMALL_MODEL, self.small_model),
            ("provider", self.provider),
            ("provider_name", self.provider_name),
            ("auth", self.auth),
            ("key_set", self.key_set),
        ]
    }
}

/// So that the key is in no log.
impl std::fmt::Debug for Variables<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.public()).finish()
    }
}

/// A text in which `{{ model }}` and the like are filled in; it cannot use the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    text: String,
    uses_small_model: bool,
}

/// A template for an environment variable: it may use `{{ key }}` too.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct SecretTemplate {
    text: String,
    uses_small_model: bool,
}

impl Template {
    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it says anything about the model for small requests.
    pub fn uses_small_model(&self) -> bool {
        self.uses_small_model
    }

    /// The text with everything filled in.
    pub fn render(&self, variables: &Variables<'_>) -> Result<String, Error> {
        environment(variables.caller_names)
            .render_str(&self.text, Value::from_pairs(variables.public()))
    }
}

impl SecretTemplate {
    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it says anything about the model for small requests.
    pub fn uses_small_model(&self) -> bool {
        self.uses_small_model
    }

    /// The text with everything filled in.
    pub fn render(&self, variables: &Variables<'_>) -> Result<String, Error> {
        let all = variables
            .public()
            .into_iter()
            .chain([("key", variables.key)]);
        environment(variables.caller_names).render_str(&self.text, Value::from_pairs(all))
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(Self {
            uses_small_model: variables_of(&text, false)?.contains(SMALL_MODEL),
            text,
        })
    }
}

impl TryFrom<String> for SecretTemplate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Ok(Self {
            uses_small_model: variables_of(&text, true)?.contains(SMALL_MODEL),
            text,
        })
    }
}

/// The variables that it names. Seen here, a mistake has a line and a column; seen when a run starts,
/// it would stop the run.
fn variables_of(text: &str, may_use_key: bool) -> Result<BTreeSet<String>, String> {
    check_size(text)?;
    let names = Variables::default().public().map(|(name, _)| name);
    let template = PARSER
        .template_from_str(text)
        .map_err(|error| format!("this template does not parse: {error}"))?;
    let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
    for name in &used {
        if name == "key" && !may_use_key {
            return Err(
                "the key may not stand in a file: give it in [env] and name that variable here"
                    .to_owned(),
            );
        }
        if name != "key" && name != CALLER_SETS && !names.contains(&name.as_str()) {
            return Err(format!(
                "there is no variable `{name}`: there are {} and, in [env], key",
                names.join(", ")
            ));
        }
    }
    Ok(used)
}

/// The longest built-in template has a fifth of it.
const MAX_SIGNS: usize = 1_000;

/// Refuses a template with so many words and signs that reading it could overflow the stack: that
/// goes one step down for each `~`, `.`, `not` and `elif`. Which of them stand in tags is not asked, as
/// only the reader itself knows where those begin and end.
pub(super) fn check_size(text: &str) -> Result<(), String> {
    if !["{{", "{%", "{#"].iter().any(|tag| text.contains(tag)) {
        return Ok(());
    }
    let mut signs = 0;
    let mut is_in_word = false;
    for sign in text.chars() {
        let is_word = sign.is_alphanumeric() || sign == '_';
        let goes_on = is_word && is_in_word;
        signs += usize::from(!sign.is_whitespace() && !goes_on);
        is_in_word = is_word;
    }
    match signs > MAX_SIGNS {
        true => Err(format!(
            "this template has {signs} words and signs: at most {MAX_SIGNS} are possible"
        )),
        false => Ok(()),
    }
}

/// For templates that are only read: thousands of them are, where a registry has many manifests.
static PARSER: LazyLock<Environment<'static>> = LazyLock::new(|| environment(None));

/// No manifest needs a hundredth of it, and one that never ends must hold nobody up.
const MAX_STEPS: u64 = 50_000;

fn environment(caller_names: Option<&[String]>) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(MAX_STEPS));
    let names = caller_names.map(<[String]>::to_vec);
    environment.add_function(CALLER_SETS, move |pattern: String| {
        let pattern = NamePattern::try_from(pattern)
            .map_err(|problem| Error::new(ErrorKind::InvalidOperation, problem))?;
        // What cannot be known is taken for set: the question is asked to keep something away.
        Ok::<bool, Error>(match &names {
            Some(names) => names.iter().any(|name| pattern.matches(name)),
            None => true,
        })
    });
    environment
}
