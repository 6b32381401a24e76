//! Where to connect, and with which credentials: from flags, the environment and `keyspaces.toml`.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::failure::Failure;

/// The settings of one source. Flags have the names of the keys in `keyspaces.toml`.
#[derive(Args, Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[command(next_help_heading = "Where to connect")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// AWS Region to connect to, or to sign for with --endpoint [env: KEYSPACES_REGION, AWS_REGION]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Endpoint to use instead of the Region's, such as a VPC endpoint [default port: 9142] [env: KEYSPACES_ENDPOINT]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) endpoint: Option<String>,
    /// Name in the endpoint's certificate [default: the Region's, else the host] [env: KEYSPACES_SERVER_NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// PEM file of root certificates to trust in addition to Amazon's [env: KEYSPACES_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// AWS profile with the credentials and the Region [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// User name of service-specific credentials; the password comes from KEYSPACES_PASSWORD [env: KEYSPACES_USER]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Ready file of the local Keyspaces to connect to [env: KEYSPACES_LOCAL_READY]
    #[arg(long, value_name = "READY.JSON")]
    pub(crate) local: Option<PathBuf>,
    /// Plain Cassandra to connect to [default port: 9042] [env: KEYSPACES_PLAIN_CASSANDRA]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) cassandra: Option<String>,
}

impl Settings {
    /// Fills in what flags do not set from the environment, then from `keyspaces.toml`.
    pub(crate) fn resolve(self) -> Result<Self, Failure> {
        let environment = Self::from_environment(|name| env::var(name).ok());
        let folder = env::current_dir()
            .map_err(|error| Failure::usage(format!("reading the current folder failed: {error}")))?;
        let file = Self::from_project_file(&folder)?;
        Self::merge([("the command line", self), ("the environment", environment), (FILE_NAME, file)])
    }

    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            region: value("KEYSPACES_REGION"),
            endpoint: value("KEYSPACES_ENDPOINT"),
            server_name: value("KEYSPACES_SERVER_NAME"),
            ca: value("KEYSPACES_CA").map(Into::into),
            profile: value("AWS_PROFILE"),
            user: value("KEYSPACES_USER"),
            local: value("KEYSPACES_LOCAL_READY").map(Into::into),
            cassandra: value("KEYSPACES_PLAIN_CASSANDRA"),
        }
    }

    /// Reads `keyspaces.toml` in the folder, or in the nearest folder above that has one.
    fn from_project_file(folder: &Path) -> Result<Self, Failure> {
        let Some(path) = folder.ancestors().map(|folder| folder.join(FILE_NAME)).find(|path| path.is_file()) else {
            return Ok(Self::default());
        };
        let failure = |problem: String| Failure::usage(format!("reading {} failed: {problem}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| failure(error.to_string()))?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| failure(error.to_string()))?;
        // A path in the file is relative to the file.
        for file in settings.ca.iter_mut().chain(&mut settings.local) {
            *file = path.with_file_name("").join(&*file);
        }
        Ok(settings)
    }

    /// Takes all settings of the target from the first source that names one, so that the endpoint of one source is never
    /// combined with the certificate of another. Only the Region to sign for may come from a later source.
    fn merge(sources: [(&str, Self); 3]) -> Result<Self, Failure> {
        for (source, settings) in &sources {
            settings.validate(source)?;
        }
        let first = |field: fn(&Self) -> Option<&String>| sources.iter().find_map(|(_, source)| field(source)).cloned();
        let (profile, user) = (first(|source| source.profile.as_ref()), first(|source| source.user.as_ref()));
        let region = first(|source| source.region.as_ref());
        let target =
            sources.iter().map(|(_, source)| source).find(|source| source.names_target()).cloned().unwrap_or_default();
        let region = target.region.clone().or_else(|| region.filter(|_| target.endpoint.is_some()));
        Ok(Self { region, profile, user, ..target })
    }

    fn names_target(&self) -> bool {
        self.region.is_some() || self.endpoint.is_some() || self.local.is_some() || self.cassandra.is_some()
    }

    fn validate(&self, source: &str) -> Result<(), Failure> {
        let named = [
            ("endpoint", self.endpoint.is_some()),
            ("local", self.local.is_some()),
            ("cassandra", self.cassandra.is_some()),
        ];
        let named: Vec<&str> = named.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect();
        if named.len() > 1 {
            let named = named.join(" and ");
            return Err(Failure::usage(format!(
                "{source} names more than one service to connect to: {named}. Keep one"
            )));
        }
        if self.region.is_some() && (self.local.is_some() || self.cassandra.is_some()) {
            let problem =
                format!("{source} sets a region as well as {}, which has its own. Remove one of them", named[0]);
            return Err(Failure::usage(problem));
        }
        Ok(())
    }
}

const FILE_NAME: &str = "keyspaces.toml";

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    fn merged(flags: &str, environment: &str, file: &str) -> Settings {
        let sources = [("flags", settings(flags)), ("environment", settings(environment)), ("file", settings(file))];
        Settings::merge(sources).unwrap()
    }

    #[test]
    fn connection_target_comes_entirely_from_the_first_source_naming_one() {
        let target = merged("", "endpoint = 'a'\nserver-name = 'b'", "local = 'ready.json'\nca = 'c'");
        assert_eq!(target, settings("endpoint = 'a'\nserver-name = 'b'"));
        let target = merged("region = 'eu-west-1'", "endpoint = 'a'", "ca = 'c'");
        assert_eq!(target, settings("region = 'eu-west-1'"));
    }

    #[test]
    fn identity_and_region_may_come_from_later_settings_sources() {
        let target = merged("endpoint = 'a'", "user = 'u'", "region = 'eu-west-1'\nuser = 'v'\nprofile = 'p'");
        assert_eq!(target, settings("endpoint = 'a'\nregion = 'eu-west-1'\nuser = 'u'\nprofile = 'p'"));
        assert_eq!(merged("local = 'r'", "", "region = 'eu-west-1'"), settings("local = 'r'"));
    }

    #[test]
    fn settings_with_two_connection_targets_are_refused() {
        let error = |text| settings(text).validate("keyspaces.toml").unwrap_err().to_string();
        assert_eq!(
            error("endpoint = 'a'\nlocal = 'b'"),
            "keyspaces.toml names more than one service to connect to: endpoint and local. Keep one"
        );
        assert_eq!(
            error("region = 'a'\nlocal = 'b'"),
            "keyspaces.toml sets a region as well as local, which has its own. Remove one of them"
        );
    }

    #[test]
    fn nearest_project_file_is_read_and_its_paths_are_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join("keyspaces.toml"), "local = 'ready.json'").unwrap();
        let found = Settings::from_project_file(&inner).unwrap();
        assert_eq!(found.local, Some(folder.path().join("ready.json")));
        std::fs::write(inner.join("keyspaces.toml"), "password = 'x'").unwrap();
        let refused = Settings::from_project_file(&inner).unwrap_err().to_string();
        assert!(refused.contains("unknown field `password`, expected one of `region`, `endpoint`"), "{refused}");
    }
}
