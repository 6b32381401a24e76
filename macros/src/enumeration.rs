//! `#[derive(Value)]` of an enum, which is stored as a text or a number for each variant.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DataEnum, DeriveInput, Error, Fields, Ident, Variant};

use crate::options::{Options, Stored, renamed};

pub(crate) fn expand(input: &DeriveInput, data: &DataEnum, options: &Options) -> syn::Result<TokenStream> {
    let name = &input.ident;
    let Some((stored, _)) = options.stored else {
        let problem = format!("say how {name} is stored: #[value(text)], or a number: #[value(int)]");
        return Err(Error::new(name.span(), problem));
    };
    if data.variants.is_empty() {
        return Err(Error::new(name.span(), format!("{name} has no variants, so there is nothing to store")));
    }
    if let Some(variant) = data.variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
        let problem = format!(
            "{} holds values: a {} says which variant it is, and nothing else. keyspaces::value::Json stores them too",
            variant.ident,
            stored.name()
        );
        return Err(Error::new(variant.fields.span(), problem));
    }
    match stored {
        Stored::Text => as_text(input, data, options),
        Stored::TinyInt => as_number(input, data, options, &format_ident!("i8")),
        Stored::SmallInt => as_number(input, data, options, &format_ident!("i16")),
        Stored::Int => as_number(input, data, options, &format_ident!("i32")),
        Stored::BigInt => as_number(input, data, options, &format_ident!("i64")),
    }
}

fn as_text(input: &DeriveInput, data: &DataEnum, options: &Options) -> syn::Result<TokenStream> {
    let mut texts: Vec<String> = Vec::with_capacity(data.variants.len());
    for variant in &data.variants {
        let text = text_of(variant, options)?;
        if let Some(same) = texts.iter().position(|other| *other == text) {
            let problem = format!("{} and {} are both {text:?}", data.variants[same].ident, variant.ident);
            return Err(Error::new(variant.span(), problem));
        }
        texts.push(text);
    }
    let variants: Vec<&Ident> = data.variants.iter().map(|variant| &variant.ident).collect();
    let bound = quote!(match self { #(Self::#variants => #texts,)* });
    let read = quote!(match stored { #(#texts => ::core::option::Option::Some(Self::#variants),)* _ => ::core::option::Option::None });
    let known = texts.join(", ");
    Ok(implement_traits(input, options, &quote!(&'static str), &quote!(&'__frame str), &bound, &read, &known))
}

fn text_of(variant: &Variant, options: &Options) -> syn::Result<String> {
    if let Some(renamed) = renamed(&variant.attrs)? {
        return Ok(renamed.value());
    }
    let name = variant.ident.unraw().to_string();
    Ok(options.case.map_or_else(|| name.clone(), |(case, _)| case.apply(&name)))
}

fn as_number(input: &DeriveInput, data: &DataEnum, options: &Options, number: &Ident) -> syn::Result<TokenStream> {
    if let Some((_, span)) = options.case {
        return Err(Error::new(span, "rename_all is for an enum that is stored as text"));
    }
    for variant in &data.variants {
        if let Some(text) = renamed(&variant.attrs)? {
            return Err(Error::new(text.span(), "rename is for an enum that is stored as text"));
        }
        if variant.discriminant.is_none() {
            let problem = format!(
                "say the number of {name}: {name} = …. What is stored must not change when variants are moved",
                name = variant.ident
            );
            return Err(Error::new(variant.span(), problem));
        }
    }
    let name = &input.ident;
    let variants: Vec<&Ident> = data.variants.iter().map(|variant| &variant.ident).collect();
    let checks = data.variants.iter().map(|variant| {
        let ident = &variant.ident;
        let stored = options.stored.map_or("", |(stored, _)| stored.name());
        let problem = format!("the number of {ident} is more than {stored} can hold");
        quote_spanned! { variant.span() =>
            const _: () = ::core::assert!(
                #name::#ident as i128 >= #number::MIN as i128 && #name::#ident as i128 <= #number::MAX as i128,
                #problem,
            );
        }
    });
    let checks: TokenStream = checks.collect();
    let bound = quote!(match self { #(Self::#variants => Self::#variants as #number,)* });
    let read = quote! {{
        #(
            if stored == Self::#variants as #number {
                return ::core::result::Result::Ok(Self::#variants);
            }
        )*
        ::core::option::Option::None
    }};
    let known = variants.iter().zip(&data.variants).map(|(variant, _)| variant.unraw().to_string());
    let known = known.collect::<Vec<_>>().join(", ");
    let traits = implement_traits(input, options, &quote!(#number), &quote!(#number), &bound, &read, &known);
    Ok(quote!(#checks #traits))
}

/// Implements both traits. `bound` is an expression for the stored value of `self`; `read` is one for the variant of `stored`,
/// an `Option`.
fn implement_traits(
    input: &DeriveInput,
    options: &Options,
    binds: &TokenStream,
    reads: &TokenStream,
    bound: &TokenStream,
    read: &TokenStream,
    known: &str,
) -> TokenStream {
    let (name, krate) = (&input.ident, &options.krate);
    quote! {
        #[automatically_derived]
        #[allow(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_lossless)]
        impl #krate::SerializeValue for #name {
            fn serialize<'__b>(
                &self,
                typ: &#krate::codec::ColumnType<'_>,
                writer: #krate::codec::CellWriter<'__b>,
            ) -> ::core::result::Result<#krate::codec::WrittenCellProof<'__b>, #krate::codec::SerializationError> {
                let stored: #binds = #bound;
                #krate::_macro_internal::bind_as::<Self, #binds>(&stored, typ, writer)
            }
        }

        #[automatically_derived]
        #[allow(clippy::as_conversions, clippy::cast_possible_truncation, clippy::cast_lossless)]
        impl<'__frame, '__metadata> #krate::DeserializeValue<'__frame, '__metadata> for #name {
            fn type_check(
                typ: &#krate::codec::ColumnType<'_>,
            ) -> ::core::result::Result<(), #krate::codec::TypeCheckError> {
                #krate::_macro_internal::check_as::<Self, #reads>(typ)
            }

            fn deserialize(
                typ: &'__metadata #krate::codec::ColumnType<'__metadata>,
                value: ::core::option::Option<#krate::codec::FrameSlice<'__frame>>,
            ) -> ::core::result::Result<Self, #krate::codec::DeserializationError> {
                let stored = #krate::_macro_internal::read_as::<Self, #reads>(typ, value)?;
                let variant: ::core::option::Option<Self> = #read;
                variant.ok_or_else(|| #krate::_macro_internal::unknown_variant::<Self>(&stored, #known))
            }
        }
    }
}
