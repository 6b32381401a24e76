#![doc = include_str!("../README.md")]

mod case;
mod enumeration;
mod item;
mod newtype;
mod options;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;
use syn::{Data, DeriveInput, Error};

/// The crate `keyspaces` exports and documents it.
#[proc_macro_derive(Value, attributes(value))]
pub fn value(input: TokenStream) -> TokenStream {
    expanded(syn::parse(input).and_then(|input| expand_value(&input)))
}

/// The crate `keyspaces` exports and documents it.
#[proc_macro_attribute]
pub fn row(arguments: TokenStream, input: TokenStream) -> TokenStream {
    expanded(item::expand(item::Traits::Row, arguments.into(), input.into()))
}

/// The crate `keyspaces` exports and documents it.
#[proc_macro_attribute]
pub fn user_type(arguments: TokenStream, input: TokenStream) -> TokenStream {
    expanded(item::expand(item::Traits::Value, arguments.into(), input.into()))
}

fn expanded(tokens: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    tokens.unwrap_or_else(Error::into_compile_error).into()
}

fn expand_value(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let options = options::Options::read(&input.attrs)?;
    match &input.data {
        Data::Struct(data) => newtype::expand(input, data, &options),
        Data::Enum(data) => enumeration::expand(input, data, &options),
        Data::Union(data) => {
            Err(Error::new(data.union_token.span, "a union cannot be a value: derive Value for a newtype or an enum"))
        }
    }
}
