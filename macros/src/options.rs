//! The options in `#[value(…)]`.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Path, parse_quote};

use crate::case::Case;

/// How an enum is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stored {
    Text,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
}

const STORED: [(&str, Stored); 5] = [
    ("text", Stored::Text),
    ("tinyint", Stored::TinyInt),
    ("smallint", Stored::SmallInt),
    ("int", Stored::Int),
    ("bigint", Stored::BigInt),
];

impl Stored {
    /// The name of the type in `#[value(…)]` and in CQL.
    pub(crate) fn name(self) -> &'static str {
        STORED.iter().find(|(_, stored)| *stored == self).map_or("", |(name, _)| name)
    }
}

/// The options of a type in `#[value(…)]`.
pub(crate) struct Options {
    /// The stored type, and the position of this option.
    pub(crate) stored: Option<(Stored, Span)>,
    /// The case of the names of variants as texts, and the position of this option.
    pub(crate) case: Option<(Case, Span)>,
    /// The path of the crate `keyspaces`.
    pub(crate) krate: Path,
}

impl Options {
    pub(crate) fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut options = Self { stored: None, case: None, krate: parse_quote!(::keyspaces) };
        for attribute in value_attributes(attributes) {
            attribute.parse_nested_meta(|meta| options.add(&meta))?;
        }
        Ok(options)
    }

    fn add(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let span = meta.path.get_ident().map_or_else(Span::call_site, syn::Ident::span);
        if let Some((_, stored)) = STORED.iter().find(|(name, _)| meta.path.is_ident(name)) {
            return match self.stored.replace((*stored, span)) {
                None => Ok(()),
                Some((before, _)) => Err(meta.error(format!("it is stored as {} already", before.name()))),
            };
        }
        if meta.path.is_ident("rename_all") {
            let name: LitStr = meta.value()?.parse()?;
            self.case = Some((Case::read(&name)?, name.span()));
            return Ok(());
        }
        if meta.path.is_ident("crate") {
            self.krate = meta.value()?.parse()?;
            return Ok(());
        }
        Err(meta.error("expected text, tinyint, smallint, int, bigint, rename_all = \"…\" or crate = …"))
    }
}

/// The text that `#[value(rename = "…")]` gives a variant.
pub(crate) fn renamed(attributes: &[Attribute]) -> syn::Result<Option<LitStr>> {
    let mut renamed = None;
    for attribute in value_attributes(attributes) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("expected rename = \"…\""));
            }
            renamed = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(renamed)
}

pub(crate) fn value_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("value"))
}
