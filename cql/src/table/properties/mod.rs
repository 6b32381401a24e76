//! The options of a table as values. Each option is printed and read by the same code.

mod auto_scaling;
mod capacity;
mod error;
mod features;
mod property;
mod setting;
pub(super) mod tags;

use std::collections::{BTreeMap, HashSet};

pub use auto_scaling::{AutoScaling, CapacityScaling, TargetTracking};
pub use capacity::{CapacityMode, ReplicaCapacity, WarmThroughput};
pub use error::{PropertyError, PropertyProblem};
pub use features::{Cdc, CdcView, ClientSideTimestamps, Encryption, PointInTimeRecovery, StreamTags, Ttl};
pub(crate) use property::compare;
pub use property::{RestoreOverride, TableProperty};
pub use tags::Tags;
pub(crate) use tags::{differing, read_dropped_tags, read_tags, tags_option, tags_term};

use super::or_first_error;
use crate::statement::WithOption;
use crate::{Name, Span, Statement, parse, rules};
use setting::Setting;

/// The options of a table. `None` means that an option is not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableOptions {
    /// The capacity mode. Default: on demand.
    pub capacity_mode: Option<CapacityMode>,
    /// The units a second that the table can serve without scaling up first.
    pub warm_throughput: Option<WarmThroughput>,
    /// Whether the table can be restored to an earlier moment. Default: disabled.
    pub point_in_time_recovery: Option<PointInTimeRecovery>,
    /// The key that encrypts the table. Default: a key that the service owns.
    pub encryption: Option<Encryption>,
    /// Whether clients may set the timestamps of their writes.
    pub client_side_timestamps: Option<ClientSideTimestamps>,
    /// Whether rows may have a time to live.
    pub ttl: Option<Ttl>,
    /// The read capacity of single Regions.
    pub replica_capacity: Option<ReplicaCapacity>,
    /// The CDC stream of the table. Default: none.
    pub cdc: Option<Cdc>,
    /// The tags of the CDC stream.
    pub stream_tags: Option<StreamTags>,
    /// The time to live, in seconds, of writes without one of their own; 0 is none.
    pub default_time_to_live: Option<u32>,
    /// The auto scaling of the provisioned capacity.
    pub auto_scaling: Option<AutoScaling>,
    /// The tags of the table.
    pub tags: Option<Tags>,
    /// A comment, which the service stores and does not interpret.
    pub comment: Option<String>,
    /// Cassandra's options that Keyspaces accepts and ignores, as they were written.
    pub ignored: Vec<WithOption>,
}

impl TableOptions {
    /// Sets one more option, which replaces its earlier value. The parts that the new value does not set are kept: the
    /// other side of a [`WarmThroughput`], the sides and Regions of an [`AutoScaling`], the Regions of a
    /// [`ReplicaCapacity`].
    #[must_use]
    pub fn and(mut self, property: impl Into<TableProperty>) -> Self {
        self.set(property.into());
        self
    }

    fn set(&mut self, property: TableProperty) {
        match property {
            TableProperty::CapacityMode(mode) => self.capacity_mode = Some(mode),
            TableProperty::WarmThroughput(throughput) => {
                self.warm_throughput = Some(throughput.or_previous(self.warm_throughput));
            }
            TableProperty::PointInTimeRecovery(recovery) => self.point_in_time_recovery = Some(recovery),
            TableProperty::Encryption(encryption) => self.encryption = Some(encryption),
            TableProperty::ClientSideTimestamps(timestamps) => self.client_side_timestamps = Some(timestamps),
            TableProperty::Ttl(ttl) => self.ttl = Some(ttl),
            TableProperty::ReplicaCapacity(replicas) => self.replica_capacity.get_or_insert_default().extend(replicas),
            TableProperty::Cdc(cdc) => self.cdc = Some(cdc),
            TableProperty::StreamTags(tags) => self.stream_tags = Some(tags),
            TableProperty::DefaultTimeToLive(seconds) => self.default_time_to_live = Some(seconds),
            TableProperty::AutoScaling(scaling) => {
                self.auto_scaling = Some(scaling.or_previous(self.auto_scaling.take()))
            }
            TableProperty::Tags(tags) => self.tags = Some(tags),
            TableProperty::Comment(comment) => self.comment = Some(comment),
            TableProperty::Ignored(option) => {
                self.ignored.retain(|existing| existing.name.text != option.name.text);
                self.ignored.push(option);
            }
        }
    }

    /// The options after an ALTER TABLE that sets `property`. A default time to live turns TTL on.
    ///
    /// # Errors
    ///
    /// The CDC stream is on, and its view type would change.
    pub fn changed(self, property: TableProperty) -> Result<Self, PropertyError> {
        match (&property, self.cdc) {
            (TableProperty::Cdc(Cdc::On(view)), Some(Cdc::On(current))) if *view != current => {
                Err(PropertyError::refused(Span::default(), &rules::CDC_VIEW))
            }
            (TableProperty::DefaultTimeToLive(1..), _) => Ok(self.and(property).and(Ttl::Enabled)),
            _ => Ok(self.and(property)),
        }
    }

    /// Changes the tags of the CDC stream, which are then no longer those of the table.
    pub(in crate::table) fn change_stream_tags(&mut self, change: impl FnOnce(&mut Tags)) {
        let mut own = match self.stream_tags.take() {
            Some(StreamTags::Own(tags)) => tags,
            Some(StreamTags::SameAsTable) => self.tags.clone().unwrap_or_default(),
            None => Tags::new(),
        };
        change(&mut own);
        self.stream_tags = Some(StreamTags::Own(own));
    }

    /// The options one by one, in the order in which they are printed.
    #[must_use]
    pub fn properties(&self) -> Vec<TableProperty> {
        // Destructures without `..`, so that an option that is not printed here does not compile.
        let Self {
            capacity_mode,
            warm_throughput,
            point_in_time_recovery,
            encryption,
            client_side_timestamps,
            ttl,
            replica_capacity,
            cdc,
            stream_tags,
            default_time_to_live,
            auto_scaling,
            tags,
            comment,
            ignored,
        } = self;
        let mut properties = Vec::new();
        properties.extend(capacity_mode.map(TableProperty::CapacityMode));
        properties.extend(warm_throughput.map(TableProperty::WarmThroughput));
        properties.extend(point_in_time_recovery.map(TableProperty::PointInTimeRecovery));
        properties.extend(encryption.clone().map(TableProperty::Encryption));
        properties.extend(client_side_timestamps.map(TableProperty::ClientSideTimestamps));
        properties.extend(ttl.map(TableProperty::Ttl));
        properties.extend(replica_capacity.clone().map(TableProperty::ReplicaCapacity));
        properties.extend(cdc.map(TableProperty::Cdc));
        properties.extend(stream_tags.clone().map(TableProperty::StreamTags));
        properties.extend(auto_scaling.clone().map(TableProperty::AutoScaling));
        properties.extend(default_time_to_live.map(TableProperty::DefaultTimeToLive));
        properties.extend(tags.clone().map(TableProperty::Tags));
        properties.extend(comment.clone().map(TableProperty::Comment));
        properties.extend(ignored.iter().cloned().map(TableProperty::Ignored));
        properties
    }

    /// Whether rows of the table may expire.
    pub(crate) fn has_ttl(&self) -> bool {
        self.ttl.is_some() || matches!(self.default_time_to_live, Some(1..))
    }

    /// The options after `WITH`, without the clustering order.
    #[must_use]
    pub fn with_options(&self) -> Vec<WithOption> {
        let mut options = Vec::new();
        if let Some(cdc) = self.cdc {
            options.push(with("cdc", &Setting::unquoted(cdc != Cdc::Off)));
        }
        let custom = self.custom_settings();
        if !custom.is_empty() {
            options.push(with(CUSTOM_PROPERTIES, &Setting::map(custom)));
        }
        options.extend(self.auto_scaling.as_ref().map(|scaling| with(AUTO_SCALING, &scaling.setting())));
        options.extend(self.default_time_to_live.map(|seconds| with(DEFAULT_TTL, &Setting::unquoted(seconds))));
        options.extend(self.tags.as_ref().and_then(tags_option));
        options.extend(self.comment.as_ref().map(|comment| with("comment", &Setting::text(comment))));
        options.extend(self.ignored.iter().cloned());
        options
    }

    /// Reads the options after `WITH`.
    ///
    /// # Errors
    ///
    /// A rule refuses an option, or it is not known whether Keyspaces has it. The first such option is reported.
    pub fn read(options: &[WithOption]) -> Result<Self, PropertyError> {
        or_first_error(|report| Self::examine(options, report))
    }

    /// Reads the options after `WITH` as far as possible, and reports every error to `report`.
    pub(crate) fn examine(options: &[WithOption], report: &mut dyn FnMut(PropertyError)) -> Self {
        let mut read = Self::default();
        let mut view = None;
        let mut names = HashSet::new();
        for option in options {
            if !names.insert(option.name.text.as_str()) {
                report(PropertyError::unknown(option.span, format!("the option {} twice", option.name)));
            }
            if let Err(error) = read.read_option(option, &mut view, report) {
                report(error);
            }
        }
        if let (Some(view), Some(Cdc::On(_)) | None) = (view, read.cdc) {
            read.cdc = Some(Cdc::On(view));
        }
        read
    }

    fn read_option(
        &mut self,
        option: &WithOption,
        view: &mut Option<CdcView>,
        report: &mut dyn FnMut(PropertyError),
    ) -> Result<(), PropertyError> {
        match option.name.text.as_str() {
            CUSTOM_PROPERTIES => {
                let custom = Setting::from_term(&option.value)?;
                let mut names = HashSet::new();
                for (name, setting) in custom.entries("custom properties")? {
                    let word = name.word("a custom property")?.to_ascii_lowercase();
                    if names.contains(&word) {
                        report(PropertyError::unknown(name.span, format!("the custom property {word} twice")));
                    }
                    if let Err(error) = self.read_custom(&word, name.span, setting, view) {
                        report(error);
                    }
                    names.insert(word);
                }
            }
            _ if crate::allowed::is_ignored(option) => self.set(TableProperty::Ignored(without_spans(option))),
            "cdc" => {
                let on = Setting::from_term(&option.value)?.is_true("cdc")?;
                self.cdc = Some(if on { Cdc::On(CdcView::default()) } else { Cdc::Off });
            }
            AUTO_SCALING => self.auto_scaling = Some(AutoScaling::read(&Setting::from_term(&option.value)?)?),
            DEFAULT_TTL => self.default_time_to_live = Some(seconds(&Setting::from_term(&option.value)?)?),
            "tags" => self.tags = Some(read_tags(&option.value)?),
            "comment" => self.comment = Some(Setting::from_term(&option.value)?.word("comment")?.to_owned()),
            name => return Err(PropertyError::unknown(option.span, format!("the option {name} of a table"))),
        }
        Ok(())
    }

    fn read_custom(
        &mut self,
        word: &str,
        span: Span,
        setting: &Setting,
        view: &mut Option<CdcView>,
    ) -> Result<(), PropertyError> {
        if word == "cdc_specification" {
            let (stream_view, tags) = features::read_stream(setting)?;
            *view = stream_view;
            self.stream_tags = tags;
        } else {
            self.set(custom_property(word, span, setting)?);
        }
        Ok(())
    }

    /// The options as `custom_properties` of a row in `system_schema_mcs.tables` shows them: all values are text.
    #[must_use]
    pub fn custom_properties(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let settings =
            self.custom_settings().into_iter().map(|(name, setting)| (name.to_owned(), setting.to_system_table()));
        settings.collect()
    }

    /// Reads `custom_properties` of a row in `system_schema_mcs.tables`. Unknown entries are ignored, because the service
    /// may show more than it accepts.
    #[must_use]
    pub fn from_custom_properties(row: &BTreeMap<String, BTreeMap<String, String>>) -> Self {
        let mut read = Self::default();
        for (name, entries) in row {
            let setting = Setting::from_system_table(entries);
            let disabled =
                entries.get("status").is_some_and(|status| status.to_ascii_lowercase().starts_with("disabl"));
            if name == "cdc_specification" {
                let (view, tags) = features::read_stream(&setting).unwrap_or_default();
                read.cdc = Some(if disabled { Cdc::Off } else { Cdc::On(view.unwrap_or_default()) });
                read.stream_tags = tags;
            } else if let Ok(property) = custom_property(name, Span::default(), &setting) {
                read = read.and(property);
            }
        }
        read
    }

    fn custom_settings(&self) -> Vec<(&'static str, Setting)> {
        // Destructures without `..`, so that an option that neither this function nor `with_options` prints does not
        // compile.
        let Self {
            capacity_mode,
            warm_throughput,
            point_in_time_recovery,
            encryption,
            client_side_timestamps,
            ttl,
            replica_capacity,
            cdc,
            stream_tags,
            // Printed by `with_options`.
            default_time_to_live: _,
            auto_scaling: _,
            tags: _,
            comment: _,
            ignored: _,
        } = self;
        let mut custom = Vec::new();
        custom.extend(capacity_mode.map(|mode| ("capacity_mode", mode.setting())));
        custom.extend(warm_throughput.map(|throughput| ("warm_throughput", throughput.setting())));
        custom.extend(point_in_time_recovery.map(|recovery| (features::RECOVERY, recovery.setting())));
        custom.extend(encryption.as_ref().map(|key| ("encryption_specification", key.setting())));
        custom.extend(client_side_timestamps.map(|_| ("client_side_timestamps", features::status(true))));
        custom.extend(ttl.map(|_| ("ttl", features::status(true))));
        custom.extend(
            replica_capacity.as_ref().map(|replicas| ("replica_updates", capacity::replicas_setting(replicas))),
        );
        let view = match cdc {
            Some(Cdc::On(view)) => Some(*view),
            _ => None,
        };
        if view.is_some() || stream_tags.is_some() {
            custom.push(("cdc_specification", features::stream_setting(view, stream_tags.as_ref())));
        }
        custom
    }
}

fn custom_property(name: &str, span: Span, setting: &Setting) -> Result<TableProperty, PropertyError> {
    Ok(match name {
        "capacity_mode" => CapacityMode::read(setting)?.into(),
        "warm_throughput" => WarmThroughput::read(setting)?.into(),
        features::RECOVERY => PointInTimeRecovery::read(setting)?.into(),
        "encryption_specification" => Encryption::read(setting)?.into(),
        "client_side_timestamps" => {
            features::read_irreversible(setting, name, &rules::TIMESTAMPS_DISABLED)?;
            ClientSideTimestamps::Enabled.into()
        }
        "ttl" => {
            features::read_irreversible(setting, name, &rules::TTL_DISABLED)?;
            Ttl::Enabled.into()
        }
        "replica_updates" => TableProperty::ReplicaCapacity(capacity::read_replicas(setting)?),
        other => return Err(PropertyError::unknown(span, format!("the custom property {other}"))),
    })
}

fn seconds(setting: &Setting) -> Result<u32, PropertyError> {
    let seconds = u32::try_from(setting.units(DEFAULT_TTL)?).ok();
    let possible = seconds.filter(|seconds| u64::from(*seconds) <= rules::MAX_TTL_SECONDS);
    possible.ok_or_else(|| PropertyError::refused(setting.span, &rules::TTL_TOO_LONG))
}

fn with(name: &str, value: &Setting) -> WithOption {
    WithOption { name: Name::new(name), value: value.to_term(), span: Span::default() }
}

/// The option without its place in the text.
fn without_spans(option: &WithOption) -> WithOption {
    use crate::tree::Tree;
    let mut stripped = option.clone();
    stripped.spans(&mut |span| *span = Span::default());
    stripped
}

/// Parses a map as CQL writes it.
fn parsed(text: &str) -> Result<Setting, PropertyError> {
    let nested = || PropertyError::unknown(Span::default(), format!("the setting {text}"));
    match parse(&format!("ALTER KEYSPACE k WITH x = {text}")) {
        Ok(Statement::AlterKeyspace(alter)) => match alter.change {
            crate::statement::AlterKeyspaceChange::With(options) => match options.as_slice() {
                [option] => Setting::from_term(&without_spans(option).value),
                _ => Err(nested()),
            },
            _ => Err(nested()),
        },
        _ => Err(nested()),
    }
}

const CUSTOM_PROPERTIES: &str = "custom_properties";
const AUTO_SCALING: &str = "autoscaling_settings";
const DEFAULT_TTL: &str = "default_time_to_live";
