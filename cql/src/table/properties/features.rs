//! Features of the service that can be enabled for a table.

use std::collections::BTreeMap;

use super::setting::Setting;
use super::{PropertyError, Tags};
use crate::Rule;
use crate::rules;
use crate::table::RestorePoint;

/// Whether a table can be restored to any second of the last 35 days (`DG:PointInTimeRecovery`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum PointInTimeRecovery {
    /// The table cannot be restored. The data stored for restores is lost.
    #[default]
    Disabled,
    /// The table can be restored to any moment since this was enabled.
    Enabled,
}

/// Client-side timestamps (`DG:client-side-timestamps`). They cannot be turned off again, so there is no value for that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ClientSideTimestamps {
    /// Clients may set the timestamps of their writes.
    Enabled,
}

/// Time to live of rows (`DG:TTL`). It cannot be turned off again, so there is no value for that.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ttl {
    /// Rows may have a time to live.
    Enabled,
}

/// The key that encrypts a table at rest (`DG:EncryptionAtRest`).
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub enum Encryption {
    /// A key that the service owns.
    #[default]
    AwsOwnedKey,
    /// A key of the account in AWS KMS, by its ARN. If the service may not use the key, the table is inaccessible.
    CustomerManagedKey(String),
}

/// The CDC stream of a table, whose records are kept for 24 hours (`DG:cdc_how-it-works`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Cdc {
    /// No stream.
    #[default]
    Off,
    /// A stream whose records have this view type.
    On(CdcView),
}

/// The view type of a CDC stream: which images of a row its records have. It cannot be changed while the stream is on.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum CdcView {
    /// The row before and after the change; assumed to be the default.
    #[default]
    NewAndOldImages,
    /// The row after the change.
    NewImage,
    /// The row before the change.
    OldImage,
    /// The key of the row only.
    KeysOnly,
}

/// The tags of a CDC stream (`DG:Tagging.Operations.new.stream`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StreamTags {
    /// The tags of the table, copied when the stream is turned on.
    SameAsTable,
    /// Tags that only the stream has.
    Own(Tags),
}

impl PointInTimeRecovery {
    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let fields = setting.fields(RECOVERY, &["status", EARLIEST])?;
        let enabled = is_enabled(fields.required("status", RECOVERY)?)?;
        Ok(if enabled { Self::Enabled } else { Self::Disabled })
    }

    pub(super) fn setting(self) -> Setting {
        status(self == Self::Enabled)
    }

    /// The earliest moment to which a table can be restored, from the `custom_properties` of its row in
    /// `system_schema_mcs.tables` (`DG:restoretabletopointintime`); `None` if the row does not show it.
    #[must_use]
    pub fn earliest_restorable(custom_properties: &BTreeMap<String, BTreeMap<String, String>>) -> Option<RestorePoint> {
        custom_properties.get(RECOVERY)?.get(EARLIEST)?.parse().ok()
    }

    /// Adds the earliest moment to which the table can be restored to `custom_properties`.
    pub fn show_earliest_restorable(
        custom_properties: &mut BTreeMap<String, BTreeMap<String, String>>,
        earliest: RestorePoint,
    ) {
        let shown = custom_properties.entry(RECOVERY.to_owned()).or_default();
        shown.insert(EARLIEST.to_owned(), earliest.to_string());
    }
}

pub(super) const RECOVERY: &str = "point_in_time_recovery";
const EARLIEST: &str = "earliest_restorable_timestamp";

/// Reads an option that can only be turned on.
pub(super) fn read_irreversible(setting: &Setting, name: &str, reversed: &'static Rule) -> Result<(), PropertyError> {
    let fields = setting.fields(name, &["status"])?;
    let status = fields.required("status", name)?;
    if is_enabled(status)? { Ok(()) } else { Err(PropertyError::refused(status.span, reversed)) }
}

pub(super) fn status(enabled: bool) -> Setting {
    Setting::map([("status", Setting::text(if enabled { "enabled" } else { "disabled" }))])
}

fn is_enabled(setting: &Setting) -> Result<bool, PropertyError> {
    match setting.word("a status")?.to_ascii_lowercase().as_str() {
        "enabled" | "enabling" => Ok(true),
        "disabled" | "disabling" => Ok(false),
        other => Err(PropertyError::unknown(setting.span, format!("the status {other}"))),
    }
}

impl Encryption {
    /// Whether `shown` may be the result of setting `self`. The service shows a key even if it was set by an alias, so an
    /// alias matches every customer managed key.
    #[must_use]
    pub fn is_satisfied_by(&self, shown: &Self) -> bool {
        match (self, shown) {
            (Self::CustomerManagedKey(desired), Self::CustomerManagedKey(_)) if !desired.contains(":key/") => true,
            _ => self == shown,
        }
    }

    pub(super) fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let option = "encryption_specification";
        let fields = setting.fields(option, &["encryption_type", "kms_key_identifier"])?;
        let encryption = fields.required("encryption_type", option)?;
        match encryption.word(option)?.to_ascii_uppercase().as_str() {
            "AWS_OWNED_KMS_KEY" => Ok(Self::AwsOwnedKey),
            "CUSTOMER_MANAGED_KMS_KEY" => {
                let key = fields.get("kms_key_identifier");
                let key = key.ok_or_else(|| PropertyError::refused(setting.span, &rules::KMS_KEY))?.word(option)?;
                // A key id, a key ARN or an alias ARN would all be possible; the guide shows ARNs only
                // (`DG:encryption.customermanaged`).
                if key.starts_with("arn:") {
                    Ok(Self::CustomerManagedKey(key.to_owned()))
                } else {
                    Err(PropertyError::refused(setting.span, &rules::KMS_KEY))
                }
            }
            other => Err(PropertyError::unknown(encryption.span, format!("the encryption type {other}"))),
        }
    }

    pub(super) fn setting(&self) -> Setting {
        match self {
            Self::AwsOwnedKey => Setting::map([("encryption_type", Setting::text("AWS_OWNED_KMS_KEY"))]),
            Self::CustomerManagedKey(arn) => Setting::map([
                ("encryption_type", Setting::text("CUSTOMER_MANAGED_KMS_KEY")),
                ("kms_key_identifier", Setting::text(arn)),
            ]),
        }
    }
}

impl CdcView {
    /// All view types.
    pub const ALL: [Self; 4] = [Self::NewAndOldImages, Self::NewImage, Self::OldImage, Self::KeysOnly];

    /// The view type as CQL writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NewAndOldImages => "NEW_AND_OLD_IMAGES",
            Self::NewImage => "NEW_IMAGE",
            Self::OldImage => "OLD_IMAGE",
            Self::KeysOnly => "KEYS_ONLY",
        }
    }

    fn read(setting: &Setting) -> Result<Self, PropertyError> {
        let word = setting.word(STREAM)?;
        let named = Self::ALL.into_iter().find(|view| view.name().eq_ignore_ascii_case(word));
        named.ok_or_else(|| PropertyError::unknown(setting.span, format!("the view type {word}")))
    }
}

/// Reads `cdc_specification`: the view type and the tags of the stream, if present.
pub(super) fn read_stream(setting: &Setting) -> Result<(Option<CdcView>, Option<StreamTags>), PropertyError> {
    let fields = setting.fields(STREAM, &["view_type", PROPAGATE, "tags", "status", "latest_stream_arn"])?;
    let view = fields.get("view_type").map(CdcView::read).transpose()?;
    let own = fields.get("tags").map(super::tags::tags_of).transpose()?;
    let Some(propagate) = fields.get(PROPAGATE) else { return Ok((view, own.map(StreamTags::Own))) };
    match (propagate.word(PROPAGATE)?.to_ascii_uppercase().as_str(), own) {
        ("TABLE", None) => Ok((view, Some(StreamTags::SameAsTable))),
        ("TABLE", Some(_)) => {
            Err(PropertyError::unknown(propagate.span, format!("{PROPAGATE} and tags of one CDC stream")))
        }
        ("NONE", own) => Ok((view, own.map(StreamTags::Own))),
        (other, _) => Err(PropertyError::unknown(propagate.span, format!("{other} for {PROPAGATE}"))),
    }
}

pub(super) fn stream_setting(view: Option<CdcView>, tags: Option<&StreamTags>) -> Setting {
    let view = view.map(|view| ("view_type", Setting::text(view.name())));
    let tags = tags.map(|tags| match tags {
        StreamTags::SameAsTable => (PROPAGATE, Setting::text("TABLE")),
        StreamTags::Own(tags) => ("tags", super::tags::tags_setting(tags)),
    });
    Setting::map(view.into_iter().chain(tags))
}

const STREAM: &str = "cdc_specification";
const PROPAGATE: &str = "propagate_tags";
