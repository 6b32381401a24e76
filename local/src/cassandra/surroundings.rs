//! What the machine and the environment offer.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the environment says, taken once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KEYSPACES_LOCAL_CASSANDRA`: the address of a Cassandra that is there.
    pub(crate) given: Option<String>,
    /// `PATH`: where programs are.
    pub(crate) path: OsString,
    /// `JAVA_HOME`, whose Java comes before the one on the `PATH`.
    pub(crate) java_home: Option<PathBuf>,
    /// Where downloads are kept between runs: `KEYSPACES_LOCAL_CACHE`, or `keyspaces-local` in `XDG_CACHE_HOME` or in
    /// `~/.cache`.
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
            given: set("KEYSPACES_LOCAL_CASSANDRA").map(|value| value.to_string_lossy().into_owned()),
            path: set("PATH").unwrap_or_default(),
            java_home: set("JAVA_HOME").map(PathBuf::from),
            cache: set("KEYSPACES_LOCAL_CACHE").map(PathBuf::from).or_else(user_cache),
        }
    }

    /// Where on the `PATH` a program is.
    pub(crate) fn program(&self, name: &str) -> Option<PathBuf> {
        let directories = env::split_paths(&self.path).filter(|directory| directory.is_absolute());
        directories.map(|directory| directory.join(name)).find(|path| is_program(path))
    }

    /// `JAVA_HOME`'s Java, or the one on the `PATH`.
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
