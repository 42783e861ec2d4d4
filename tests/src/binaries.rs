use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The programs under test.
#[derive(Debug)]
pub struct Binaries {
    pub clown: PathBuf,
    pub clownd: PathBuf,
    /// Cargo's target folder.
    pub target: PathBuf,
}

/// Builds the programs once, so that no test ever runs old ones.
///
/// # Panics
/// When they do not build.
pub fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| {
        let test = std::env::current_exe().expect("the test is a file");
        // <target>/<profile>/deps/<test>
        let profile = test
            .ancestors()
            .nth(2)
            .expect("cargo put the test two folders deep");
        let release = profile.file_name().is_some_and(|name| name == "release");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([
            "build", "--quiet", "--locked", "-p", "clownd", "-p", "clown",
        ]);
        if release {
            cargo.arg("--release");
        }
        let built = cargo
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "clown and clownd do not build");
        Binaries {
            clown: profile.join("clown"),
            clownd: profile.join("clownd"),
            target: profile
                .parent()
                .expect("a profile is in the target folder")
                .to_owned(),
        }
    })
}
