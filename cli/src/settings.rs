//! Where to connect and as whom, from flags, the environment and `keyspaces.toml`.

use std::env;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use crate::failure::Failure;

/// The settings of one source. Flags are named as the keys of `keyspaces.toml` are.
#[derive(Args, Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[command(next_help_heading = "Where to connect")]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// AWS Region: at its standard endpoint unless --endpoint is given [env: KEYSPACES_REGION, AWS_REGION]
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Another endpoint, such as a VPC endpoint; without a port, 9142 [env: KEYSPACES_ENDPOINT]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) endpoint: Option<String>,
    /// Name that the endpoint's certificate carries [default: the Region's, else the host] [env: KEYSPACES_SERVER_NAME]
    #[arg(long, value_name = "NAME")]
    pub(crate) server_name: Option<String>,
    /// PEM file with roots to trust beside Amazon's [env: KEYSPACES_CA]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Profile of the AWS configuration, for credentials and Region [env: AWS_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// User of service-specific credentials; the password is in KEYSPACES_PASSWORD [env: KEYSPACES_USER]
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Ready file of a local Keyspaces [env: KEYSPACES_LOCAL_READY]
    #[arg(long, value_name = "READY.JSON")]
    pub(crate) local: Option<PathBuf>,
    /// A plain Cassandra; without a port, 9042 [env: KEYSPACES_PLAIN_CASSANDRA]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) cassandra: Option<String>,
}

impl Settings {
    /// What flags leave open is taken from the environment, then from `keyspaces.toml`.
    pub(crate) fn complete(self) -> Result<Self, Failure> {
        let environment = Self::from_environment(|name| env::var(name).ok());
        let folder = env::current_dir()
            .map_err(|error| Failure::usage(format!("finding the current folder failed: {error}")))?;
        let file = Self::from_project(&folder)?;
        Self::merge([("the command line", self), ("the environment", environment), (FILE, file)])
    }

    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        Self {
            region: set("KEYSPACES_REGION"),
            endpoint: set("KEYSPACES_ENDPOINT"),
            server_name: set("KEYSPACES_SERVER_NAME"),
            ca: set("KEYSPACES_CA").map(Into::into),
            profile: set("AWS_PROFILE"),
            user: set("KEYSPACES_USER"),
            local: set("KEYSPACES_LOCAL_READY").map(Into::into),
            cassandra: set("KEYSPACES_PLAIN_CASSANDRA"),
        }
    }

    /// The `keyspaces.toml` of the folder or the nearest one above it.
    fn from_project(folder: &Path) -> Result<Self, Failure> {
        let Some(path) = folder.ancestors().map(|folder| folder.join(FILE)).find(|path| path.is_file()) else {
            return Ok(Self::default());
        };
        let wrong = |problem: String| Failure::usage(format!("reading {} failed: {problem}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let mut settings: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        // A path in the file is relative to the file.
        for file in settings.ca.iter_mut().chain(&mut settings.local) {
            *file = path.with_file_name("").join(&*file);
        }
        Ok(settings)
    }

    /// The place is taken whole from the first source that names one, so that no endpoint of one source is combined with the
    /// certificate of another. Only the Region to sign for may come from a later one.
    fn merge(sources: [(&str, Self); 3]) -> Result<Self, Failure> {
        for (source, settings) in &sources {
            settings.check(source)?;
        }
        let first = |of: fn(&Self) -> Option<&String>| sources.iter().find_map(|(_, it)| of(it)).cloned();
        let (profile, user) = (first(|it| it.profile.as_ref()), first(|it| it.user.as_ref()));
        let region = first(|it| it.region.as_ref());
        let place = sources.iter().map(|(_, it)| it).find(|it| it.names_a_place()).cloned().unwrap_or_default();
        let region = place.region.clone().or_else(|| region.filter(|_| place.endpoint.is_some()));
        Ok(Self { region, profile, user, ..place })
    }

    fn names_a_place(&self) -> bool {
        self.region.is_some() || self.endpoint.is_some() || self.local.is_some() || self.cassandra.is_some()
    }

    fn check(&self, source: &str) -> Result<(), Failure> {
        let named = [
            ("endpoint", self.endpoint.is_some()),
            ("local", self.local.is_some()),
            ("cassandra", self.cassandra.is_some()),
        ];
        let named: Vec<&str> = named.into_iter().filter_map(|(name, is_set)| is_set.then_some(name)).collect();
        if named.len() > 1 {
            let named = named.join(" and ");
            return Err(Failure::usage(format!("{source} names more than one place to connect to: {named}. Name one")));
        }
        if self.region.is_some() && (self.local.is_some() || self.cassandra.is_some()) {
            let problem = format!("{source} gives a region beside {}, which has its own. Leave one out", named[0]);
            return Err(Failure::usage(problem));
        }
        Ok(())
    }
}

const FILE: &str = "keyspaces.toml";

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
    fn the_first_source_that_names_a_place_gives_all_of_it() {
        let place = merged("", "endpoint = 'a'\nserver-name = 'b'", "local = 'ready.json'\nca = 'c'");
        assert_eq!(place, settings("endpoint = 'a'\nserver-name = 'b'"));
        let place = merged("region = 'eu-west-1'", "endpoint = 'a'", "ca = 'c'");
        assert_eq!(place, settings("region = 'eu-west-1'"));
    }

    #[test]
    fn who_connects_and_the_region_of_an_endpoint_may_come_from_a_later_source() {
        let place = merged("endpoint = 'a'", "user = 'u'", "region = 'eu-west-1'\nuser = 'v'\nprofile = 'p'");
        assert_eq!(place, settings("endpoint = 'a'\nregion = 'eu-west-1'\nuser = 'u'\nprofile = 'p'"));
        assert_eq!(merged("local = 'r'", "", "region = 'eu-west-1'"), settings("local = 'r'"));
    }

    #[test]
    fn two_places_in_one_source_are_refused() {
        let refused = |text| settings(text).check("keyspaces.toml").unwrap_err().to_string();
        assert_eq!(
            refused("endpoint = 'a'\nlocal = 'b'"),
            "keyspaces.toml names more than one place to connect to: endpoint and local. Name one"
        );
        assert_eq!(
            refused("region = 'a'\nlocal = 'b'"),
            "keyspaces.toml gives a region beside local, which has its own. Leave one out"
        );
    }

    #[test]
    fn the_file_of_the_nearest_folder_is_read_and_its_paths_are_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(folder.path().join("keyspaces.toml"), "local = 'ready.json'").unwrap();
        let found = Settings::from_project(&inner).unwrap();
        assert_eq!(found.local, Some(folder.path().join("ready.json")));
        std::fs::write(inner.join("keyspaces.toml"), "password = 'x'").unwrap();
        let refused = Settings::from_project(&inner).unwrap_err().to_string();
        assert!(refused.contains("unknown field `password`, expected one of `region`, `endpoint`"), "{refused}");
    }
}
