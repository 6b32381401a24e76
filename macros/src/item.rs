//! `#[row]` and `#[user_type]`: the driver's derives, with the path by which their code finds the crate `keyspaces`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, Path, Token, parse_quote};

/// Which pair of traits is derived.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Traits {
    Row,
    Value,
}

impl Traits {
    fn attribute(self) -> &'static str {
        match self {
            Self::Row => "row",
            Self::Value => "user_type",
        }
    }
}

pub(crate) fn expand(traits: Traits, arguments: TokenStream, input: TokenStream) -> syn::Result<TokenStream> {
    let Arguments { reads, binds, krate } = syn::parse2(arguments)?;
    let mut item: DeriveInput = syn::parse2(input)?;
    let name = &item.ident;
    let Data::Struct(data) = &mut item.data else {
        return Err(Error::new(name.span(), format!("{name} is not a struct: derive keyspaces::Value for an enum")));
    };
    let Fields::Named(fields) = &mut data.fields else {
        let attribute = traits.attribute();
        let problem = format!(
            "#[keyspaces::{attribute}] is for a struct whose fields have names, and {name} has none: derive \
             keyspaces::Value for a newtype"
        );
        return Err(Error::new(name.span(), problem));
    };
    for field in &mut fields.named {
        let Some(ident) = &field.ident else { continue };
        let bare = ident.unraw().to_string();
        // The driver would look for a column named `r#type`.
        if *ident != bare && !is_named(&field.attrs)? {
            field.attrs.push(parse_quote!(#[scylla(rename = #bare)]));
        }
    }
    let (read, bind) = match traits {
        Traits::Row => (quote!(DeserializeRow), quote!(SerializeRow)),
        Traits::Value => (quote!(DeserializeValue), quote!(SerializeValue)),
    };
    let derives =
        [(reads, read), (binds, bind)].into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, derive)| derive);
    Ok(quote! {
        #[derive(#(#krate::#derives),*)]
        #[scylla(crate = #krate)]
        #item
    })
}

/// Whether an attribute of the field sets its column or excludes the field from the columns.
fn is_named(attributes: &[Attribute]) -> syn::Result<bool> {
    let mut is_named = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("scylla")) {
        attribute.parse_nested_meta(|meta| {
            is_named |= ["rename", "skip", "flatten"].iter().any(|name| meta.path.is_ident(name));
            if meta.input.peek(Token![=]) {
                let _: syn::Expr = meta.value()?.parse()?;
            }
            Ok(())
        })?;
    }
    Ok(is_named)
}

/// `read`, `write` and `crate = …`.
struct Arguments {
    reads: bool,
    binds: bool,
    krate: Path,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut arguments = Self { reads: false, binds: false, krate: parse_quote!(::keyspaces) };
        for argument in Punctuated::<Argument, Token![,]>::parse_terminated(input)? {
            match argument {
                Argument::Read => arguments.reads = true,
                Argument::Write => arguments.binds = true,
                Argument::Crate(path) => arguments.krate = path,
            }
        }
        if !arguments.reads && !arguments.binds {
            (arguments.reads, arguments.binds) = (true, true);
        }
        Ok(arguments)
    }
}

enum Argument {
    Read,
    Write,
    Crate(Path),
}

impl Parse for Argument {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let name = Ident::parse_any(input)?;
        if name == "read" {
            Ok(Self::Read)
        } else if name == "write" {
            Ok(Self::Write)
        } else if name == "crate" {
            let _: Token![=] = input.parse()?;
            Ok(Self::Crate(input.parse()?))
        } else {
            Err(Error::new(name.span(), format!("expected read, write or crate = …, found {}", name.to_token_stream())))
        }
    }
}
