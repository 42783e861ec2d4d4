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
        // What cargo says of this test's own package: it looks to a dependency's build script like a
        // change of its settings, and everything above that would be built anew each time.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&*name);
            }
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
