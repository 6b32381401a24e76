//! The environment variables and the programs of the machine.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The relevant environment variables, read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KEYSPACES_LOCAL_CASSANDRA`: the address of a running Cassandra.
    pub(crate) cassandra: Option<String>,
    /// `PATH`: the directories of programs.
    pub(crate) path: OsString,
    /// `JAVA_HOME`, whose Java takes precedence over the one on the `PATH`.
    pub(crate) java_home: Option<PathBuf>,
    /// The directory that keeps downloads between runs: `KEYSPACES_LOCAL_CACHE`, or `keyspaces-local` in
    /// `XDG_CACHE_HOME` or in `~/.cache`.
    pub(crate) cache: Option<PathBuf>,
}

impl Environment {
    /// An empty variable counts as unset.
    pub(crate) fn from_environment() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let user_cache = || {
            let cache = set("XDG_CACHE_HOME").map(PathBuf::from);
            Some(cache.or_else(|| Some(env::home_dir()?.join(".cache")))?.join("keyspaces-local"))
        };
        Self {
            cassandra: set("KEYSPACES_LOCAL_CASSANDRA").map(|value| value.to_string_lossy().into_owned()),
            path: set("PATH").unwrap_or_default(),
            java_home: set("JAVA_HOME").map(PathBuf::from),
            cache: set("KEYSPACES_LOCAL_CACHE").map(PathBuf::from).or_else(user_cache),
        }
    }

    /// The path of a program on the `PATH`.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = env::split_paths(&self.path).filter(|directory| directory.is_absolute());
        directories.map(|directory| directory.join(name)).find(|path| is_program(path))
    }

    /// The Java of `JAVA_HOME`, otherwise the one on the `PATH`.
    pub(crate) fn java(&self) -> Option<PathBuf> {
        let home = self.java_home.as_ref().map(|home| home.join("bin").join("java"));
        home.filter(|path| is_program(path)).or_else(|| self.program("java"))
    }
}

fn is_program(path: &Path) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    #[cfg(unix)]
    let executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
    #[cfg(not(unix))]
    let executable = true;
    metadata.is_file() && executable
}
