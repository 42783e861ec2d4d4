use crate::cli::GlobalArgs;
use anyhow::Context as _;
use std::ffi::OsString;
use std::path::PathBuf;

/// The two folders, as absolute paths.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) config_dir: PathBuf,
    pub(crate) state_dir: PathBuf,
}

impl Places {
    /// From the flags, else the environment, else the defaults.
    pub(crate) fn resolve(args: &GlobalArgs) -> anyhow::Result<Self> {
        Self::resolve_with(args, |name| std::env::var_os(name))
    }

    fn resolve_with(
        args: &GlobalArgs,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> anyhow::Result<Self> {
        let folder = |given: Option<&PathBuf>, flag: &str, xdg: &str, below_home: &str| {
            if let Some(dir) = given.filter(|dir| !dir.as_os_str().is_empty()) {
                return std::path::absolute(dir)
                    .with_context(|| format!("cannot use {} for {flag}", dir.display()));
            }
            // The XDG specification says to ignore relative paths.
            let base = env(xdg).map(PathBuf::from).filter(|dir| dir.is_absolute());
            let base = match base {
                Some(base) => base,
                None => env("HOME")
                    .map(PathBuf::from)
                    .filter(|home| home.is_absolute())
                    .with_context(|| format!("HOME is not set; say where to look with {flag}"))?
                    .join(below_home),
            };
            Ok(base.join("clown"))
        };
        Ok(Self {
            config_dir: folder(
                args.config_dir.as_ref(),
                "--config-dir",
                "XDG_CONFIG_HOME",
                ".config",
            )?,
            state_dir: folder(
                args.state_dir.as_ref(),
                "--state-dir",
                "XDG_STATE_HOME",
                ".local/state",
            )?,
        })
    }

    /// The file that people own and that defines a profile.
    pub(crate) fn profile_file(&self, alias: &str) -> PathBuf {
        self.config_dir
            .join("profiles")
            .join(format!("{alias}.toml"))
    }

    pub(crate) fn log_file(&self) -> PathBuf {
        self.state_dir.join("clownd.log")
    }

    pub(crate) fn daemon_file(&self) -> PathBuf {
        self.state_dir.join("daemon.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: Option<&str>, env: &[(&str, &str)], expected: Option<&str>) {
        let args = GlobalArgs {
            daemon: None,
            token_file: None,
            config_dir: given.map(PathBuf::from),
            state_dir: Some("/s".into()),
            no_start: false,
            json: false,
        };
        let places = Places::resolve_with(&args, |name| {
            env.iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        });
        let config_dir = places.ok().map(|places| places.config_dir);
        assert_eq!(config_dir, expected.map(PathBuf::from), "{given:?} {env:?}");
    }

    #[test]
    fn folders() {
        check(Some("/c"), &[("HOME", "/h")], Some("/c"));
        check(None, &[("HOME", "/h")], Some("/h/.config/clown"));
        check(Some(""), &[("HOME", "/h")], Some("/h/.config/clown"));
        check(
            None,
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
            Some("/x/clown"),
        );
        check(
            None,
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")],
            Some("/h/.config/clown"),
        );
        check(None, &[("XDG_CONFIG_HOME", "/x")], Some("/x/clown"));
        check(None, &[], None);
        check(None, &[("HOME", "")], None);
    }
}
