//! `config.toml`.

use anyhow::{Context as _, bail};
use clown_core::registry::{Address, RegistrySettings, VerifyingKey};
use clown_core::usage::{Rates, dollars};
use clown_events::Usd;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

/// What the file may hold. A key that is not here is an error that names it, with its line.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) listen: Option<String>,
    pub(crate) idle_timeout: Option<String>,
    pub(crate) journal: JournalConfig,
    pub(crate) limits: LimitsConfig,
    pub(crate) access: AccessConfig,
    pub(crate) network: NetworkConfig,
    pub(crate) registry: RegistryConfig,
    pub(crate) proxy: ProxyConfig,
    pub(crate) usage: UsageConfig,
    prices: BTreeMap<String, PriceConfig>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JournalConfig {
    pub(crate) keep_events: Option<u64>,
    pub(crate) keep_days: Option<u64>,
    pub(crate) max_bytes: Option<u64>,
    pub(crate) sync: Option<SyncConfig>,
}

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SyncConfig {
    Process,
    Power,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsConfig {
    pub(crate) connections: Option<usize>,
    pub(crate) message_bytes: Option<usize>,
    pub(crate) messages_per_second: Option<u32>,
    pub(crate) stall_secs: Option<u64>,
    pub(crate) handshake_secs: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AccessConfig {
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NetworkConfig {
    pub(crate) authorities: Vec<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProxyConfig {
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegistryConfig {
    pub(crate) url: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) sync: Option<RegistrySync>,
    pub(crate) timeout_secs: Option<u64>,
}

/// When the registry is synced without being asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RegistrySync {
    Daily,
    Never,
}

impl RegistryConfig {
    /// What the domain goes by; an error names the key that is wrong.
    pub(crate) fn settings(&self) -> anyhow::Result<RegistrySettings> {
        let defaults = RegistrySettings::default();
        let address = self.url.as_deref().map(Address::parse).transpose();
        let channel = self.channel.as_deref().map(str::parse).transpose();
        let key = self.public_key.as_deref().map(VerifyingKey::parse);
        Ok(RegistrySettings {
            address: address.context("registry.url")?,
            channel: channel
                .context("registry.channel")?
                .unwrap_or(defaults.channel),
            key: key.transpose().context("registry.public_key")?,
            timeout: self
                .timeout_secs
                .map_or(defaults.timeout, Duration::from_secs),
            ..defaults
        })
    }
}

/// How usage is counted.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UsageConfig {
    pub(crate) timezone: Option<String>,
    /// Agents whose own folders are counted, beside those of profiles.
    pub(crate) sources: Vec<String>,
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceConfig {
    input: Dollars,
    output: Dollars,
    cache_write: Option<Dollars>,
    cache_write_hour: Option<Dollars>,
    cache_read: Option<Dollars>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct Dollars(Usd);

impl TryFrom<f64> for Dollars {
    type Error = String;

    fn try_from(amount: f64) -> Result<Self, Self::Error> {
        let message = || {
            format!(
                "{amount} is no price: give US dollars for a million tokens, such as 0.25; 0 where it is free"
            )
        };
        dollars(amount).map(Self).ok_or_else(message)
    }
}

impl PriceConfig {
    fn rates(&self) -> Rates {
        let amount = |dollars: Option<Dollars>| dollars.map(|Dollars(amount)| amount);
        Rates {
            input: amount(Some(self.input)),
            output: amount(Some(self.output)),
            cache_write: amount(self.cache_write),
            cache_write_hour: amount(self.cache_write_hour),
            cache_read: amount(self.cache_read),
        }
    }
}

impl Config {
    /// The person's own prices, by model.
    pub(crate) fn prices(&self) -> BTreeMap<String, Rates> {
        let prices = self.prices.iter();
        prices
            .map(|(model, price)| (model.clone(), price.rates()))
            .collect()
    }

    /// The file at `path`; the defaults when there is none.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Self::parse(&text).with_context(|| format!("{} is not right", path.display()))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        // The error shows line and column, and the line itself.
        let config: Self = toml::from_str(text)
            .map_err(|error| anyhow::anyhow!("{}", error.to_string().trim_end()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        let limits = &self.limits;
        positive(
            "limits.connections",
            limits.connections.map(|count| count as u64),
            100_000,
        )?;
        positive(
            "limits.message_bytes",
            limits.message_bytes.map(|count| count as u64),
            16 << 20,
        )?;
        positive(
            "limits.messages_per_second",
            limits.messages_per_second.map(u64::from),
            1_000_000,
        )?;
        positive("limits.stall_secs", limits.stall_secs, 86_400)?;
        positive("limits.handshake_secs", limits.handshake_secs, 86_400)?;
        positive("journal.keep_events", self.journal.keep_events, u64::MAX)?;
        positive("journal.keep_days", self.journal.keep_days, 36_500)?;
        positive("journal.max_bytes", self.journal.max_bytes, u64::MAX)?;
        if let Some(path) = self
            .network
            .authorities
            .iter()
            .find(|path| !path.is_absolute())
        {
            bail!(
                "network.authorities has {}: give a full path",
                path.display()
            );
        }
        positive("registry.timeout_secs", self.registry.timeout_secs, 3_600)?;
        self.registry.settings()?;
        if let Some(zone) = &self.usage.timezone {
            clown_core::usage::Zone::named(zone).context("usage.timezone")?;
        }
        Ok(())
    }
}

fn positive(name: &str, value: Option<u64>, largest: u64) -> anyhow::Result<()> {
    match value {
        Some(value) if value == 0 || value > largest => {
            bail!("{name} is {value}: give a number from 1 to {largest}")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_key_is_known() {
        let config = Config::parse(
            r#"
            listen = "127.0.0.1:0"
            idle_timeout = "15m"
            [journal]
            keep_events = 10
            keep_days = 1
            max_bytes = 1000000
            sync = "power"
            [limits]
            connections = 10
            message_bytes = 1000
            messages_per_second = 5
            stall_secs = 3
            handshake_secs = 4
            [access]
            hosts = ["clown.internal"]
            origins = ["https://app.example"]
            [registry]
            url = "https://example.org/registry"
            channel = "stable"
            public_key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
            sync = "never"
            timeout_secs = 5
            [usage]
            timezone = "Europe/Berlin"
            sources = ["claude"]
            [prices."some-model"]
            input = 1.5
            output = 6
            cache_write = 1.875
            cache_write_hour = 3
            cache_read = 0.15
            "#,
        )
        .unwrap();
        assert_eq!(config.journal.sync, Some(SyncConfig::Power));
        assert_eq!(config.limits.stall_secs, Some(3));
        assert_eq!(config.access.hosts, ["clown.internal"]);
        let nanos = config.prices()["some-model"]
            .kinds()
            .map(|rate| rate.unwrap().nanos());
        assert_eq!(
            nanos,
            [
                1_500_000_000,
                6_000_000_000,
                1_875_000_000,
                3_000_000_000,
                150_000_000
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let check = |text: &str, parts: &[&str]| {
            let error = format!("{:#}", Config::parse(text).unwrap_err());
            for part in parts {
                assert!(error.contains(part), "{part:?} is not in {error}");
            }
        };
        check(
            "listen = \"x\"\nidel_timeout = \"1s\"\n",
            &["idel_timeout", "line 2"],
        );
        check("[journal]\nkeep = 1\n", &["keep", "line 2"]);
        check("[journals]\n", &["journals", "line 1"]);
        check(
            "[limits]\nconnections = 0\n",
            &["limits.connections", "1 to"],
        );
        check("[limits]\nconnections = \"many\"\n", &["line 2", "many"]);
        check("[journal]\nsync = \"never\"\n", &["never", "power"]);
        check(
            "[registry]\nurl = \"example.org\"\n",
            &["registry.url", "https://"],
        );
        check(
            "[registry]\nurl = \"https://me:secret@a.example\"\n",
            &["registry.url", "keep them out"],
        );
        check(
            "[registry]\nchannel = \"../x\"\n",
            &["registry.channel", "letters"],
        );
        check(
            "[registry]\npublic_key = \"abc\"\n",
            &["registry.public_key", "minisign"],
        );
        check("[registry]\nsync = \"hourly\"\n", &["hourly", "daily"]);
        check("[registry]\nkey = \"x\"\n", &["key", "line 2"]);
        check("listen = \n", &["line 1"]);
        let price = |more: &str| format!("[prices.\"a model\"]\ninput = 1\n{more}\n");
        check(
            &price("output = 2\ncache = 3"),
            &["cache", "line 4", "cache_write_hour"],
        );
        check(&price(""), &["line 1", "output"]);
        check(&price("output = -2"), &["line 3", "-2", "a million"]);
        check(&price("output = nan"), &["line 3", "no price"]);
        check(&price("output = \"2\""), &["line 3"]);
        check("[prices]\ninput = 1\n", &["line 2"]);
    }
}
