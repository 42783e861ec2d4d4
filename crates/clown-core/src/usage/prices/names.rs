//! Under which names a price list may have what a log calls a model.
//!
//! Each is tried as a whole. Nothing is guessed of a part of a name: `gpt-5` is not `gpt-5.5`.

/// A name to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) name: String,
    /// The log's name asks for the faster service.
    pub(super) fast: bool,
}

/// Providers as agents call them, and as LiteLLM's table does. An empty one has its models without.
const PROVIDERS: [(&str, &str); 24] = [
    ("alibaba", "dashscope"),
    ("alibaba-cn", "dashscope"),
    ("amazon-bedrock", "bedrock"),
    ("azure-cognitive-services", "azure"),
    ("fireworks-ai", "fireworks_ai"),
    ("fireworks", "fireworks_ai"),
    ("github-copilot", "github_copilot"),
    ("copilot", "github_copilot"),
    ("google", "gemini"),
    ("google-vertex", "vertex_ai"),
    ("google-vertex-anthropic", "vertex_ai"),
    ("vertex", "vertex_ai"),
    ("mistralai", "mistral"),
    ("moonshotai", "moonshot"),
    ("moonshotai-cn", "moonshot"),
    ("qwen", "dashscope"),
    ("together", "together_ai"),
    ("togetherai", "together_ai"),
    ("vercel", "vercel_ai_gateway"),
    ("x-ai", "xai"),
    ("z-ai", "zai"),
    ("zai-coding-plan", "zai"),
    ("zhipuai", "zai"),
    ("volcano", "volcengine"),
];

/// On people's own machines, nobody charges what others charge for a model of the same name.
const LOCAL: [&str; 8] = [
    "ollama",
    "ollama_chat",
    "lmstudio",
    "lm_studio",
    "vllm",
    "hosted_vllm",
    "llamacpp",
    "llama.cpp",
];

/// Makers whose models the table has only under the maker's name, by how these begin.
const MAKERS: [(&str, &str); 14] = [
    ("grok-", "xai"),
    ("qwen", "dashscope"),
    ("qwq-", "dashscope"),
    ("kimi-", "moonshot"),
    ("moonshot-", "moonshot"),
    ("deepseek-", "deepseek"),
    ("glm-", "zai"),
    ("minimax-", "minimax"),
    ("gemini-", "gemini"),
    ("mistral-", "mistral"),
    ("devstral-", "mistral"),
    ("codestral-", "mistral"),
    ("magistral-", "mistral"),
    ("doubao-", "volcengine"),
];

/// Where Bedrock answers from, as names of models begin there.
const REGIONS: [&str; 8] = ["us", "eu", "apac", "au", "jp", "ca", "global", "us-gov"];

/// The names to look for, the surest first.
pub(super) fn candidates(model: &str) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    let model = model.trim();
    // Claude Code marks so a model that is asked for with a long context.
    let marked = model.strip_suffix("[1m]").unwrap_or(model);
    let lower = marked.to_lowercase();
    for name in [model, marked, &lower] {
        add(&mut candidates, name, false);
    }
    for name in [marked, &lower] {
        // Only of Anthropic's: elsewhere `-fast` is another, mostly cheaper model.
        if let Some(name) = name.strip_suffix("-fast").filter(|name| is_claude(name)) {
            add(&mut candidates, name, true);
        }
    }
    candidates
}

fn add(candidates: &mut Vec<Candidate>, model: &str, fast: bool) {
    let (provider, bare) = match model.rsplit_once('/') {
        Some((provider, bare)) => (Some(provider), bare),
        None => (None, model),
    };
    for spelling in spellings(bare) {
        for name in placed(provider, &spelling) {
            let candidate = Candidate { name, fast };
            if !bare.is_empty() && !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        }
    }
}

/// With the provider's name before it, in the ways that the table writes it.
fn placed(provider: Option<&str>, bare: &str) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(provider) = provider {
        names.push(format!("{provider}/{bare}"));
        let (first, rest) = provider.split_once('/').unwrap_or((provider, ""));
        let renamed = |name: &str| PROVIDERS.iter().find(|(own, _)| *own == name);
        if let Some((_, first)) = renamed(first) {
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!("/{rest}")
            };
            names.push(format!("{first}{rest}/{bare}"));
        }
        if LOCAL.contains(&first) {
            return names;
        }
        let last = provider.rsplit('/').next().unwrap_or(provider);
        let last = renamed(last).map_or(last, |(_, name)| name);
        names.push(format!("{last}/{bare}"));
    }
    if bare.contains('@') {
        names.push(format!("vertex_ai/{bare}"));
    }
    names.push(bare.to_owned());
    let start = bare.to_ascii_lowercase();
    let maker = MAKERS.iter().find(|(family, _)| start.starts_with(family));
    names.extend(maker.map(|(_, maker)| format!("{maker}/{bare}")));
    names
}

/// One name in the ways in which it is written, the surest first.
fn spellings(bare: &str) -> Vec<String> {
    let mut spellings = vec![bare.to_owned()];
    if let Some((region, rest)) = bare.split_once('.')
        && REGIONS.contains(&region)
    {
        spellings.push(rest.to_owned());
    }
    spellings.extend(of_claude(bare).map(str::to_owned));
    if let Some((name, version)) = bare.split_once('@') {
        if version != "default" {
            spellings.push(format!("{name}-{version}"));
        }
        spellings.push(name.to_owned());
    }
    for undated in [false, true] {
        for at in 0..spellings.len() {
            let mut name = spellings[at].as_str();
            let mut others = Vec::new();
            if undated {
                while let Some(rest) = without_date(name) {
                    others.extend([rest.to_owned()].into_iter().chain(swapped(rest)));
                    name = rest;
                }
            } else {
                others.extend(swapped(name));
            }
            spellings.extend(others);
        }
    }
    spellings
}

/// Whether Anthropic made it.
pub(super) fn is_claude(name: &str) -> bool {
    of_claude(name).is_some()
}

/// Anthropic's own name of its model, of any name that it has elsewhere.
pub(super) fn of_claude(name: &str) -> Option<&str> {
    let bare = name.rsplit('/').next().unwrap_or(name);
    let name = match bare.split_once("anthropic.") {
        Some((_, name)) => without_bedrock_version(name),
        None => bare,
    };
    name.starts_with("claude-").then_some(name)
}

/// Without `-v1:0`.
fn without_bedrock_version(name: &str) -> &str {
    match name.rsplit_once("-v") {
        Some((rest, version))
            if version
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b':') =>
        {
            rest
        }
        _ => name,
    }
}

/// `claude-opus-4.6` and `claude-opus-4-6` are one model. Longer numbers are no versions.
fn swapped(name: &str) -> Option<String> {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let swap = |from: u8, to: u8| {
        let mut bytes = name.as_bytes().to_vec();
        for at in 1..bytes.len() {
            let alone = |middle: usize| {
                is_digit(bytes.get(middle))
                    && (middle == 0 || !is_digit(bytes.get(middle - 1)))
                    && !is_digit(bytes.get(middle + 1))
            };
            if bytes[at] == from && alone(at - 1) && alone(at + 1) {
                bytes[at] = to;
            }
        }
        // One ASCII character in the place of another.
        String::from_utf8(bytes)
            .ok()
            .filter(|swapped| swapped != name)
    };
    swap(b'.', b'-').or_else(|| swap(b'-', b'.'))
}

/// Without what says which edition of a model it is.
fn without_date(name: &str) -> Option<&str> {
    let ends = |pattern: &str| {
        let at = name.len().checked_sub(pattern.len())?;
        let (rest, end) = name.as_bytes().split_at(at);
        let fits = end
            .iter()
            .zip(pattern.as_bytes())
            .all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                _ => byte == expected,
            });
        (fits && !rest.is_empty()).then(|| name.get(..at))?
    };
    [
        "-20000000",
        "-2000-00-00",
        "-latest",
        "-preview-00-00",
        "-preview",
    ]
    .into_iter()
    .find_map(ends)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
